"""JSON to the typed objects of the spec."""

from typing import Any

import pytest

from runtime.errors import Problem
from runtime.spec import model
from runtime.spec.decode import decode_process, decode_resources, decode_spec, entry, show

from .samples import FULL, full_config


def decoded(config: Any) -> model.Spec:
    spec, problems = decode_spec(config)
    assert problems == []
    return spec


def test_process() -> None:
    process = decoded(FULL).process
    assert process.terminal is True
    assert process.console_size == model.Box(height=25, width=80)
    assert process.user == model.User(uid=1, gid=2, umask=0o22, additional_gids=[5, 6])
    assert process.args == ["sleep", "100"]
    assert process.env == ["PATH=/usr/bin:/bin", "TERM=xterm", "EMPTY="]
    assert process.cwd == "/root"
    assert process.capabilities is not None
    assert process.capabilities.bounding == ["CAP_AUDIT_WRITE", "CAP_KILL"]
    assert process.capabilities.effective == ["CAP_KILL"]
    assert process.capabilities.inheritable == []
    assert process.capabilities.permitted == ["CAP_AUDIT_WRITE", "CAP_KILL"]
    assert process.capabilities.ambient == ["CAP_KILL"]
    assert process.rlimits is not None
    assert process.rlimits[1] == model.POSIXRlimit(type="RLIMIT_CORE", hard=2**64 - 1, soft=0)
    assert process.no_new_privileges is True
    assert process.oom_score_adj == -100
    assert process.scheduler is not None
    assert process.scheduler.policy == "SCHED_OTHER"
    assert process.scheduler.flags == ["SCHED_FLAG_RESET_ON_FORK"]
    assert process.io_priority == model.LinuxIOPriority(class_="IOPRIO_CLASS_BE", priority=4)


def test_top_level() -> None:
    spec = decoded(FULL)
    assert spec.oci_version == "1.3.0"
    assert spec.root == model.Root(path="rootfs", readonly=True)
    assert (spec.hostname, spec.domainname) == ("box", "example.org")
    assert spec.annotations == {"org.example.key": "value", "other": ""}
    assert spec.hooks is not None
    assert spec.hooks.prestart == [
        model.Hook(path="/usr/bin/hook", args=["hook", "one"], env=["A=b"], timeout=3)
    ]
    assert spec.hooks.create_runtime is not None
    assert spec.hooks.create_runtime[1] == model.Hook(path="/bin/true")
    assert spec.mounts is not None
    ids = [model.LinuxIDMapping(container_id=0, host_id=1000, size=10)]
    assert spec.mounts[2] == model.Mount(
        destination="/data",
        type="none",
        source="/srv/data",
        options=["rbind", "ridmap"],
        uid_mappings=ids,
        gid_mappings=ids,
    )
    assert spec.mounts[0].options is None
    assert spec.raw is FULL
    assert spec.warnings == []


def test_linux() -> None:
    linux = decoded(FULL).linux
    assert linux is not None
    assert linux.uid_mappings is not None
    assert linux.uid_mappings[1] == model.LinuxIDMapping(container_id=1000, host_id=5, size=1)
    assert linux.sysctl == {"net.ipv4.ip_forward": "1", "kernel.shmmax": "4096"}
    assert linux.cgroups_path == "/my/container"
    assert linux.namespaces is not None
    assert linux.namespaces[:3] == [
        model.LinuxNamespace(type="pid", path="/proc/1234/ns/pid"),
        model.LinuxNamespace(type="network", path=""),
        model.LinuxNamespace(type="mount"),
    ]
    assert linux.devices == [
        model.LinuxDevice(path="/dev/fuse", type="c", major=10, minor=229, file_mode=0o666, uid=0, gid=0),
        model.LinuxDevice(path="/run/fifo", type="p"),
    ]
    assert linux.rootfs_propagation == "slave"
    assert linux.masked_paths == ["/proc/kcore"]
    assert linux.readonly_paths == ["/proc/sys"]
    assert linux.personality == model.LinuxPersonality(domain="LINUX32", flags=[])
    assert linux.time_offsets == {
        "boottime": model.LinuxTimeOffset(secs=-5, nanosecs=7),
        "monotonic": model.LinuxTimeOffset(secs=3, nanosecs=0),
    }


