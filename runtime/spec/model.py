"""The types of config.json: runtime-spec 1.3 for Linux, as typed objects.

Class names are those of the spec's Go types; attribute names are the JSON
names in snake_case.  Everything absent (or null) in the JSON is None here,
lists and objects too; a list that is present and empty is [].  What the spec
calls REQUIRED is typed as always there: decode.py and validate.py report a
config that lacks it, and nothing behind them sees such a config.
Paths, ids and numbers are as written; defaults are the planner's business.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Record:
    """A plain object with slots: Mount(destination="/tmp"); what is not given is None."""

    __slots__: tuple[str, ...] = ()

    def __init__(self, **values: Any) -> None:
        for name in type(self).__slots__:
            setattr(self, name, values.pop(name, None))
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(values))}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in type(self).__slots__)

    __hash__ = None  # type: ignore[assignment]  # records are mutable

    def __repr__(self) -> str:
        given = [(name, getattr(self, name)) for name in type(self).__slots__]
        shown = ", ".join([f"{name}={value!r}" for name, value in given if value is not None])
        return f"{type(self).__name__}({shown})"


# Process


class Box(Record):
    """process.consoleSize, in characters."""

    __slots__ = ("height", "width")
    height: int
    width: int


class User(Record):
    __slots__ = ("uid", "gid", "umask", "additional_gids")
    uid: int | None
    gid: int | None
    umask: int | None
    additional_gids: list[int] | None


class LinuxCapabilities(Record):
    """Five lists of names as written ("CAP_KILL"); names planc does not know are still in them."""

    __slots__ = ("bounding", "effective", "inheritable", "permitted", "ambient")
    bounding: list[str] | None
    effective: list[str] | None
    inheritable: list[str] | None
    permitted: list[str] | None
    ambient: list[str] | None


class POSIXRlimit(Record):
    """type is a name of getrlimit(2); 2**64-1 is RLIM_INFINITY."""

    __slots__ = ("type", "hard", "soft")
    type: str
    hard: int
    soft: int


class Scheduler(Record):
    """sched_setattr(2): policy "SCHED_FIFO", flags "SCHED_FLAG_..."; times in nanoseconds."""

    __slots__ = ("policy", "nice", "priority", "flags", "runtime", "deadline", "period")
    policy: str
    nice: int | None
    priority: int | None
    flags: list[str] | None
    runtime: int | None
    deadline: int | None
    period: int | None


class LinuxIOPriority(Record):
    """ioprio_set(2): class_ (JSON `class`) is "IOPRIO_CLASS_RT", "..._BE" or "..._IDLE"; priority 0 to 7."""

    __slots__ = ("class_", "priority")
    class_: str
    priority: int | None


class CPUAffinity(Record):
    """process.execCPUAffinity; JSON `initial` and `final`."""

    __slots__ = ("initial", "final")
    initial: str | None
    final: str | None


class Process(Record):
    __slots__ = (
        "terminal",
        "console_size",
        "user",
        "args",
        "env",
        "cwd",
        "capabilities",
        "rlimits",
        "no_new_privileges",
        "apparmor_profile",
        "oom_score_adj",
        "scheduler",
        "selinux_label",
        "io_priority",
        "exec_cpu_affinity",
    )
    terminal: bool | None
    console_size: Box | None
    user: User | None
    args: list[str]
    env: list[str] | None
    cwd: str
    capabilities: LinuxCapabilities | None
    rlimits: list[POSIXRlimit] | None
    no_new_privileges: bool | None
    apparmor_profile: str | None
    oom_score_adj: int | None
    scheduler: Scheduler | None
    selinux_label: str | None
    io_priority: LinuxIOPriority | None
    exec_cpu_affinity: CPUAffinity | None


# Root, mounts, hooks


class Root(Record):
    __slots__ = ("path", "readonly")
    path: str
    readonly: bool | None


class LinuxIDMapping(Record):
    __slots__ = ("container_id", "host_id", "size")
    container_id: int
    host_id: int
    size: int


class Mount(Record):
    __slots__ = ("destination", "type", "source", "options", "uid_mappings", "gid_mappings")
    destination: str
    type: str | None
    source: str | None
    options: list[str] | None
    uid_mappings: list[LinuxIDMapping] | None
    gid_mappings: list[LinuxIDMapping] | None


class Hook(Record):
    """args include argv[0]; timeout in seconds, greater than zero."""

    __slots__ = ("path", "args", "env", "timeout")
    path: str
    args: list[str] | None
    env: list[str] | None
    timeout: int | None


class Hooks(Record):
    __slots__ = (
        "prestart",
        "create_runtime",
        "create_container",
        "start_container",
        "poststart",
        "poststop",
    )
    prestart: list[Hook] | None
    create_runtime: list[Hook] | None
    create_container: list[Hook] | None
    start_container: list[Hook] | None
    poststart: list[Hook] | None
    poststop: list[Hook] | None


# Linux: namespaces and devices


class LinuxNamespace(Record):
    """type: mount, pid, network, uts, ipc, user, cgroup or time; path None or "": a new one."""

    __slots__ = ("type", "path")
    type: str
    path: str | None


class LinuxDevice(Record):
    """type: c, b, u or p; file_mode may carry S_IFCHR and the like, as Docker and Podman write it."""

    __slots__ = ("path", "type", "major", "minor", "file_mode", "uid", "gid")
    path: str
    type: str
    major: int | None
    minor: int | None
    file_mode: int | None
    uid: int | None
    gid: int | None


class LinuxNetDevice(Record):
    __slots__ = ("name",)
    name: str | None


class LinuxTimeOffset(Record):
    __slots__ = ("secs", "nanosecs")
    secs: int | None
    nanosecs: int | None


# Linux: resources (cgroups)


class LinuxDeviceCgroup(Record):
    """major and minor None or -1: all of them; type None, "" or "a": all types; access None or "": rwm."""

    __slots__ = ("allow", "type", "major", "minor", "access")
    allow: bool
    type: str | None
    major: int | None
    minor: int | None
    access: str | None


class LinuxMemory(Record):
    """Bytes; -1 is unlimited; swap is memory plus swap; swappiness 0 to 100."""

    __slots__ = (
        "limit",
        "reservation",
        "swap",
        "kernel",
        "kernel_tcp",
        "swappiness",
        "disable_oom_killer",
        "use_hierarchy",
        "check_before_update",
    )
    limit: int | None
    reservation: int | None
    swap: int | None
    kernel: int | None
    kernel_tcp: int | None
    swappiness: int | None
    disable_oom_killer: bool | None
    use_hierarchy: bool | None
    check_before_update: bool | None


class LinuxCPU(Record):
    """Times in microseconds; cpus and mems are lists as "0-3,7"."""

    __slots__ = (
        "shares",
        "quota",
        "burst",
        "period",
        "realtime_runtime",
        "realtime_period",
        "cpus",
        "mems",
        "idle",
    )
    shares: int | None
    quota: int | None
    burst: int | None
    period: int | None
    realtime_runtime: int | None
    realtime_period: int | None
    cpus: str | None
    mems: str | None
    idle: int | None


class LinuxPids(Record):
    __slots__ = ("limit",)
    limit: int


class LinuxWeightDevice(Record):
    __slots__ = ("major", "minor", "weight", "leaf_weight")
    major: int
    minor: int
    weight: int | None
    leaf_weight: int | None


class LinuxThrottleDevice(Record):
    """rate: bytes, or I/O operations, per second."""

    __slots__ = ("major", "minor", "rate")
    major: int
    minor: int
    rate: int


class LinuxBlockIO(Record):
    __slots__ = (
        "weight",
        "leaf_weight",
        "weight_device",
        "throttle_read_bps_device",
        "throttle_write_bps_device",
        "throttle_read_iops_device",
        "throttle_write_iops_device",
    )
    weight: int | None
    leaf_weight: int | None
    weight_device: list[LinuxWeightDevice] | None
    throttle_read_bps_device: list[LinuxThrottleDevice] | None
    throttle_write_bps_device: list[LinuxThrottleDevice] | None
    throttle_read_iops_device: list[LinuxThrottleDevice] | None
    throttle_write_iops_device: list[LinuxThrottleDevice] | None


class LinuxHugepageLimit(Record):
    """page_size as "2MB"; limit in bytes."""

    __slots__ = ("page_size", "limit")
    page_size: str
    limit: int


class LinuxInterfacePriority(Record):
    __slots__ = ("name", "priority")
    name: str
    priority: int


class LinuxNetwork(Record):
    __slots__ = ("class_id", "priorities")
    class_id: int | None
    priorities: list[LinuxInterfacePriority] | None


class LinuxRdma(Record):
    __slots__ = ("hca_handles", "hca_objects")
    hca_handles: int | None
    hca_objects: int | None


class LinuxResources(Record):
    __slots__ = (
        "devices",
        "memory",
        "cpu",
        "pids",
        "block_io",
        "hugepage_limits",
        "network",
        "rdma",
        "unified",
    )
    devices: list[LinuxDeviceCgroup] | None
    memory: LinuxMemory | None
    cpu: LinuxCPU | None
    pids: LinuxPids | None
    block_io: LinuxBlockIO | None
    hugepage_limits: list[LinuxHugepageLimit] | None
    network: LinuxNetwork | None
    rdma: dict[str, LinuxRdma] | None
    unified: dict[str, str] | None


# Linux: seccomp and the rest


class LinuxSeccompArg(Record):
    """op "SCMP_CMP_..."; for SCMP_CMP_MASKED_EQ value is the mask and value_two the datum."""

    __slots__ = ("index", "value", "value_two", "op")
    index: int
    value: int
    value_two: int | None
    op: str


class LinuxSyscall(Record):
    __slots__ = ("names", "action", "errno_ret", "args")
    names: list[str]
    action: str
    errno_ret: int | None
    args: list[LinuxSeccompArg] | None


class LinuxSeccomp(Record):
    __slots__ = (
        "default_action",
        "default_errno_ret",
        "architectures",
        "flags",
        "listener_path",
        "listener_metadata",
        "syscalls",
    )
    default_action: str
    default_errno_ret: int | None
    architectures: list[str] | None
    flags: list[str] | None
    listener_path: str | None
    listener_metadata: str | None
    syscalls: list[LinuxSyscall] | None


class LinuxIntelRdt(Record):
    __slots__ = ("clos_id", "schemata", "l3_cache_schema", "mem_bw_schema", "enable_monitoring")
    clos_id: str | None
    schemata: list[str] | None
    l3_cache_schema: str | None
    mem_bw_schema: str | None
    enable_monitoring: bool | None


class LinuxMemoryPolicy(Record):
    __slots__ = ("mode", "nodes", "flags")
    mode: str
    nodes: str | None
    flags: list[str] | None


class LinuxPersonality(Record):
    """domain: LINUX or LINUX32."""

    __slots__ = ("domain", "flags")
    domain: str
    flags: list[str] | None


class Linux(Record):
    """time_offsets: by clock name, "boottime" or "monotonic"."""

    __slots__ = (
        "uid_mappings",
        "gid_mappings",
        "sysctl",
        "resources",
        "cgroups_path",
        "namespaces",
        "devices",
        "net_devices",
        "seccomp",
        "rootfs_propagation",
        "masked_paths",
        "readonly_paths",
        "mount_label",
        "intel_rdt",
        "memory_policy",
        "personality",
        "time_offsets",
    )
    uid_mappings: list[LinuxIDMapping] | None
    gid_mappings: list[LinuxIDMapping] | None
    sysctl: dict[str, str] | None
    resources: LinuxResources | None
    cgroups_path: str | None
    namespaces: list[LinuxNamespace] | None
    devices: list[LinuxDevice] | None
    net_devices: dict[str, LinuxNetDevice] | None
    seccomp: LinuxSeccomp | None
    rootfs_propagation: str | None
    masked_paths: list[str] | None
    readonly_paths: list[str] | None
    mount_label: str | None
    intel_rdt: LinuxIntelRdt | None
    memory_policy: LinuxMemoryPolicy | None
    personality: LinuxPersonality | None
    time_offsets: dict[str, LinuxTimeOffset] | None


class Spec(Record):
    """The whole config.json.

    raw is the JSON object it was decoded from; warnings are lines for the user
    that validate() found, about what will be ignored or is deprecated.
    """

    __slots__ = (
        "oci_version",
        "process",
        "root",
        "hostname",
        "domainname",
        "mounts",
        "hooks",
        "annotations",
        "linux",
        "raw",
        "warnings",
    )
    oci_version: str
    process: Process
    root: Root
    hostname: str | None
    domainname: str | None
    mounts: list[Mount] | None
    hooks: Hooks | None
    annotations: dict[str, str] | None
    linux: Linux | None
    raw: dict[str, Any]
    warnings: list[str]
