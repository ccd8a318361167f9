"""Broken configs, and the line that each gives, word by word."""

from typing import Any

import pytest

from runtime.errors import SpecError
from runtime.spec.decode import decode_process, decode_resources, decode_spec
from runtime.spec.validate import validate, validate_process, validate_resources

from .samples import DELETE, edit, full_config

RLIMITS = (
    "RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_MEMLOCK, "
    "RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO, RLIMIT_RTTIME, "
    "RLIMIT_SIGPENDING, RLIMIT_STACK"
)
ACTIONS = (
    "SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, "
    "SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY"
)
UINT32 = "a number from 0 to 4294967295"
NO_ID = 0xFFFFFFFF
BYTES = "a number from -1 to 9223372036854775807"


def report(config: Any, rootless: bool = False) -> str:
    spec, problems = decode_spec(config)
    problems += validate(spec, rootless, problems)
    return str(SpecError(problems)) if problems else ""


# path, new value, what comes after "config.json: "
BROKEN: list[tuple[str, Any, str]] = [
    # the document
    ("ociVersion", DELETE, "ociVersion: missing; a version such as 1.3.0 is required"),
    ("ociVersion", "1.0", 'ociVersion: "1.0" is not a version; write it like 1.3.0'),
    ("ociVersion", "1.01.0", 'ociVersion: "1.01.0" is not a version; write it like 1.3.0'),
    ("ociVersion", "1.0.0-", 'ociVersion: "1.0.0-" is not a version; write it like 1.3.0'),
    ("ociVersion", "1.0.0-01", 'ociVersion: "1.0.0-01" is not a version; write it like 1.3.0'),
    ("ociVersion", "1.0.0+a..b", 'ociVersion: "1.0.0+a..b" is not a version; write it like 1.3.0'),
    (
        "ociVersion",
        "2.0.0",
        'ociVersion: "2.0.0" is not supported; planc reads versions 1.0 to 1.3, and later 1.x',
    ),
    (
        "ociVersion",
        "0.9.0-dev",
        'ociVersion: "0.9.0-dev" is not supported; planc reads versions 1.0 to 1.3, and later 1.x',
    ),
    ("process", DELETE, "process: missing; an object with at least args and cwd is required"),
    ("process", "sh", 'process: "sh" is a string, not an object'),
    ("root", DELETE, "root: missing; an object with the path of the root file system is required"),
    ("root.path", DELETE, "root.path: missing; the path of the root file system is required"),
    ("root.path", "", 'root.path: "" is empty; write the path of a directory, such as rootfs'),
    ("root.readonly", "yes", 'root.readonly: "yes" is a string, not true or false'),
    ("hostname", 5, "hostname: 5 is a number, not a string"),
    ("hostname", "ü" * 33, f'hostname: "{"ü" * 33}" is too long; the kernel takes 64 bytes'),
    ('annotations[""]', "x", 'annotations[""]: the key is empty; give it a name'),
    ("annotations.other", 5, "annotations.other: 5 is a number, not a string"),
    ("annotations", [], "annotations: [] is a list, not an object of strings"),
    # process
    ("process.args", DELETE, "process.args: missing; a list of strings, the program first, is required"),
    ("process.args", [], "process.args: [] is empty; write the program and its arguments"),
    ("process.args", "sh", 'process.args: "sh" is a string, not a list of strings'),
    ("process.args[1]", None, "process.args[1]: null is not a string"),
    ("process.args[1]", "a\0b", 'process.args[1]: "a\\u0000b" contains a NUL character; leave it out'),
    (
        "process.args[1]",
        "\ud83d",
        'process.args[1]: "\\ud83d" contains half of a surrogate pair; write the character itself',
    ),
    ("process.cwd", "tmp", 'process.cwd: "tmp" is not an absolute path; write it from /'),
    ("process.cwd", "", 'process.cwd: "" is not an absolute path; write it from /'),
    ("process.cwd", DELETE, "process.cwd: missing; an absolute path is required"),
    ("process.env[1]", "TERM", 'process.env[1]: "TERM" has no =; write NAME=value'),
    ("process.env[1]", "=xterm", 'process.env[1]: "=xterm" has no name; write NAME=value'),
    ("process.env[1]", True, "process.env[1]: true is a boolean, not a string"),
    ("process.terminal", 1, "process.terminal: 1 is a number, not true or false"),
    (
        "process.consoleSize.width",
        70000,
        "process.consoleSize.width: 70000 is out of range; write a number from 0 to 65535",
    ),
    (
        "process.consoleSize.height",
        DELETE,
        "process.consoleSize.height: missing; a number of lines is required",
    ),
    ("process.user", "root", 'process.user: "root" is a string, not an object'),
    ("process.user.uid", -1, f"process.user.uid: -1 is out of range; write {UINT32}"),
    ("process.user.uid", "root", 'process.user.uid: "root" is a string, not an integer'),
    *[
        (
            where,
            NO_ID,
            f"{where}: 4294967295 is no id: it means unchanged; write a number from 0 to 4294967294",
        )
        for where in ("process.user.uid", "process.user.gid", "process.user.additionalGids[0]")
    ],
    (
        "process.user.uid",
        1.0,
        "process.user.uid: 1.0 is not an integer; write it without fraction and exponent",
    ),
    ("process.user.uid", True, "process.user.uid: true is a boolean, not an integer"),
    (
        "process.user.uid",
        70000,
        "process.user.uid: 70000 is not mapped; add it to linux.uidMappings, or use a mapped id",
    ),
    (
        "process.user.additionalGids[1]",
        1000,
        "process.user.additionalGids[1]: 1000 is not mapped; add it to linux.gidMappings, or use a mapped id",
    ),
    ("process.user.umask", 512, "process.user.umask: 512 is out of range; write a number from 0 to 511"),
    (
        "process.capabilities.bounding",
        "CAP_KILL",
        'process.capabilities.bounding: "CAP_KILL" is a string, not a list of strings',
    ),
    (
        "process.rlimits[1].type",
        "RLIMIT_FILES",
        f'process.rlimits[1].type: "RLIMIT_FILES" is not known; use one of {RLIMITS}',
    ),
    (
        "process.rlimits[1].type",
        "RLIMIT_NOFILE",
        'process.rlimits[1].type: "RLIMIT_NOFILE" is already set by process.rlimits[0]; keep one of them',
    ),
    (
        "process.rlimits[0].soft",
        4096,
        "process.rlimits[0].soft: 4096 is above the hard limit 2048; lower it, or raise hard",
    ),
    ("process.rlimits[0].hard", DELETE, "process.rlimits[0].hard: missing; an integer is required"),
    (
        "process.oomScoreAdj",
        2000,
        "process.oomScoreAdj: 2000 is out of range; write a number from -1000 to 1000",
    ),
    (
        "process.ioPriority.class",
        "BE",
        'process.ioPriority.class: "BE" is not known; '
        "use one of IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE",
    ),
    (
        "process.ioPriority.priority",
        8,
        "process.ioPriority.priority: 8 is out of range; write a number from 0 to 7",
    ),
    (
        "process.scheduler.priority",
        5,
        "process.scheduler.priority: 5 does not go with SCHED_OTHER; "
        "only SCHED_FIFO and SCHED_RR can have it",
    ),
    (
        "process.scheduler.period",
        5,
        "process.scheduler.period: 5 does not go with SCHED_OTHER; only SCHED_DEADLINE can have it",
    ),
    (
        "process.scheduler.nice",
        20,
        "process.scheduler.nice: 20 is out of range; write a number from -20 to 19",
    ),
    (
        "process.scheduler",
        {"policy": "SCHED_FIFO"},
        "process.scheduler.priority: missing; SCHED_FIFO needs a priority from 1 to 99",
    ),
    (
        "process.scheduler",
        {"policy": "SCHED_RR", "priority": 100},
        "process.scheduler.priority: 100 is out of range; SCHED_RR needs a priority from 1 to 99",
    ),
    (
        "process.scheduler",
        {"policy": "SCHED_IDLE", "nice": 1},
        "process.scheduler.nice: 1 does not go with SCHED_IDLE; only SCHED_OTHER and SCHED_BATCH can have it",
    ),
    (
        "process.scheduler",
        {"policy": "SCHED_DEADLINE", "runtime": 3, "deadline": 2, "period": 2},
        "process.scheduler.runtime: 3 is above deadline 2; lower it, or raise deadline",
    ),
    (
        "process.scheduler",
        {"policy": "SCHED_DEADLINE", "runtime": 2, "deadline": 3, "period": 2},
        "process.scheduler.deadline: 3 is above period 2; lower it, or raise period",
    ),
    (
        "process.scheduler",
        {"policy": "SCHED_DEADLINE", "deadline": 2},
        "process.scheduler.runtime: missing; SCHED_DEADLINE needs a number of nanoseconds",
    ),
    (
        "process.apparmorProfile",
        "docker-default",
        'process.apparmorProfile: "docker-default": planc 0.1 does not support AppArmor; remove it',
    ),
    (
        "process.selinuxLabel",
        "u:r:t:s0",
        'process.selinuxLabel: "u:r:t:s0": planc 0.1 does not support SELinux; remove it',
    ),
    (
        "process.execCPUAffinity",
        {"initial": "0"},
        "process.execCPUAffinity: planc 0.1 does not support execCPUAffinity; remove it",
    ),
    # mounts and hooks
    ("mounts[0].destination", DELETE, "mounts[0].destination: missing; an absolute path is required"),
    ("mounts[0]", None, "mounts[0]: null is not an object"),
    ("mounts[1].options", "ro", 'mounts[1].options: "ro" is a string, not a list of strings'),
    (
        "mounts[1].options[2]",
        "uid=5000",
        'mounts[1].options[2]: "uid=5000" is not mapped; add it to linux.uidMappings, or use a mapped id',
    ),
    ("mounts[2].source", "", "mounts[2].source: missing; a bind mount needs the path of what to bind"),
    (
        "mounts[2].gidMappings",
        DELETE,
        "mounts[2].gidMappings: missing; uidMappings is there: write both, or neither",
    ),
    (
        "mounts[2].uidMappings",
        [],
        "mounts[2].uidMappings: missing; gidMappings is there: write both, or neither",
    ),
    (
        "mounts[2].options",
        ["idmap"],
        'mounts[2].options[0]: "idmap" is for bind mounts; add bind or rbind to the options',
    ),
    (
        "mounts[2].options",
        [],
        "mounts[2].options: neither bind nor rbind; uidMappings is for bind mounts only",
    ),
    (
        "mounts[2].uidMappings[0].size",
        0,
        "mounts[2].uidMappings[0].size: 0 maps nothing; write the number of ids",
    ),
    (
        "hooks.prestart[0].path",
        "hook",
        'hooks.prestart[0].path: "hook" is not an absolute path; write it from /',
    ),
    (
        "hooks.prestart[0].env",
        ["A=", "NAME"],
        'hooks.prestart[0].env[1]: "NAME" has no =; write NAME=value',
    ),
    (
        "hooks.poststop[0].timeout",
        0,
        "hooks.poststop[0].timeout: 0 is out of range; write a number from 1 to 9223372036854775807",
    ),
    ("hooks.poststop", {}, "hooks.poststop: {} is an object, not a list of objects"),
    # namespaces and mappings
    (
        "linux.namespaces[3].type",
        "ips",
        'linux.namespaces[3].type: "ips" is not known; '
        "use one of mount, pid, network, uts, ipc, user, cgroup, time",
    ),
    (
        "linux.namespaces[8]",
        {"type": "pid"},
        'linux.namespaces[8].type: "pid" is a duplicate of linux.namespaces[0]; keep one of them',
    ),
    (
        "linux.namespaces[0].path",
        "ns/pid",
        'linux.namespaces[0].path: "ns/pid" is not an absolute path; write it from /',
    ),
    (
        "linux.uidMappings",
        DELETE,
        "linux.uidMappings: missing; a new user namespace needs at least one mapping",
    ),
    ("linux.gidMappings", [], "linux.gidMappings: missing; a new user namespace needs at least one mapping"),
    ("linux.uidMappings", {}, "linux.uidMappings: {} is an object, not a list of objects"),
    (
        "linux.uidMappings[0].hostID",
        2**32 - 1,
        "linux.uidMappings[0].hostID: 4294967295 and 1000 more go beyond the last id 4294967295; "
        "lower one of them",
    ),
    (
        "linux.uidMappings[1].containerID",
        999,
        "linux.uidMappings[1].containerID: 999 and the following 1 overlap linux.uidMappings[0]; "
        "make the ranges disjoint",
    ),
    (
        "linux.uidMappings[1].hostID",
        100500,
        "linux.uidMappings[1].hostID: 100500 and the following 1 overlap linux.uidMappings[0]; "
        "make the ranges disjoint",
    ),
    (
        "linux.timeOffsets.realtime",
        {"secs": 1},
        'linux.timeOffsets.realtime: "realtime" is not a clock of a time namespace; '
        "use boottime or monotonic",
    ),
    (
        "linux.timeOffsets.boottime.nanosecs",
        1000000000,
        "linux.timeOffsets.boottime.nanosecs: 1000000000 is out of range; write a number from 0 to 999999999",
    ),
    (
        "linux.namespaces[7].path",
        "/proc/9/ns/time",
        'linux.timeOffsets: "/proc/9/ns/time" has its offsets already; '
        "remove these, or linux.namespaces' path",
    ),
    (
        "linux.namespaces[7]",
        DELETE,
        'linux.timeOffsets: needs a time namespace; add {"type": "time"} to linux.namespaces',
    ),
    # the rest of linux
    (
        'linux.sysctl["vm.swappiness"]',
        "5",
        'linux.sysctl["vm.swappiness"]: is not namespaced and would change the host; '
        "remove it, or set it on the host with sysctl(8)",
    ),
    ('linux.sysctl["kernel.hostname"]', "x", 'linux.sysctl["kernel.hostname"]: set hostname instead'),
    (
        'linux.sysctl["kernel.domainname"]',
        "x",
        'linux.sysctl["kernel.domainname"]: domainname is set too, to "example.org"; keep one of them',
    ),
    (
        'linux.sysctl["net/../kernel/x"]',
        "1",
        'linux.sysctl["net/../kernel/x"]: "net/../kernel/x" is not a sysctl; write it as net.ipv4.ip_forward',
    ),
    (
        'linux.sysctl["net.ipv4.ip_forward"]',
        1,
        'linux.sysctl["net.ipv4.ip_forward"]: 1 is a number, not a string',
    ),
    (
        "linux.maskedPaths[0]",
        "proc/kcore",
        'linux.maskedPaths[0]: "proc/kcore" is not an absolute path; write it from /',
    ),
    ("linux.readonlyPaths", "/", 'linux.readonlyPaths: "/" is a string, not a list of strings'),
    (
        "linux.rootfsPropagation",
        "slaved",
        'linux.rootfsPropagation: "slaved" is not known; '
        "use one of private, shared, slave, unbindable, rprivate, rshared, rslave, runbindable",
    ),
    (
        "linux.devices[0].path",
        "fuse",
        'linux.devices[0].path: "fuse" is not an absolute path; write it from /',
    ),
    ("linux.devices[0].type", "d", 'linux.devices[0].type: "d" is not known; use one of c, b, u, p'),
    (
        "linux.devices[0].major",
        DELETE,
        "linux.devices[0].major: missing; a device of type c needs major and minor",
    ),
    (
        "linux.devices[0].minor",
        -1,
        "linux.devices[0].minor: -1 is out of range; write a number from 0 to 1048575",
    ),
    ("linux.netDevices.eth0", {}, "linux.netDevices: planc 0.1 does not support netDevices; remove it"),
    ("linux.intelRdt.closID", "a", "linux.intelRdt: planc 0.1 does not support intelRdt; remove it"),
    (
        "linux.memoryPolicy.mode",
        "MPOL_LOCAL",
        "linux.memoryPolicy: planc 0.1 does not support memoryPolicy; remove it",
    ),
    (
        "linux.personality.domain",
        "linux32",
        'linux.personality.domain: "linux32" is not known; use one of LINUX, LINUX32',
    ),
    # seccomp
    (
        "linux.seccomp.defaultAction",
        DELETE,
        "linux.seccomp.defaultAction: missing; an action such as SCMP_ACT_ERRNO is required",
    ),
    (
        "linux.seccomp.syscalls[0].action",
        "ALLOW",
        f'linux.seccomp.syscalls[0].action: "ALLOW" is not known; use one of {ACTIONS}',
    ),
    (
        "linux.seccomp.syscalls[0].names",
        [],
        "linux.seccomp.syscalls[0].names: [] is empty; name at least one system call",
    ),
    (
        "linux.seccomp.syscalls[0].errnoRet",
        1,
        "linux.seccomp.syscalls[0].errnoRet: 1 does not go with SCMP_ACT_ALLOW; "
        "only SCMP_ACT_ERRNO and SCMP_ACT_TRACE have one",
    ),
    (
        "linux.seccomp.syscalls[1].errnoRet",
        4096,
        "linux.seccomp.syscalls[1].errnoRet: 4096 is out of range; write a number from 0 to 4095",
    ),
    (
        "linux.seccomp.syscalls[1].args[0].index",
        6,
        "linux.seccomp.syscalls[1].args[0].index: 6 is out of range; write a number from 0 to 5",
    ),
    (
        "linux.seccomp.flags[0]",
        "TSYNC",
        'linux.seccomp.flags[0]: "TSYNC" is not known; use one of SECCOMP_FILTER_FLAG_TSYNC, '
        "SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ),
    # resources
    (
        "linux.resources.memory.limit",
        "512M",
        'linux.resources.memory.limit: "512M" is a string, not an integer',
    ),
    (
        "linux.resources.memory.limit",
        -2,
        f"linux.resources.memory.limit: -2 is out of range; write {BYTES}",
    ),
    (
        "linux.resources.memory.limit",
        DELETE,
        "linux.resources.memory.limit: missing; "
        "the limit of memory and swap, 536870912, needs a limit of memory too",
    ),
    (
        "linux.resources.memory.swap",
        100,
        "linux.resources.memory.swap: 100 is below the memory limit 536870912; "
        "it is the limit of memory and swap together",
    ),
    (
        "linux.resources.memory.swappiness",
        101,
        "linux.resources.memory.swappiness: 101 is out of range; write a number from 0 to 100",
    ),
    (
        "linux.resources.cpu.period",
        10,
        "linux.resources.cpu.period: 10 is out of range; write microseconds from 1000 to 1000000",
    ),
    (
        "linux.resources.cpu",
        {"quota": 999},
        "linux.resources.cpu.quota: 999 is too small; write at least 1000 microseconds, or -1 for no limit",
    ),
    (
        "linux.resources.cpu.burst",
        1000001,
        "linux.resources.cpu.burst: 1000001 is above the quota 1000000; lower it, or raise quota",
    ),
    (
        "linux.resources.cpu.realtimeRuntime",
        1000001,
        "linux.resources.cpu.realtimeRuntime: 1000001 is above the realtimePeriod 1000000; "
        "lower it, or raise realtimePeriod",
    ),
    (
        "linux.resources.cpu.cpus",
        "3-1",
        'linux.resources.cpu.cpus: "3-1" is not a list; write numbers and ranges as 0-3,7',
    ),
    (
        "linux.resources.cpu.mems",
        "one",
        'linux.resources.cpu.mems: "one" is not a list; write numbers and ranges as 0-3,7',
    ),
    (
        "linux.resources.pids",
        {},
        "linux.resources.pids.limit: missing; a number, or -1 for no limit, is required",
    ),
    (
        "linux.resources.blockIO.weight",
        5,
        "linux.resources.blockIO.weight: 5 is out of range; "
        "write a number from 10 to 1000, or 0 for the default",
    ),
    (
        "linux.resources.blockIO.weightDevice[1].weight",
        DELETE,
        "linux.resources.blockIO.weightDevice[1].weight: missing; this or leafWeight is required",
    ),
    (
        "linux.resources.blockIO.throttleReadBpsDevice[0].rate",
        DELETE,
        "linux.resources.blockIO.throttleReadBpsDevice[0].rate: missing; an integer is required",
    ),
    (
        "linux.resources.hugepageLimits[0].pageSize",
        "2M",
        'linux.resources.hugepageLimits[0].pageSize: "2M" is not a page size; write it as 64KB, 2MB or 1GB',
    ),
    (
        "linux.resources.hugepageLimits[1].pageSize",
        "2MB",
        'linux.resources.hugepageLimits[1].pageSize: "2MB" is already limited by '
        "linux.resources.hugepageLimits[0]; keep one of them",
    ),
    (
        "linux.resources.network.priorities[0].name",
        "",
        'linux.resources.network.priorities[0].name: "" is empty; write the name of an interface',
    ),
    (
        'linux.resources.rdma["rxe-3"]',
        {},
        'linux.resources.rdma["rxe-3"].hcaHandles: missing; this or hcaObjects is required',
    ),
    (
        'linux.resources.unified["a/memory.high"]',
        "5",
        'linux.resources.unified["a/memory.high"]: "a/memory.high" is not a file of a cgroup; '
        "write it as memory.high",
    ),
    (
        "linux.resources.devices[1].access",
        "rx",
        'linux.resources.devices[1].access: "rx" is not an access; write a combination of r, w and m',
    ),
    (
        "linux.resources.devices[1].type",
        "u",
        'linux.resources.devices[1].type: "u" is not known; use one of a, b, c',
    ),
    (
        "linux.resources.devices[1].major",
        -2,
        "linux.resources.devices[1].major: -2 is out of range; write a device number, or -1 for all",
    ),
]


@pytest.mark.parametrize(
    ("path", "value", "line"), BROKEN, ids=[f"{row[0]}={row[1]!r:.30}" for row in BROKEN]
)
def test_broken(path: str, value: Any, line: str) -> None:
    config = full_config()
    edit(config, path, value)
    assert report(config) == f"config.json: {line}"


def test_the_full_config_is_valid() -> None:
    assert report(full_config()) == ""


def without_namespaces(*kinds: str) -> Any:
    config = full_config()
    config["linux"]["namespaces"] = [
        namespace for namespace in config["linux"]["namespaces"] if namespace["type"] not in kinds
    ]
    return config


def test_what_needs_the_user_namespace() -> None:
    config = without_namespaces("user")
    config["linux"]["sysctl"]["user.max_uts_namespaces"] = "5"
    config["mounts"].append(
        {"destination": "/x", "type": "none", "source": "/x", "options": ["bind", "idmap"]}
    )
    assert report(config).splitlines() == [
        'config.json: mounts[3].options[1]: "idmap" needs uidMappings and gidMappings, or a user namespace',
        'config.json: linux.uidMappings: needs a user namespace; add {"type": "user"} to linux.namespaces',
        'config.json: linux.gidMappings: needs a user namespace; add {"type": "user"} to linux.namespaces',
        'config.json: linux.sysctl["user.max_uts_namespaces"]: belongs to the user namespace; '
        'add {"type": "user"} to linux.namespaces',
    ]


def test_what_needs_the_other_namespaces() -> None:
    config = without_namespaces("uts", "mount", "ipc", "network")
    assert report(config).splitlines() == [
        'config.json: hostname: "box" needs a UTS namespace; add {"type": "uts"} to linux.namespaces',
        'config.json: domainname: "example.org" needs a UTS namespace; '
        'add {"type": "uts"} to linux.namespaces',
        'config.json: linux.sysctl["net.ipv4.ip_forward"]: belongs to the network namespace; '
        'add {"type": "network"} to linux.namespaces',
        'config.json: linux.sysctl["kernel.shmmax"]: belongs to the ipc namespace; '
        'add {"type": "ipc"} to linux.namespaces',
        'config.json: linux.maskedPaths: needs a mount namespace; add {"type": "mount"} to linux.namespaces',
        "config.json: linux.readonlyPaths: needs a mount namespace; "
        'add {"type": "mount"} to linux.namespaces',
    ]


def test_unreadable_namespaces_are_one_problem_only() -> None:
    config = full_config()
    config["linux"]["namespaces"] = "all"
    assert report(config) == 'config.json: linux.namespaces: "all" is a string, not a list of objects'
    config["linux"] = 5
    assert report(config) == "config.json: linux: 5 is a number, not an object"


def test_without_linux_there_is_no_namespace() -> None:
    config = full_config()
    del config["linux"]
    del config["domainname"]
    assert report(config) == (
        'config.json: hostname: "box" needs a UTS namespace; add {"type": "uts"} to linux.namespaces'
    )


def test_seccomp_notify() -> None:
    config = full_config()
    seccomp = config["linux"]["seccomp"]
    seccomp["listenerPath"] = ""
    seccomp["defaultAction"] = "SCMP_ACT_NOTIFY"
    del seccomp["defaultErrnoRet"]
    assert report(config).splitlines() == [
        'config.json: linux.seccomp.defaultAction: "SCMP_ACT_NOTIFY" cannot be the default; '
        "give it to single system calls",
        "config.json: linux.seccomp.listenerPath: missing; "
        "SCMP_ACT_NOTIFY needs the path of the agent's socket",
    ]
    seccomp["defaultAction"] = "SCMP_ACT_ALLOW"
    del seccomp["syscalls"]
    assert report(config) == (
        "config.json: linux.seccomp.listenerPath: missing; "
        "listenerMetadata needs the path of the agent's socket"
    )


def test_errno_of_trace_has_16_bits() -> None:
    config = full_config()
    syscall = config["linux"]["seccomp"]["syscalls"][1]
    syscall["action"] = "SCMP_ACT_TRACE"
    syscall["errnoRet"] = 65535
    assert report(config) == ""
    syscall["errnoRet"] = 65536
    assert report(config) == (
        "config.json: linux.seccomp.syscalls[1].errnoRet: 65536 is out of range; "
        "write a number from 0 to 65535"
    )


def test_too_many_mappings() -> None:
    config = full_config()
    config["linux"]["uidMappings"] = [
        {"containerID": number, "hostID": 1000 + number, "size": 1} for number in range(341)
    ]
    assert report(config) == "config.json: linux.uidMappings: 341 mappings are too many; the kernel takes 340"


def test_both_bounds_of_a_deadline() -> None:
    config = full_config()
    config["process"]["scheduler"] = {"policy": "SCHED_DEADLINE", "runtime": 0}
    assert report(config).splitlines() == [
        "config.json: process.scheduler.runtime: 0 is too small; "
        "SCHED_DEADLINE needs a number of nanoseconds",
        "config.json: process.scheduler.deadline: missing; SCHED_DEADLINE needs a number of nanoseconds",
    ]


def test_without_root() -> None:
    assert report(full_config(), rootless=True) == ""
    config = without_namespaces("user")
    del config["linux"]["uidMappings"], config["linux"]["gidMappings"]
    assert report(config) == ""
    assert report(config, rootless=True) == (
        "config.json: linux.namespaces: without root a container needs a user namespace; "
        'add {"type": "user"}, '
        "uidMappings and gidMappings, as planc spec --rootless does"
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("ociVersion", "1.0.2-dev"),
        ("ociVersion", "1.0.0"),
        ("ociVersion", "1.9.0+build.7"),
        ("ociVersion", "1.0.0-rc1+a"),
        ("hostname", ""),
        ("process.args[0]", ""),
        ("process.env[1]", "A=b=c"),
        ("process.terminal", False),
        ("process.user", {}),
        ("process.rlimits[0].hard", 2**64 - 1),
        ("process.scheduler", {"policy": "SCHED_FIFO", "priority": 99}),
        ("process.scheduler", {"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 0}),
        ("process.ioPriority", {"class": "IOPRIO_CLASS_IDLE"}),
        ("linux.devices[0].fileMode", 0o20666),
        ("linux.rootfsPropagation", "rslave"),
        ('linux.sysctl["net/ipv4/conf/eth0.1/forwarding"]', "1"),
        ('linux.sysctl["fs.mqueue.msg_max"]', "1"),
        ('linux.sysctl["user.max_uts_namespaces"]', "1"),
        ("linux.resources.memory", {"limit": -1, "swap": -1}),
        ("linux.resources.memory", {"limit": 0, "swap": 0, "kernel": 0, "reservation": 0}),
        ("linux.resources.cpu", {"shares": 0, "quota": 0, "period": 0}),
        ("linux.resources.cpu", {"quota": -1, "burst": 5}),
        ("linux.resources.cpu.cpus", "0-1,3, 5"),
        ("linux.resources.cpu.cpus", ""),
        ("linux.resources.blockIO", {"weight": 0}),
        ("linux.resources.pids.limit", 0),
        ("linux.resources.devices[0]", {"allow": False, "type": "", "major": -1, "minor": -1, "access": ""}),
        ("linux.memoryPolicy", None),
        ("mounts[2].options", ["bind", "idmap"]),
        ("somethingNew", {"a": [1]}),
        ("linux.seccomp.syscalls[0].comment", "why"),
        ("windows", 5),
    ],
)
def test_valid(path: str, value: Any) -> None:
    config = full_config()
    edit(config, path, value)
    assert report(config) == ""


def test_size_is_ignored_without_terminal() -> None:
    config = full_config()
    config["process"]["consoleSize"]["width"] = 70000
    config["process"]["terminal"] = False
    assert report(config) == ""


def test_warnings() -> None:
    config = full_config()
    config["process"]["capabilities"]["ambient"] = ["CAP_KILL", "CAP_FLY", "cap_kill"]
    config["linux"]["personality"]["flags"] = ["X"]
    config["mounts"][0]["destination"] = "proc"
    config["linux"]["namespaces"][5]["path"] = "/proc/1/ns/user"
    spec, problems = decode_spec(config)
    assert problems + validate(spec) == []
    assert spec.warnings == [
        'mounts[0].destination: "proc" is not absolute and counts from /',
        'process.capabilities.ambient[1]: "CAP_FLY" is not a known capability and is ignored',
        'process.capabilities.ambient[2]: "cap_kill" is not a known capability and is ignored',
        'linux.uidMappings: ignored, since the user namespace is "/proc/1/ns/user"',
        'linux.gidMappings: ignored, since the user namespace is "/proc/1/ns/user"',
        "linux.personality.flags: there are no flags yet, they are ignored",
    ]


def test_process_alone() -> None:
    process, problems = decode_process(
        {"args": ["sh"], "cwd": "tmp", "capabilities": {"bounding": ["X"]}}, ""
    )
    assert problems == []
    warnings: list[str] = []
    found = validate_process(process, "", warnings)
    assert [str(problem) for problem in found] == ['cwd: "tmp" is not an absolute path; write it from /']
    assert warnings == ['capabilities.bounding[0]: "X" is not a known capability and is ignored']
    assert [problem.path for problem in validate_process(process)] == ["process.cwd"]


def test_an_update_may_leave_out_what_is_set() -> None:
    resources, problems = decode_resources({"memory": {"swap": 5}}, "")
    assert problems == []
    assert validate_resources(resources, "", update=True) == []
    assert [str(problem) for problem in validate_resources(resources)] == [
        "linux.resources.memory.limit: missing; the limit of memory and swap, 5, needs a limit of memory too"
    ]
    resources, problems = decode_resources({"memory": {"limit": 6, "swap": 5}})
    assert len(validate_resources(resources, update=True)) == 1
