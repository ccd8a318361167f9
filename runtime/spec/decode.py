"""JSON values to the types of model.py.

One table per type says which properties there are, how each is read, and which
are required.  Reading never stops at a problem: all of them are collected, each
with its path, and what could not be read is None in the result.  Properties
that are not in a table are ignored, as the spec demands.
Here are types, ranges and closed lists of words; what several properties must
be together is in validate.py.
"""

from __future__ import annotations

from runtime.errors import Problem
from runtime.linux.json import dumps
from runtime.spec import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    # value, its path, where problems go; None after a problem
    Decoder = Callable[[Any, str, list[Problem]], Any]
    # attribute, JSON name, decoder; for a required property what should be there, else ""
    Field = tuple[str, str, Decoder, str]
    RecordType = TypeVar("RecordType", bound=model.Record)

__all__ = ["decode_process", "decode_resources", "decode_spec", "entry", "show"]


def decode_spec(obj: object) -> tuple[model.Spec, list[Problem]]:
    """A parsed config.json as Spec, and everything that has the wrong type or range or is missing."""
    problems: list[Problem] = []
    spec = _spec(obj, "", problems) or model.Spec()
    spec.raw = obj if isinstance(obj, dict) else {}
    spec.warnings = []
    return spec, problems


def decode_process(obj: object, path: str = "process") -> tuple[model.Process, list[Problem]]:
    """A parsed `process` object alone; path is what its problems' paths begin with, or ""."""
    problems: list[Problem] = []
    return _process(obj, path, problems) or model.Process(), problems


def decode_resources(
    obj: object, path: str = "linux.resources"
) -> tuple[model.LinuxResources, list[Problem]]:
    """A parsed `linux.resources` object alone."""
    problems: list[Problem] = []
    return _resources(obj, path, problems) or model.LinuxResources(), problems


def show(value: object) -> str:
    """A JSON value for a message: on one line, and cut where it is long."""
    if isinstance(value, str) and value.isprintable() and '"' not in value and "\\" not in value:
        text = f'"{value}"'
    else:
        text = dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


def entry(path: str, key: str) -> str:
    """The path of an entry of a map: sysctl["net.ipv4.ip_forward"], but timeOffsets.boottime."""
    return f"{path}.{key}" if key.isascii() and key.isidentifier() else f"{path}[{show(key)}]"


# Decoders of simple values


def _wrong_type(value: object, wanted: str) -> str:
    if value is None:
        kind = "null"
    elif isinstance(value, bool):
        kind = "a boolean"
    elif isinstance(value, (int, float)):
        kind = "a number"
    elif isinstance(value, str):
        kind = "a string"
    else:
        kind = "a list" if isinstance(value, list) else "an object"
    return f"{show(value)} is {kind}, not {wanted}" if kind != "null" else f"null is not {wanted}"


def _text(value: Any, path: str, problems: list[Problem]) -> str | None:
    """Any string."""
    if type(value) is str:
        return value
    problems.append(Problem(path, value, _wrong_type(value, "a string")))
    return None


def _string(value: Any, path: str, problems: list[Problem]) -> str | None:
    """A string that the kernel can be given: without NUL, and encodable."""
    if type(value) is not str:
        problems.append(Problem(path, value, _wrong_type(value, "a string")))
        return None
    if "\0" in value:
        problems.append(Problem(path, value, f"{show(value)} contains a NUL character; leave it out"))
        return None
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            message = f"{show(value)} contains half of a surrogate pair; write the character itself"
            problems.append(Problem(path, value, message))
            return None
    return value


def _strings(value: Any, path: str, problems: list[Problem]) -> list[str] | None:
    if type(value) is not list:
        problems.append(Problem(path, value, _wrong_type(value, "a list of strings")))
        return None
    for item in value:
        if type(item) is not str or not item.isascii() or "\0" in item:
            return _STRINGS(value, path, problems)  # type: ignore[no-any-return]
    return value