def test_seccomp() -> None:
    linux = decoded(FULL).linux
    assert linux is not None and linux.seccomp is not None
    seccomp = linux.seccomp
    assert (seccomp.default_action, seccomp.default_errno_ret) == ("SCMP_ACT_ERRNO", 38)
    assert seccomp.architectures == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"]
    assert seccomp.flags == ["SECCOMP_FILTER_FLAG_LOG"]
    assert (seccomp.listener_path, seccomp.listener_metadata) == ("/run/agent.sock", "MKNOD")
    assert seccomp.syscalls is not None
    argument = model.LinuxSeccompArg(index=0, value=2114060288, value_two=0, op="SCMP_CMP_MASKED_EQ")
    assert seccomp.syscalls[1] == model.LinuxSyscall(
        names=["clone"], action="SCMP_ACT_ERRNO", errno_ret=1, args=[argument]
    )


def test_resources() -> None:
    resources, problems = decode_resources(FULL["linux"]["resources"])
    assert problems == []
    assert resources.devices == [
        model.LinuxDeviceCgroup(allow=False, access="rwm"),
        model.LinuxDeviceCgroup(allow=True, type="c", major=10, minor=229, access="rw"),
    ]
    assert resources.memory == model.LinuxMemory(
        limit=536870912,
        reservation=268435456,
        swap=536870912,
        kernel=-1,
        kernel_tcp=-1,
        swappiness=0,
        disable_oom_killer=False,
        use_hierarchy=False,
        check_before_update=True,
    )
    assert resources.cpu == model.LinuxCPU(
        shares=1024,
        quota=1000000,
        burst=1000000,
        period=500000,
        realtime_runtime=950000,
        realtime_period=1000000,
        cpus="2-3",
        mems="0-7",
        idle=0,
    )
    assert resources.pids == model.LinuxPids(limit=32771)
    assert resources.block_io is not None
    assert (resources.block_io.weight, resources.block_io.leaf_weight) == (10, 10)
    assert resources.block_io.weight_device is not None
    assert resources.block_io.weight_device[0] == model.LinuxWeightDevice(
        major=8, minor=0, weight=500, leaf_weight=300
    )
    rate = [model.LinuxThrottleDevice(major=8, minor=0, rate=600)]
    assert resources.block_io.throttle_read_bps_device == rate
    assert resources.block_io.throttle_write_bps_device == rate
    assert resources.block_io.throttle_read_iops_device == rate
    assert resources.block_io.throttle_write_iops_device == [
        model.LinuxThrottleDevice(major=8, minor=16, rate=300)
    ]
    assert resources.hugepage_limits is not None
    assert resources.hugepage_limits[0] == model.LinuxHugepageLimit(page_size="2MB", limit=209715200)
    assert resources.network == model.LinuxNetwork(
        class_id=1048577, priorities=[model.LinuxInterfacePriority(name="eth0", priority=500)]
    )
    assert resources.rdma is not None
    assert resources.rdma["mlx5_1"] == model.LinuxRdma(hca_handles=3, hca_objects=10000)
    assert resources.unified is not None
    assert resources.unified["hugetlb.1GB.max"] == "1073741824"


def test_what_is_refused_later_is_decoded_too() -> None:
    config = full_config()
    config["process"]["execCPUAffinity"] = {"initial": "7", "final": "0-3"}
    config["linux"]["netDevices"] = {"eth0": {"name": "in0"}}
    config["linux"]["intelRdt"] = {
        "closID": "group",
        "schemata": ["L3:0=7f0"],
        "l3CacheSchema": "L3:0=f",
        "memBwSchema": "MB:0=20",
        "enableMonitoring": True,
    }
    config["linux"]["memoryPolicy"] = {
        "mode": "MPOL_BIND",
        "nodes": "0",
        "flags": ["MPOL_F_STATIC_NODES"],
    }
    spec = decoded(config)
    assert spec.process.exec_cpu_affinity == model.CPUAffinity(initial="7", final="0-3")
    assert spec.linux is not None
    assert spec.linux.net_devices == {"eth0": model.LinuxNetDevice(name="in0")}
    assert spec.linux.intel_rdt == model.LinuxIntelRdt(
        clos_id="group",
        schemata=["L3:0=7f0"],
        l3_cache_schema="L3:0=f",
        mem_bw_schema="MB:0=20",
        enable_monitoring=True,
    )
    assert spec.linux.memory_policy == model.LinuxMemoryPolicy(
        mode="MPOL_BIND", nodes="0", flags=["MPOL_F_STATIC_NODES"]
    )


def test_absent_is_none_and_empty_is_empty() -> None:
    spec = decoded({"ociVersion": "1.0.0", "process": {"args": [], "cwd": "/"}, "root": {"path": "r"}})
    absent = [name for name in model.Spec.__slots__ if getattr(spec, name) is None]
    assert set(absent) == {"annotations", "domainname", "hooks", "hostname", "linux", "mounts"}
    assert spec.process.args == []
    assert spec.process.env is None
    assert spec.process.user is None