def _bool(value: Any, path: str, problems: list[Problem]) -> bool | None:
    if value is True or value is False:
        return bool(value)
    problems.append(Problem(path, value, _wrong_type(value, "true or false")))
    return None


def _integer(low: int, high: int) -> Decoder:
    def decode(value: Any, path: str, problems: list[Problem]) -> int | None:
        if type(value) is int:
            if low <= value <= high:
                return value
            message = f"{show(value)} is out of range; write a number from {low} to {high}"
        elif type(value) is float:
            message = f"{show(value)} is not an integer; write it without fraction and exponent"
        else:
            message = _wrong_type(value, "an integer")
        problems.append(Problem(path, value, message))
        return None

    return decode


def _word(*words: str) -> Decoder:
    """One of a closed list of words."""
    known = frozenset(words)

    def decode(value: Any, path: str, problems: list[Problem]) -> str | None:
        if type(value) is not str:
            message = _wrong_type(value, "a string")
        elif value in known:
            return value
        else:
            message = f"{show(value)} is not known; use one of {', '.join(filter(None, words))}"
        problems.append(Problem(path, value, message))
        return None

    return decode


# Decoders of lists, maps and records


def _list(decoder: Decoder, wanted: str) -> Decoder:
    def decode(value: Any, path: str, problems: list[Problem]) -> list[Any] | None:
        if type(value) is list:
            return [decoder(item, f"{path}[{index}]", problems) for index, item in enumerate(value)]
        problems.append(Problem(path, value, _wrong_type(value, f"a list of {wanted}")))
        return None

    return decode


def _map(decoder: Decoder, wanted: str, keys: Decoder = _string) -> Decoder:
    def decode(value: Any, path: str, problems: list[Problem]) -> dict[str, Any] | None:
        if type(value) is dict:
            return {
                keys(key, path, problems): decoder(item, entry(path, key), problems)
                for key, item in value.items()
            }
        problems.append(Problem(path, value, _wrong_type(value, f"an object of {wanted}")))
        return None

    return decode


def _record(cls: type[RecordType], *fields: Field) -> Callable[[Any, str, list[Problem]], RecordType | None]:
    new = cls.__new__

    def decode(value: Any, path: str, problems: list[Problem]) -> RecordType | None:
        if type(value) is not dict:
            problems.append(Problem(path, value, _wrong_type(value, "an object")))
            return None
        record = new(cls)
        get = value.get
        prefix = f"{path}." if path else ""
        for attribute, name, decoder, required in fields:
            item = get(name)
            if item is not None:
                setattr(record, attribute, decoder(item, prefix + name, problems))
                continue
            setattr(record, attribute, None)
            if required:
                problems.append(Problem(prefix + name, None, f"missing; {required} is required"))
        return record

    return decode


_INT64 = _integer(-(2**63), 2**63 - 1)
_UINT64 = _integer(0, 2**64 - 1)
_INT32 = _integer(-(2**31), 2**31 - 1)
_UINT32 = _integer(0, 2**32 - 1)
_UINT16 = _integer(0, 2**16 - 1)
_BYTES = _integer(-1, 2**63 - 1)
_STRINGS = _list(_string, "strings")
_TEXTS = _map(_text, "strings", _text)
_ENTRIES = _map(_string, "strings")


# Process

_BOX = _record(
    model.Box,
    ("height", "height", _UINT64, "a number of lines"),
    ("width", "width", _UINT64, "a number of columns"),
)

_USER = _record(
    model.User,
    ("uid", "uid", _UINT32, ""),
    ("gid", "gid", _UINT32, ""),
    ("umask", "umask", _integer(0, 0o777), ""),
    ("additional_gids", "additionalGids", _list(_UINT32, "integers"), ""),
)

_CAPABILITIES = _record(
    model.LinuxCapabilities,
    ("bounding", "bounding", _strings, ""),
    ("effective", "effective", _strings, ""),
    ("inheritable", "inheritable", _strings, ""),
    ("permitted", "permitted", _strings, ""),
    ("ambient", "ambient", _strings, ""),
)

_RLIMIT = _record(
    model.POSIXRlimit,
    ("type", "type", _string, "a name as RLIMIT_NOFILE"),
    ("hard", "hard", _UINT64, "an integer"),
    ("soft", "soft", _UINT64, "an integer"),
)

_SCHEDULER = _record(
    model.Scheduler,
    (
        "policy",
        "policy",
        _word(
            "SCHED_OTHER",
            "SCHED_FIFO",
            "SCHED_RR",
            "SCHED_BATCH",
            "SCHED_ISO",
            "SCHED_IDLE",
            "SCHED_DEADLINE",
        ),
        "a policy such as SCHED_OTHER",
    ),
    ("nice", "nice", _integer(-20, 19), ""),
    ("priority", "priority", _INT32, ""),
    (
        "flags",
        "flags",
        _list(
            _word(
                "SCHED_FLAG_RESET_ON_FORK",
                "SCHED_FLAG_RECLAIM",
                "SCHED_FLAG_DL_OVERRUN",
                "SCHED_FLAG_KEEP_POLICY",
                "SCHED_FLAG_KEEP_PARAMS",
                "SCHED_FLAG_UTIL_CLAMP_MIN",
                "SCHED_FLAG_UTIL_CLAMP_MAX",
            ),
            "strings",
        ),
        "",
    ),
    ("runtime", "runtime", _UINT64, ""),
    ("deadline", "deadline", _UINT64, ""),
    ("period", "period", _UINT64, ""),
)

_IO_PRIORITY = _record(
    model.LinuxIOPriority,
    (
        "class_",
        "class",
        _word("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"),
        "a class as IOPRIO_CLASS_BE",
    ),
    ("priority", "priority", _integer(0, 7), ""),
)

_CPU_AFFINITY = _record(
    model.CPUAffinity,
    ("initial", "initial", _string, ""),
    ("final", "final", _string, ""),
)

_process = _record(
    model.Process,
    ("terminal", "terminal", _bool, ""),
    ("console_size", "consoleSize", _BOX, ""),
    ("user", "user", _USER, ""),
    ("args", "args", _strings, "a list of strings, the program first,"),
    ("env", "env", _strings, ""),
    ("cwd", "cwd", _string, "an absolute path"),
    ("capabilities", "capabilities", _CAPABILITIES, ""),
    ("rlimits", "rlimits", _list(_RLIMIT, "objects"), ""),
    ("no_new_privileges", "noNewPrivileges", _bool, ""),
    ("apparmor_profile", "apparmorProfile", _string, ""),
    ("oom_score_adj", "oomScoreAdj", _integer(-1000, 1000), ""),
    ("scheduler", "scheduler", _SCHEDULER, ""),
    ("selinux_label", "selinuxLabel", _string, ""),
    ("io_priority", "ioPriority", _IO_PRIORITY, ""),
    ("exec_cpu_affinity", "execCPUAffinity", _CPU_AFFINITY, ""),
)


# Root, mounts, hooks

_ROOT = _record(
    model.Root,
    ("path", "path", _string, "the path of the root file system"),
    ("readonly", "readonly", _bool, ""),
)

_ID_MAPPINGS = _list(
    _record(
        model.LinuxIDMapping,
        ("container_id", "containerID", _UINT32, "an integer"),
        ("host_id", "hostID", _UINT32, "an integer"),
        ("size", "size", _UINT32, "an integer"),
    ),
    "objects",
)

_MOUNT = _record(
    model.Mount,
    ("destination", "destination", _string, "an absolute path"),
    ("type", "type", _string, ""),
    ("source", "source", _string, ""),
    ("options", "options", _strings, ""),
    ("uid_mappings", "uidMappings", _ID_MAPPINGS, ""),
    ("gid_mappings", "gidMappings", _ID_MAPPINGS, ""),
)