def test_null_is_absent() -> None:
    config = full_config()
    config["mounts"] = None
    config["linux"]["seccomp"] = None
    config["process"]["user"]["umask"] = None
    spec = decoded(config)
    assert spec.mounts is None
    assert spec.linux is not None and spec.linux.seccomp is None
    assert spec.process.user is not None and spec.process.user.umask is None


def test_null_is_not_enough_for_what_is_required() -> None:
    config = full_config()
    config["process"]["cwd"] = None
    assert decode_spec(config)[1] == [
        Problem("process.cwd", None, "missing; an absolute path is required"),
    ]


def test_all_problems_at_once() -> None:
    config = full_config()
    config["ociVersion"] = 1
    config["process"]["args"][1] = 100
    config["mounts"][1] = "tmpfs"
    config["linux"]["seccomp"]["syscalls"][1]["args"][0]["op"] = "=="
    config["linux"]["resources"]["rdma"]["rxe-3"]["hcaObjects"] = -1
    assert [problem.path for problem in decode_spec(config)[1]] == [
        "ociVersion",
        "process.args[1]",
        "mounts[1]",
        'linux.resources.rdma["rxe-3"].hcaObjects',
        "linux.seccomp.syscalls[1].args[0].op",
    ]


def test_a_document_that_is_no_object() -> None:
    spec, problems = decode_spec([1])
    assert problems == [Problem("", [1], "[1] is a list, not an object")]
    assert spec.raw == {}
    assert spec.process is None


def test_process_alone_and_its_path() -> None:
    assert decode_process({"args": ["a"]})[1][0].path == "process.cwd"
    process, problems = decode_process({"args": "a", "cwd": "/"}, "")
    assert problems == [Problem("args", "a", '"a" is a string, not a list of strings')]
    assert process.cwd == "/"


def test_resources_alone_and_their_path() -> None:
    assert decode_resources({"pids": {}})[1][0].path == "linux.resources.pids.limit"
    assert decode_resources({"pids": {}}, "")[1][0].path == "pids.limit"


@pytest.mark.parametrize("text", ["ünïcode", "日本", "😀"])
def test_text_beyond_ascii(text: str) -> None:
    config = full_config()
    config["process"]["args"] = [text]
    assert decoded(config).process.args == [text]


def test_annotations_may_hold_anything() -> None:
    config = full_config()
    config["annotations"] = {"k": "a\0\ud800"}
    assert decoded(config).annotations == {"k": "a\0\ud800"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", '"plain"'),
        ("Straße", '"Straße"'),
        ('a"b\\', '"a\\"b\\\\"'),
        ("two\nlines", '"two\\nlines"'),
        ("\udc80", '"\\udc80"'),
        ([1, None, True], "[1, null, true]"),
        ("x" * 100, '"' + "x" * 76 + "..."),
    ],
)
def test_values_are_shown_on_one_short_line(value: object, text: str) -> None:
    assert show(value) == text


def test_paths_of_map_entries() -> None:
    assert entry("linux.timeOffsets", "boottime") == "linux.timeOffsets.boottime"
    assert entry("linux.sysctl", "net.core.x") == 'linux.sysctl["net.core.x"]'
    assert entry("annotations", "a\nb") == 'annotations["a\\nb"]'


def test_records() -> None:
    mount = model.Mount(destination="/tmp")
    assert (mount.destination, mount.options) == ("/tmp", None)
    assert repr(mount) == "Mount(destination='/tmp')"
    assert mount == model.Mount(destination="/tmp")
    assert mount != model.Mount(destination="/run")
    assert mount != model.Root(path="/tmp")
    with pytest.raises(TypeError, match="Mount has no target"):
        model.Mount(target="/tmp")
    with pytest.raises(AttributeError):
        mount.target = "/tmp"  # type: ignore[attr-defined]


def test_every_type_is_filled_by_its_own_attributes() -> None:
    """A slip in a table would name an attribute that the type has not, or leave one out."""
    for config in (FULL, {**FULL, "linux": {}}):
        stack: list[object] = [decoded(config)]
        while stack:
            item = stack.pop()
            if isinstance(item, model.Record):
                stack.extend(getattr(item, name) for name in type(item).__slots__)
            elif isinstance(item, list):
                stack.extend(item)
            elif isinstance(item, dict):
                stack.extend(item.values())