_HOOK_LIST = _list(
    _record(
        model.Hook,
        ("path", "path", _string, "an absolute path"),
        ("args", "args", _strings, ""),
        ("env", "env", _strings, ""),
        ("timeout", "timeout", _integer(1, 2**63 - 1), ""),
    ),
    "objects",
)

_HOOKS = _record(
    model.Hooks,
    ("prestart", "prestart", _HOOK_LIST, ""),
    ("create_runtime", "createRuntime", _HOOK_LIST, ""),
    ("create_container", "createContainer", _HOOK_LIST, ""),
    ("start_container", "startContainer", _HOOK_LIST, ""),
    ("poststart", "poststart", _HOOK_LIST, ""),
    ("poststop", "poststop", _HOOK_LIST, ""),
)


# Linux: namespaces and devices

_NAMESPACE = _record(
    model.LinuxNamespace,
    (
        "type",
        "type",
        _word("mount", "pid", "network", "uts", "ipc", "user", "cgroup", "time"),
        "a namespace type as pid",
    ),
    ("path", "path", _string, ""),
)

_DEVICE = _record(
    model.LinuxDevice,
    ("path", "path", _string, "an absolute path"),
    ("type", "type", _word("c", "b", "u", "p"), "one of c, b, u, p"),
    ("major", "major", _INT64, ""),
    ("minor", "minor", _INT64, ""),
    # the schema ends at 0777; Docker and Podman send st_mode with its file type
    ("file_mode", "fileMode", _integer(0, 0o177777), ""),
    ("uid", "uid", _UINT32, ""),
    ("gid", "gid", _UINT32, ""),
)

_NET_DEVICE = _record(model.LinuxNetDevice, ("name", "name", _string, ""))

_TIME_OFFSET = _record(
    model.LinuxTimeOffset,
    ("secs", "secs", _INT64, ""),
    ("nanosecs", "nanosecs", _integer(0, 999_999_999), ""),
)


# Linux: resources

_DEVICE_RULE = _record(
    model.LinuxDeviceCgroup,
    ("allow", "allow", _bool, "true or false"),
    ("type", "type", _word("a", "b", "c", ""), ""),
    ("major", "major", _INT64, ""),
    ("minor", "minor", _INT64, ""),
    ("access", "access", _string, ""),
)

_MEMORY = _record(
    model.LinuxMemory,
    ("limit", "limit", _BYTES, ""),
    ("reservation", "reservation", _BYTES, ""),
    ("swap", "swap", _BYTES, ""),
    ("kernel", "kernel", _BYTES, ""),
    ("kernel_tcp", "kernelTCP", _BYTES, ""),
    ("swappiness", "swappiness", _integer(0, 100), ""),
    ("disable_oom_killer", "disableOOMKiller", _bool, ""),
    ("use_hierarchy", "useHierarchy", _bool, ""),
    ("check_before_update", "checkBeforeUpdate", _bool, ""),
)

_CPU = _record(
    model.LinuxCPU,
    ("shares", "shares", _UINT64, ""),
    ("quota", "quota", _INT64, ""),
    ("burst", "burst", _UINT64, ""),
    ("period", "period", _UINT64, ""),
    ("realtime_runtime", "realtimeRuntime", _INT64, ""),
    ("realtime_period", "realtimePeriod", _UINT64, ""),
    ("cpus", "cpus", _string, ""),
    ("mems", "mems", _string, ""),
    ("idle", "idle", _integer(0, 1), ""),
)

_PIDS = _record(model.LinuxPids, ("limit", "limit", _integer(-1, 2**63 - 1), "a number, or -1 for no limit,"))

_WEIGHT_DEVICE = _record(
    model.LinuxWeightDevice,
    ("major", "major", _INT64, "an integer"),
    ("minor", "minor", _INT64, "an integer"),
    ("weight", "weight", _UINT16, ""),
    ("leaf_weight", "leafWeight", _UINT16, ""),
)

_THROTTLE_DEVICES = _list(
    _record(
        model.LinuxThrottleDevice,
        ("major", "major", _INT64, "an integer"),
        ("minor", "minor", _INT64, "an integer"),
        ("rate", "rate", _UINT64, "an integer"),
    ),
    "objects",
)

_BLOCK_IO = _record(
    model.LinuxBlockIO,
    ("weight", "weight", _UINT16, ""),
    ("leaf_weight", "leafWeight", _UINT16, ""),
    ("weight_device", "weightDevice", _list(_WEIGHT_DEVICE, "objects"), ""),
    ("throttle_read_bps_device", "throttleReadBpsDevice", _THROTTLE_DEVICES, ""),
    ("throttle_write_bps_device", "throttleWriteBpsDevice", _THROTTLE_DEVICES, ""),
    ("throttle_read_iops_device", "throttleReadIOPSDevice", _THROTTLE_DEVICES, ""),
    ("throttle_write_iops_device", "throttleWriteIOPSDevice", _THROTTLE_DEVICES, ""),
)

_HUGEPAGE_LIMIT = _record(
    model.LinuxHugepageLimit,
    ("page_size", "pageSize", _string, "a size as 2MB"),
    ("limit", "limit", _UINT64, "a number of bytes"),
)

_NETWORK = _record(
    model.LinuxNetwork,
    ("class_id", "classID", _UINT32, ""),
    (
        "priorities",
        "priorities",
        _list(
            _record(
                model.LinuxInterfacePriority,
                ("name", "name", _string, "the name of an interface"),
                ("priority", "priority", _UINT32, "an integer"),
            ),
            "objects",
        ),
        "",
    ),
)

_RDMA = _record(
    model.LinuxRdma,
    ("hca_handles", "hcaHandles", _UINT32, ""),
    ("hca_objects", "hcaObjects", _UINT32, ""),
)

_resources = _record(
    model.LinuxResources,
    ("devices", "devices", _list(_DEVICE_RULE, "objects"), ""),
    ("memory", "memory", _MEMORY, ""),
    ("cpu", "cpu", _CPU, ""),
    ("pids", "pids", _PIDS, ""),
    ("block_io", "blockIO", _BLOCK_IO, ""),
    ("hugepage_limits", "hugepageLimits", _list(_HUGEPAGE_LIMIT, "objects"), ""),
    ("network", "network", _NETWORK, ""),
    ("rdma", "rdma", _map(_RDMA, "objects"), ""),
    ("unified", "unified", _ENTRIES, ""),
)


# Linux: seccomp and the rest

_ACTION = _word(
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
)

_ARCHITECTURE = _word(
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_RISCV64",
)

_FLAG = _word(
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
)

_SECCOMP_ARG = _record(
    model.LinuxSeccompArg,
    ("index", "index", _integer(0, 5), "the number of an argument, 0 to 5,"),
    ("value", "value", _UINT64, "an integer"),
    ("value_two", "valueTwo", _UINT64, ""),
    (
        "op",
        "op",
        _word(
            "SCMP_CMP_NE",
            "SCMP_CMP_LT",
            "SCMP_CMP_LE",
            "SCMP_CMP_EQ",
            "SCMP_CMP_GE",
            "SCMP_CMP_GT",
            "SCMP_CMP_MASKED_EQ",
        ),
        "an operator such as SCMP_CMP_EQ",
    ),
)

_SYSCALL = _record(
    model.LinuxSyscall,
    ("names", "names", _strings, "a list of system call names"),
    ("action", "action", _ACTION, "an action such as SCMP_ACT_ALLOW"),
    ("errno_ret", "errnoRet", _UINT32, ""),
    ("args", "args", _list(_SECCOMP_ARG, "objects"), ""),
)

_SECCOMP = _record(
    model.LinuxSeccomp,
    ("default_action", "defaultAction", _ACTION, "an action such as SCMP_ACT_ERRNO"),
    ("default_errno_ret", "defaultErrnoRet", _UINT32, ""),
    ("architectures", "architectures", _list(_ARCHITECTURE, "strings"), ""),
    ("flags", "flags", _list(_FLAG, "strings"), ""),
    ("listener_path", "listenerPath", _string, ""),
    ("listener_metadata", "listenerMetadata", _text, ""),
    ("syscalls", "syscalls", _list(_SYSCALL, "objects"), ""),
)

_INTEL_RDT = _record(
    model.LinuxIntelRdt,
    ("clos_id", "closID", _string, ""),
    ("schemata", "schemata", _strings, ""),
    ("l3_cache_schema", "l3CacheSchema", _string, ""),
    ("mem_bw_schema", "memBwSchema", _string, ""),
    ("enable_monitoring", "enableMonitoring", _bool, ""),
)

_MEMORY_POLICY = _record(
    model.LinuxMemoryPolicy,
    (
        "mode",
        "mode",
        _word(
            "MPOL_DEFAULT",
            "MPOL_BIND",
            "MPOL_INTERLEAVE",
            "MPOL_WEIGHTED_INTERLEAVE",
            "MPOL_PREFERRED",
            "MPOL_PREFERRED_MANY",
            "MPOL_LOCAL",
        ),
        "",
    ),
    ("nodes", "nodes", _string, ""),
    (
        "flags",
        "flags",
        _list(_word("MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"), "strings"),
        "",
    ),
)

_PERSONALITY = _record(
    model.LinuxPersonality,
    ("domain", "domain", _word("LINUX", "LINUX32"), "one of LINUX, LINUX32"),
    ("flags", "flags", _strings, ""),
)

# the schema has the first four; managers send the recursive ones too
_PROPAGATION = _word(
    "private", "shared", "slave", "unbindable", "rprivate", "rshared", "rslave", "runbindable"
)

_LINUX = _record(
    model.Linux,
    ("uid_mappings", "uidMappings", _ID_MAPPINGS, ""),
    ("gid_mappings", "gidMappings", _ID_MAPPINGS, ""),
    ("sysctl", "sysctl", _ENTRIES, ""),
    ("resources", "resources", _resources, ""),
    ("cgroups_path", "cgroupsPath", _string, ""),
    ("namespaces", "namespaces", _list(_NAMESPACE, "objects"), ""),
    ("devices", "devices", _list(_DEVICE, "objects"), ""),
    ("net_devices", "netDevices", _map(_NET_DEVICE, "objects"), ""),
    ("seccomp", "seccomp", _SECCOMP, ""),
    ("rootfs_propagation", "rootfsPropagation", _PROPAGATION, ""),
    ("masked_paths", "maskedPaths", _strings, ""),
    ("readonly_paths", "readonlyPaths", _strings, ""),
    ("mount_label", "mountLabel", _string, ""),
    ("intel_rdt", "intelRdt", _INTEL_RDT, ""),
    ("memory_policy", "memoryPolicy", _MEMORY_POLICY, ""),
    ("personality", "personality", _PERSONALITY, ""),
    ("time_offsets", "timeOffsets", _map(_TIME_OFFSET, "objects"), ""),
)

_spec = _record(
    model.Spec,
    ("oci_version", "ociVersion", _string, "a version such as 1.3.0"),
    ("process", "process", _process, "an object with at least args and cwd"),
    ("root", "root", _ROOT, "an object with the path of the root file system"),
    ("hostname", "hostname", _string, ""),
    ("domainname", "domainname", _string, ""),
    ("mounts", "mounts", _list(_MOUNT, "objects"), ""),
    ("hooks", "hooks", _HOOKS, ""),
    ("annotations", "annotations", _TEXTS, ""),
    ("linux", "linux", _LINUX, ""),
)
