"""Broken configs, bundles, ids and flags: what goes in, and which words must come out.

`exact` is what planc says, word by word: of a config or bundle one line per problem, without the "config.json: " before
each; of a call the whole line. {id}, {bundle} and {root} stand for the test's own; a pattern is for what depends on the
host. `words` are also asked of the old runc; `old_runc` says what runc 1.1 does that the spec or planc does otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple


class Delete:
    """Marks a property that a case removes."""


DELETE = Delete()


class BadConfig(NamedTuple):
    """A config.json that differs from a good one at `changes`: dotted path → value."""

    name: str
    changes: dict[str, Any]
    words: Sequence[str]
    exact: str | re.Pattern[str]
    old_runc: str | None = None
    controller: str | None = None
    """What the machine must have: without it that is the message."""


class BadBundle(NamedTuple):
    """A config.json of these bytes (None: none at all)."""

    name: str
    content: bytes | None
    words: Sequence[str]
    exact: str | re.Pattern[str]
    old_runc: str | None = None


class BadCall(NamedTuple):
    """A command line; {id}, {bundle} and {root} are filled in."""

    name: str
    argv: Sequence[str]
    words: Sequence[str]
    exact: str | re.Pattern[str]
    code: int = 1
    old_runc: str | None = None


LAX = "this check"

CONFIGS = [
    # the document
    BadConfig(
        "no version",
        {"ociVersion": DELETE},
        ["ociVersion"],
        "ociVersion: missing; a version such as 1.3.0 is required",
        old_runc=LAX,
    ),
    BadConfig(
        "version is a number", {"ociVersion": 1}, ["ociVersion"], "ociVersion: 1 is a number, not a string"
    ),
    BadConfig(
        "version 2",
        {"ociVersion": "2.0.0"},
        ["ociVersion", "2.0.0"],
        'ociVersion: "2.0.0" is not supported; planc reads versions 1.0 to 1.3, and later 1.x',
        old_runc=LAX,
    ),
    BadConfig(
        "version is no version",
        {"ociVersion": "latest"},
        ["ociVersion", "latest"],
        'ociVersion: "latest" is not a version; write it like 1.3.0',
        old_runc=LAX,
    ),
    BadConfig(
        "no root",
        {"root": DELETE},
        ["root"],
        "root: missing; an object with the path of the root file system is required",
    ),
    BadConfig("root is a string", {"root": "rootfs"}, ["root"], 'root: "rootfs" is a string, not an object'),
    BadConfig(
        "root without path",
        {"root": {}},
        ["root.path"],
        "root.path: missing; the path of the root file system is required",
    ),
    BadConfig(
        "root path is empty",
        {"root.path": ""},
        ["root.path"],
        'root.path: "" is empty; write the path of a directory, such as rootfs',
    ),
    BadConfig(
        "root path is missing",
        {"root.path": "nowhere"},
        ["root", "nowhere"],
        'root.path: "nowhere" is {bundle}/nowhere: no such file or directory; make it, or write '
        "the path of another",
    ),
    BadConfig(
        "root path is a file",
        {"root.path": "config.json"},
        ["root"],
        'root.path: "config.json" is {bundle}/config.json, which is not a directory; write the '
        "path of a directory",
    ),
    BadConfig(
        "readonly is a string",
        {"root.readonly": "yes"},
        ["root.readonly"],
        'root.readonly: "yes" is a string, not true or false',
    ),
    BadConfig("hostname is a number", {"hostname": 5}, ["hostname"], "hostname: 5 is a number, not a string"),
    BadConfig(
        "hostname too long",
        {"hostname": "h" * 65},
        ["hostname"],
        'hostname: "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh" is too '
        "long; the kernel takes 64 bytes",
    ),
    BadConfig(
        "annotations is a list",
        {"annotations": ["a"]},
        ["annotations"],
        'annotations: ["a"] is a list, not an object of strings',
    ),
    BadConfig(
        "annotation is a number",
        {"annotations": {"key": 1}},
        ["annotations", "key"],
        "annotations.key: 1 is a number, not a string",
    ),
    # process
    BadConfig(
        "no process",
        {"process": DELETE},
        ["process"],
        "process: missing; an object with at least args and cwd is required",
    ),
    BadConfig(
        "process is a string", {"process": "sh"}, ["process"], 'process: "sh" is a string, not an object'
    ),
    BadConfig(
        "no args",
        {"process.args": DELETE},
        ["process.args"],
        "process.args: missing; a list of strings, the program first, is required",
    ),
    BadConfig(
        "empty args",
        {"process.args": []},
        ["process.args"],
        "process.args: [] is empty; write the program and its arguments",
    ),
    BadConfig(
        "args is a string",
        {"process.args": "sh"},
        ["process.args"],
        'process.args: "sh" is a string, not a list of strings',
    ),
    BadConfig(
        "arg is a number",
        {"process.args": ["echo", 1]},
        ["process.args[1]"],
        "process.args[1]: 1 is a number, not a string",
    ),
    BadConfig(
        "arg with NUL",
        {"process.args": ["echo", "a\0b"]},
        ["process.args[1]"],
        'process.args[1]: "a\\u0000b" contains a NUL character; leave it out',
        old_runc=LAX,
    ),
    BadConfig(
        "no cwd",
        {"process.cwd": DELETE},
        ["process.cwd"],
        "process.cwd: missing; an absolute path is required",
    ),
    BadConfig(
        "empty cwd",
        {"process.cwd": ""},
        ["process.cwd"],
        'process.cwd: "" is not an absolute path; write it from /',
    ),
    BadConfig(
        "relative cwd",
        {"process.cwd": "tmp"},
        ["process.cwd", "tmp"],
        'process.cwd: "tmp" is not an absolute path; write it from /',
    ),
    BadConfig(
        "cwd is a file",
        {"process.cwd": "/etc/passwd"},
        ["/etc/passwd", "not a directory"],
        "process.cwd: make the working directory /etc/passwd: ENOTDIR: not a directory; write "
        "the path of a directory in the container",
    ),
    BadConfig(
        "env is an object",
        {"process.env": {"A": "b"}},
        ["process.env"],
        'process.env: {"A": "b"} is an object, not a list of strings',
    ),
    BadConfig(
        "env without =",
        {"process.env": ["PATH=/bin", "NOVALUE"]},
        ["process.env[1]", "NOVALUE"],
        'process.env[1]: "NOVALUE" has no =; write NAME=value',
    ),
    BadConfig(
        "env is a number",
        {"process.env": [7]},
        ["process.env[0]"],
        "process.env[0]: 7 is a number, not a string",
    ),
    BadConfig(
        "env with NUL",
        {"process.env": ["A=b\0c"]},
        ["process.env[0]"],
        'process.env[0]: "A=b\\u0000c" contains a NUL character; leave it out',
    ),
    BadConfig(
        "terminal is a string",
        {"process.terminal": "yes"},
        ["process.terminal"],
        'process.terminal: "yes" is a string, not true or false',
    ),
    BadConfig(
        "uid is a string",
        {"process.user.uid": "root"},
        ["process.user.uid"],
        'process.user.uid: "root" is a string, not an integer',
    ),
    BadConfig(
        "uid is negative",
        {"process.user.uid": -1},
        ["process.user.uid"],
        "process.user.uid: -1 is out of range; write a number from 0 to 4294967295",
    ),
    BadConfig(
        "uid is too large",
        {"process.user.uid": 1 << 32},
        ["process.user.uid"],
        "process.user.uid: 4294967296 is out of range; write a number from 0 to 4294967295",
    ),
    BadConfig(
        "uid is a fraction",
        {"process.user.uid": 1.5},
        ["process.user.uid"],
        "process.user.uid: 1.5 is not an integer; write it without fraction and exponent",
    ),
    BadConfig(
        "gids is a number",
        {"process.user.additionalGids": 5},
        ["process.user.additionalGids"],
        "process.user.additionalGids: 5 is a number, not a list of integers",
    ),
    BadConfig(
        "gid in list is negative",
        {"process.user.additionalGids": [1, -5]},
        ["additionalGids[1]"],
        "process.user.additionalGids[1]: -5 is out of range; write a number from 0 to 4294967295",
    ),
    BadConfig(
        "umask is negative",
        {"process.user.umask": -1},
        ["process.user.umask"],
        "process.user.umask: -1 is out of range; write a number from 0 to 511",
    ),
    BadConfig(
        "capabilities is a list",
        {"process.capabilities": ["CAP_KILL"]},
        ["process.capabilities"],
        'process.capabilities: ["CAP_KILL"] is a list, not an object',
    ),
    BadConfig(
        "bounding is a string",
        {"process.capabilities.bounding": "all"},
        ["process.capabilities.bounding"],
        'process.capabilities.bounding: "all" is a string, not a list of strings',
    ),
    BadConfig(
        "unknown rlimit",
        {"process.rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]},
        ["process.rlimits[0].type", "RLIMIT_X"],
        'process.rlimits[0].type: "RLIMIT_X" is not known; use one of RLIMIT_AS, RLIMIT_CORE, '
        "RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, "
        "RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO, RLIMIT_RTTIME, "
        "RLIMIT_SIGPENDING, RLIMIT_STACK",
    ),
    BadConfig(
        "rlimit without hard",
        {"process.rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1}]},
        ["process.rlimits[0].hard"],
        "process.rlimits[0].hard: missing; an integer is required",
    ),
    BadConfig(
        "rlimit soft above hard",
        {"process.rlimits": [{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 5}]},
        ["process.rlimits[0]"],
        "process.rlimits[0].soft: 9 is above the hard limit 5; lower it, or raise hard",
    ),
    BadConfig(
        "duplicate rlimits",
        {"process.rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}] * 2},
        ["process.rlimits[1]", "RLIMIT_CORE"],
        'process.rlimits[1].type: "RLIMIT_CORE" is already set by process.rlimits[0]; keep one of them',
        old_runc=LAX,
    ),
    BadConfig(
        "noNewPrivileges is a number",
        {"process.noNewPrivileges": 1},
        ["process.noNewPrivileges"],
        "process.noNewPrivileges: 1 is a number, not true or false",
    ),
    BadConfig(
        "oomScoreAdj too large",
        {"process.oomScoreAdj": 1001},
        ["process.oomScoreAdj"],
        "process.oomScoreAdj: 1001 is out of range; write a number from -1000 to 1000",
    ),
    BadConfig(
        "scheduler without policy",
        {"process.scheduler": {"nice": 1}},
        ["process.scheduler"],
        "process.scheduler.policy: missing; a policy such as SCHED_OTHER is required",
        old_runc=LAX,
    ),
    BadConfig(
        "unknown scheduler",
        {"process.scheduler": {"policy": "SCHED_X"}},
        ["process.scheduler.policy"],
        'process.scheduler.policy: "SCHED_X" is not known; use one of SCHED_OTHER, SCHED_FIFO, '
        "SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE",
        old_runc=LAX,
    ),
    BadConfig(
        "nice out of range",
        {"process.scheduler": {"policy": "SCHED_OTHER", "nice": 40}},
        ["process.scheduler.nice"],
        "process.scheduler.nice: 40 is out of range; write a number from -20 to 19",
        old_runc=LAX,
    ),
    BadConfig(
        "unknown I/O class",
        {"process.ioPriority": {"class": "IOPRIO_X"}},
        ["process.ioPriority.class"],
        'process.ioPriority.class: "IOPRIO_X" is not known; use one of IOPRIO_CLASS_RT, '
        "IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE",
        old_runc=LAX,
    ),
    BadConfig(
        "I/O priority out of range",
        {"process.ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 9}},
        ["process.ioPriority.priority"],
        "process.ioPriority.priority: 9 is out of range; write a number from 0 to 7",
        old_runc=LAX,
    ),
    BadConfig(
        "consoleSize is a list",
        {"process.consoleSize": [24, 80]},
        ["process.consoleSize"],
        "process.consoleSize: [24, 80] is a list, not an object",
    ),
    BadConfig(
        "AppArmor, not there yet",
        {"process.apparmorProfile": "some-profile"},
        ["apparmor"],
        'process.apparmorProfile: "some-profile": planc 0.1 does not support AppArmor; remove it',
    ),
    BadConfig(
        "SELinux, not there yet",
        {"process.selinuxLabel": "system_u:x:y:s0"},
        ["selinux"],
        'process.selinuxLabel: "system_u:x:y:s0": planc 0.1 does not support SELinux; remove it',
    ),
    BadConfig(
        "CPU affinity, not there yet",
        {"process.execCPUAffinity": {"initial": "0"}},
        ["process.execCPUAffinity"],
        "process.execCPUAffinity: planc 0.1 does not support execCPUAffinity; remove it",
        old_runc=LAX,
    ),
    # mounts
    BadConfig(
        "mounts is an object", {"mounts": {}}, ["mounts"], "mounts: {} is an object, not a list of objects"
    ),
    BadConfig(
        "mount without destination",
        {"mounts[6]": {"type": "tmpfs"}},
        ["mounts[6].destination"],
        "mounts[6].destination: missing; an absolute path is required",
    ),
    BadConfig(
        "mount destination is a number",
        {"mounts[6]": {"destination": 1}},
        ["mounts[6].destination"],
        "mounts[6].destination: 1 is a number, not a string",
    ),
    BadConfig(
        "mount options is a string",
        {"mounts[6]": {"destination": "/x", "type": "tmpfs", "options": "ro"}},
        ["mounts[6].options"],
        'mounts[6].options: "ro" is a string, not a list of strings',
    ),
    BadConfig(
        "unknown file system",
        {"mounts[6]": {"destination": "/x", "type": "nofs", "source": "x"}},
        ["/x", "no such device"],
        "mounts[6]: mount nofs on /x: the kernel knows no such file system: ENODEV: no such "
        "device; load its module, or write a type that /proc/filesystems has",
    ),
    BadConfig(
        "unknown mount option",
        {"mounts[6]": {"destination": "/x", "type": "tmpfs", "source": "x", "options": ["nonsense"]}},
        ["/x", "invalid argument"],
        re.compile(
            r"mounts\[6\]: mount tmpfs on /x: option nonsense: (tmpfs: Unknown parameter 'nonsense': )?"
            r"EINVAL: invalid argument"
        ),
    ),
    BadConfig(
        "bind source missing",
        {"mounts[6]": {"destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"]}},
        ["/no/such", "no such file or directory"],
        "mounts[6]: open the mount tree of /no/such: ENOENT: no such file or directory; the "
        "source must exist on the host before the container is created",
    ),
    BadConfig(
        "bind without source",
        {"mounts[6]": {"destination": "/x", "type": "bind", "options": ["bind"]}},
        ["mounts[6].source"],
        "mounts[6].source: missing; a bind mount needs the path of what to bind",
        old_runc=LAX,
    ),
    BadConfig(
        "tmpfs on /proc/sys",
        {"mounts[6]": {"destination": "/proc/sys", "type": "tmpfs", "source": "t"}},
        ["/proc/sys"],
        "mounts[6].destination: /proc/sys cannot be mounted because it is inside /proc; only "
        "these may be covered: /proc/cpuinfo, /proc/diskstats, /proc/loadavg, /proc/meminfo, "
        "/proc/slabinfo, /proc/stat, /proc/swaps, /proc/sys/crypto/fips_enabled, "
        "/proc/sys/kernel/ns_last_pid, /proc/uptime",
        old_runc=LAX,
    ),
    BadConfig(
        "mount on /",
        {"mounts[6]": {"destination": "/", "type": "tmpfs", "source": "t"}},
        ["mounts[6]"],
        'mounts[6].destination: "/" is the root file system itself; set root.path and root.readonly instead',
    ),
    BadConfig(
        "id mapping without gid mapping",
        {
            "mounts[6]": {
                "destination": "/x",
                "type": "bind",
                "source": "/tmp",
                "options": ["bind", "idmap"],
                "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}],
            }
        },
        ["mounts[6].gidMappings"],
        "mounts[6].gidMappings: missing; uidMappings is there: write both, or neither",
        old_runc=LAX,
    ),
    # hooks
    BadConfig("hooks is a list", {"hooks": []}, ["hooks"], "hooks: [] is a list, not an object"),
    BadConfig(
        "hook kind is an object",
        {"hooks": {"prestart": {"path": "/bin/true"}}},
        ["hooks.prestart"],
        'hooks.prestart: {"path": "/bin/true"} is an object, not a list of objects',
    ),
    BadConfig(
        "hook without path",
        {"hooks": {"poststop": [{}]}},
        ["hooks.poststop[0].path"],
        "hooks.poststop[0].path: missing; an absolute path is required",
        old_runc=LAX,
    ),
    BadConfig(
        "relative hook",
        {"hooks": {"prestart": [{"path": "true"}]}},
        ["hooks.prestart[0].path"],
        'hooks.prestart[0].path: "true" is not an absolute path; write it from /',
    ),
    BadConfig(
        "hook timeout 0",
        {"hooks": {"prestart": [{"path": "/bin/true", "timeout": 0}]}},
        ["hooks.prestart[0].timeout"],
        "hooks.prestart[0].timeout: 0 is out of range; write a number from 1 to 9223372036854775807",
        old_runc=LAX,
    ),
    BadConfig(
        "missing hook",
        {"hooks": {"prestart": [{"path": "/no/such"}]}},
        ["/no/such", "no such file or directory"],
        "hooks.prestart[0]: prestart hook: /no/such: ENOENT: no such file or directory; hooks "
        "are programs of the host",
    ),
    # linux
    BadConfig("linux is a list", {"linux": []}, ["linux"], "linux: [] is a list, not an object"),
    BadConfig(
        "namespaces is an object",
        {"linux.namespaces": {}},
        ["linux.namespaces"],
        "linux.namespaces: {} is an object, not a list of objects",
    ),
    BadConfig(
        "unknown namespace",
        {"linux.namespaces[5]": {"type": "nonsense"}},
        ["linux.namespaces[5].type", "nonsense"],
        'linux.namespaces[5].type: "nonsense" is not known; use one of mount, pid, network, uts, '
        "ipc, user, cgroup, time",
    ),
    BadConfig(
        "duplicate namespace",
        {"linux.namespaces[5]": {"type": "pid"}},
        ["linux.namespaces[5]", "pid"],
        'linux.namespaces[5].type: "pid" is a duplicate of linux.namespaces[0]; keep one of them',
    ),
    BadConfig(
        "namespace path missing",
        {"linux.namespaces[0]": {"type": "pid", "path": "/no/such"}},
        ["/no/such"],
        'linux.namespaces[0]: open namespace path "/no/such": ENOENT: no such file or directory; '
        "the process it belonged to may have ended",
    ),
    BadConfig(
        "namespace path of another type",
        {"linux.namespaces[1]": {"type": "network", "path": "/proc/self/ns/uts"}},
        ["linux.namespaces[1]"],
        'linux.namespaces[1]: namespace path "/proc/self/ns/uts" is a uts namespace, not a '
        "network namespace: EINVAL: invalid argument",
    ),
    BadConfig(
        "hostname without uts namespace",
        {"linux.namespaces[3]": {"type": "cgroup"}},
        ["hostname", "uts"],
        'hostname: "container" needs a UTS namespace; add {"type": "uts"} to linux.namespaces',
    ),
    BadConfig(
        "mappings without user namespace",
        {"linux.uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]},
        ["linux.uidMappings"],
        'linux.uidMappings: needs a user namespace; add {"type": "user"} to linux.namespaces',
        old_runc=LAX,
    ),
    BadConfig(
        "user namespace without mappings",
        {"linux.namespaces[5]": {"type": "user"}},
        ["mapping"],
        "linux.uidMappings: missing; a new user namespace needs at least one mapping\n"
        "linux.gidMappings: missing; a new user namespace needs at least one mapping",
    ),
    BadConfig(
        "time offsets without time namespace",
        {"linux.timeOffsets": {"boottime": {"secs": 1}}},
        ["linux.timeOffsets"],
        'linux.timeOffsets: needs a time namespace; add {"type": "time"} to linux.namespaces',
        old_runc=LAX,
    ),
    BadConfig(
        "unknown propagation",
        {"linux.rootfsPropagation": "sideways"},
        ["linux.rootfsPropagation", "sideways"],
        'linux.rootfsPropagation: "sideways" is not known; use one of private, shared, slave, '
        "unbindable, rprivate, rshared, rslave, runbindable",
    ),
    BadConfig(
        "masked path is relative",
        {"linux.maskedPaths": ["proc"]},
        ["linux.maskedPaths[0]"],
        'linux.maskedPaths[0]: "proc" is not an absolute path; write it from /',
        old_runc=LAX,
    ),
    BadConfig(
        "cgroupsPath is a number",
        {"linux.cgroupsPath": 7},
        ["linux.cgroupsPath"],
        "linux.cgroupsPath: 7 is a number, not a string",
    ),
    BadConfig(
        "sysctl of the host",
        {"linux.sysctl": {"vm.swappiness": "1"}},
        ["sysctl", "vm.swappiness"],
        'linux.sysctl["vm.swappiness"]: is not namespaced and would change the host; remove it, '
        "or set it on the host with sysctl(8)",
    ),
    BadConfig(
        "sysctl is a number",
        {"linux.sysctl": {"net.ipv4.ip_forward": 1}},
        ["linux.sysctl", "ip_forward"],
        'linux.sysctl["net.ipv4.ip_forward"]: 1 is a number, not a string',
    ),
    BadConfig(
        "unknown device type",
        {"linux.devices": [{"path": "/dev/x", "type": "z"}]},
        ["linux.devices[0].type"],
        'linux.devices[0].type: "z" is not known; use one of c, b, u, p',
    ),
    BadConfig(
        "device without path",
        {"linux.devices": [{"type": "p"}]},
        ["linux.devices[0].path"],
        "linux.devices[0].path: missing; an absolute path is required",
        old_runc=LAX,
    ),
    BadConfig(
        "personality",
        {"linux.personality": {"domain": "X"}},
        ["linux.personality.domain"],
        'linux.personality.domain: "X" is not known; use one of LINUX, LINUX32',
        old_runc=LAX,
    ),
    BadConfig(
        "unknown seccomp action",
        {"linux.seccomp": {"defaultAction": "X"}},
        ["linux.seccomp.defaultAction"],
        'linux.seccomp.defaultAction: "X" is not known; use one of SCMP_ACT_KILL, '
        "SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, "
        "SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY",
    ),
    BadConfig(
        "seccomp without action",
        {"linux.seccomp": {"syscalls": []}},
        ["linux.seccomp.defaultAction"],
        "linux.seccomp.defaultAction: missing; an action such as SCMP_ACT_ERRNO is required",
        old_runc=LAX,
    ),
    BadConfig(
        "unknown architecture",
        {"linux.seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X"]}},
        ["linux.seccomp.architectures[0]"],
        'linux.seccomp.architectures[0]: "SCMP_ARCH_X" is not known; use one of SCMP_ARCH_X86, '
        "SCMP_ARCH_X86_64, SCMP_ARCH_X32, SCMP_ARCH_ARM, SCMP_ARCH_AARCH64, "
        "SCMP_ARCH_LOONGARCH64, SCMP_ARCH_M68K, SCMP_ARCH_MIPS, SCMP_ARCH_MIPS64, "
        "SCMP_ARCH_MIPS64N32, SCMP_ARCH_MIPSEL, SCMP_ARCH_MIPSEL64, SCMP_ARCH_MIPSEL64N32, "
        "SCMP_ARCH_PPC, SCMP_ARCH_PPC64, SCMP_ARCH_PPC64LE, SCMP_ARCH_S390, SCMP_ARCH_S390X, "
        "SCMP_ARCH_SH, SCMP_ARCH_SHEB, SCMP_ARCH_PARISC, SCMP_ARCH_PARISC64, SCMP_ARCH_RISCV64",
    ),
    BadConfig(
        "seccomp argument index",
        {
            "linux.seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [
                    {
                        "names": ["mkdir"],
                        "action": "SCMP_ACT_ERRNO",
                        "args": [{"index": 9, "value": 1, "op": "SCMP_CMP_EQ"}],
                    }
                ],
            }
        },
        ["linux.seccomp.syscalls[0].args[0].index"],
        "linux.seccomp.syscalls[0].args[0].index: 9 is out of range; write a number from 0 to 5",
    ),
    BadConfig(
        "intelRdt, not there yet",
        {"linux.intelRdt": {"closID": "x"}},
        ["linux.intelRdt"],
        "linux.intelRdt: planc 0.1 does not support intelRdt; remove it",
        old_runc=LAX,
    ),
    BadConfig(
        "memory policy, not there yet",
        {"linux.memoryPolicy": {"mode": "MPOL_DEFAULT"}},
        ["linux.memoryPolicy"],
        "linux.memoryPolicy: planc 0.1 does not support memoryPolicy; remove it",
        old_runc=LAX,
    ),
    BadConfig(
        "net devices, not there yet",
        {"linux.netDevices": {"eth0": {}}},
        ["linux.netDevices"],
        "linux.netDevices: planc 0.1 does not support netDevices; remove it",
        old_runc=LAX,
    ),
    BadConfig(
        "memory limit is a string",
        {"linux.resources": {"memory": {"limit": "1g"}}},
        ["linux.resources.memory.limit"],
        'linux.resources.memory.limit: "1g" is a string, not an integer',
    ),
    BadConfig(
        "shares are negative",
        {"linux.resources": {"cpu": {"shares": -1}}},
        ["linux.resources.cpu.shares"],
        "linux.resources.cpu.shares: -1 is out of range; write a number from 0 to 18446744073709551615",
    ),
    BadConfig(
        "swap below limit",
        {"linux.resources": {"memory": {"limit": 1 << 30, "swap": 1 << 20}}},
        ["memory.swap"],
        "linux.resources.memory.swap: 1048576 is below the memory limit 1073741824; it is the "
        "limit of memory and swap together",
    ),
    BadConfig(
        "pids without limit",
        {"linux.resources": {"pids": {}}},
        ["linux.resources.pids.limit"],
        "linux.resources.pids.limit: missing; a number, or -1 for no limit, is required",
        old_runc=LAX,
    ),
    BadConfig(
        "device rule without allow",
        {"linux.resources": {"devices": [{"access": "rwm"}]}},
        ["linux.resources.devices[0].allow"],
        "linux.resources.devices[0].allow: missing; true or false is required",
        old_runc=LAX,
    ),
    BadConfig(
        "device access letters",
        {"linux.resources": {"devices": [{"allow": True, "access": "xyz"}]}},
        ["linux.resources.devices[0].access"],
        'linux.resources.devices[0].access: "xyz" is not an access; write a combination of r, w and m',
        old_runc=LAX,
    ),
    BadConfig(
        "huge page size",
        {"linux.resources": {"hugepageLimits": [{"pageSize": "3KB", "limit": 1}]}},
        ["linux.resources.hugepageLimits[0].pageSize"],
        re.compile(
            r'linux\.resources\.hugepageLimits\[0\]\.pageSize: "3KB" is not a huge page size of this host; '
            r"it has (none|[0-9]+[KMG]B(, [0-9]+[KMG]B)*)"
        ),
        controller="hugetlb",
    ),
]

BUNDLES = [
    BadBundle(
        "no config.json",
        None,
        ["config.json"],
        "there is no {bundle}/config.json; a bundle is a directory with a config.json, which "
        "planc spec writes",
    ),
    BadBundle("empty", b"", ["config.json"], "not JSON: line 1, column 1: the document is empty"),
    BadBundle(
        "not JSON",
        b"ociVersion: 1.0.2\n",
        ["config.json"],
        'not JSON: line 1, column 1: expecting a value, not "o"',
    ),
    BadBundle(
        "cut off",
        b'{"ociVersion": "1.0.2", "root": {',
        ["config.json"],
        "not JSON: line 1, column 34: the text ends too early",
    ),
    BadBundle(
        "trailing text",
        b'{"ociVersion": "1.0.2"} x',
        ["config.json"],
        "not JSON: line 1, column 25: unexpected text after the JSON document",
    ),
    BadBundle(
        "trailing comma",
        b'{"ociVersion": "1.0.2",}',
        ["config.json"],
        "not JSON: line 1, column 23: leave out the comma before }",
    ),
    BadBundle("an array", b"[]", ["config.json"], "[] is a list, not an object"),
    BadBundle("a string", b'"config"', ["config.json"], '"config" is a string, not an object'),
    BadBundle("null", b"null", ["config.json"], "null is not an object"),
    BadBundle(
        "an empty object",
        b"{}",
        ["ociVersion"],
        "ociVersion: missing; a version such as 1.3.0 is required\nprocess: missing; an object "
        "with at least args and cwd is required\nroot: missing; an object with the path of the "
        "root file system is required",
    ),
    BadBundle(
        "not UTF-8",
        b'{"ociVersion": "1.0.2", "hostname": "\xff\xfe"}',
        ["config.json"],
        "not UTF-8: line 1 has the byte 0xff; save the file as UTF-8",
    ),
    BadBundle(
        "UTF-16",
        '{"ociVersion": "1.0.2"}'.encode("utf-16"),
        ["config.json"],
        "not UTF-8: line 1 has the byte 0xff; save the file as UTF-8",
    ),
    BadBundle(
        "NUL bytes",
        bytes(1000),
        ["config.json"],
        'not JSON: line 1, column 1: expecting a value, not "\\u0000"',
    ),
    BadBundle("deeply nested", b"[" * 100_000, ["config.json"], "not JSON: nested too deeply"),
    BadBundle("deeply nested object", b'{"a":' * 100_000, ["config.json"], "not JSON: nested too deeply"),
    BadBundle(
        "NaN",
        b'{"ociVersion": "1.0.2", "process": {"user": {"uid": NaN}}}',
        ["config.json"],
        "not JSON: line 1, column 53: NaN is not a number of JSON",
    ),
    BadBundle(
        "a number of 5000 digits",
        b'{"ociVersion": ' + b"9" * 5000 + b"}",
        ["config.json"],
        "not JSON: line 1, column 16: this number has too many digits",
    ),
    BadBundle(
        "enormous",
        b'{"annotations": {"a": "' + b"x" * (40 << 20) + b'"}}',
        ["config.json"],
        "ociVersion: missing; a version such as 1.3.0 is required\nprocess: missing; an object "
        "with at least args and cwd is required\nroot: missing; an object with the path of the "
        "root file system is required",
    ),
]

_ID = ["create", "--bundle", "{bundle}"]
CALLS = [
    # ids
    BadCall(
        "empty id",
        [*_ID, ""],
        ["container id"],
        "planc create failed: container id cannot be empty; write one of a-z, A-Z, 0-9 and _ + - .",
    ),
    BadCall(
        "id is a dot",
        [*_ID, "."],
        ["container id"],
        "planc create failed: invalid container id '.': it names a directory; write another",
    ),
    BadCall(
        "id is two dots",
        [*_ID, ".."],
        ["container id"],
        "planc create failed: invalid container id '..': it names a directory; write another",
    ),
    BadCall(
        "id with a slash",
        [*_ID, "a/b"],
        ["container id"],
        "planc create failed: invalid container id 'a/b': only a-z, A-Z, 0-9 and _ + - . are allowed",
    ),
    BadCall(
        "id that climbs",
        [*_ID, "../../etc"],
        ["container id"],
        "planc create failed: invalid container id '../../etc': only a-z, A-Z, 0-9 and _ + - . are allowed",
    ),
    BadCall(
        "id with a space",
        [*_ID, "a b"],
        ["container id"],
        "planc create failed: invalid container id 'a b': only a-z, A-Z, 0-9 and _ + - . are allowed",
    ),
    BadCall(
        "id with a newline",
        [*_ID, "a\nb"],
        ["container id"],
        "planc create failed: invalid container id 'a\\nb': only a-z, A-Z, 0-9 and _ + - . are allowed",
    ),
    BadCall(
        "id with an umlaut",
        [*_ID, "ä"],
        ["container id"],
        "planc create failed: invalid container id 'ä': only a-z, A-Z, 0-9 and _ + - . are allowed",
    ),
    BadCall(
        "id with a wildcard",
        [*_ID, "a*"],
        ["container id"],
        "planc create failed: invalid container id 'a*': only a-z, A-Z, 0-9 and _ + - . are allowed",
    ),
    BadCall(
        "id that is too long",
        [*_ID, "a" * 2000],
        ["container id"],
        "planc create failed: invalid container id: 2000 characters are too many (at most 255)",
    ),
    BadCall("no id", _ID, ["create"], "planc: Missing argument 'ID'; see planc create --help"),
    BadCall(
        "two ids",
        [*_ID, "{id}", "another"],
        ["create"],
        "planc: Got unexpected extra argument (another); see planc create --help",
    ),
    *(
        BadCall(
            f"{command} of a bad id",
            [command, "../x"],
            ["container"],
            "invalid container id '../x': only a-z, A-Z, 0-9 and _ + - . are allowed",
        )
        for command in ("state", "start", "pause", "resume", "delete")
    ),
    *(
        BadCall(
            f"{command} of nobody",
            [command, "nobody", *rest],
            ["does not exist"],
            "container does not exist: 'nobody'; planc --root {root} list shows those that do",
        )
        for command, rest in (
            ("state", []),
            ("start", []),
            ("pause", []),
            ("resume", []),
            ("delete", []),
            ("kill", ["TERM"]),
            ("ps", []),
            ("events", ["--stats"]),
            ("update", ["--pids-limit", "5"]),
        )
    ),
    BadCall(
        "exec in nobody",
        ["exec", "nobody", "true"],
        ["does not exist"],
        "exec failed: container does not exist: 'nobody'; planc --root {root} list shows those that do",
        code=255,
    ),
    # flags
    BadCall(
        "unknown command",
        ["nonsense"],
        ["nonsense"],
        "planc: No such command 'nonsense'; see planc --help",
        code=3,
    ),
    BadCall(
        "unknown global flag",
        ["--nonsense", "list"],
        ["nonsense"],
        "planc: no such option: --nonsense; see planc --help",
    ),
    BadCall(
        "unknown flag",
        ["create", "--nonsense", "{id}"],
        ["nonsense"],
        "planc: no such option: --nonsense; see planc create --help",
    ),
    BadCall(
        "flag without value",
        ["create", "--bundle"],
        ["bundle"],
        "planc: --bundle: the value is missing; see planc create --help",
    ),
    BadCall(
        "bundle that is not there",
        ["create", "--bundle", "/no/such", "{id}"],
        ["/no/such"],
        "planc create failed: config.json: there is no /no/such/config.json; a bundle is a "
        "directory with a config.json, which planc spec writes",
    ),
    BadCall(
        "bundle that is a file",
        ["create", "--bundle", "/etc/passwd", "{id}"],
        ["/etc/passwd"],
        "planc create failed: config.json: cannot open /etc/passwd/config.json: ENOTDIR: not a "
        "directory; a bundle is a directory with a config.json, which planc spec writes",
    ),
    BadCall(
        "preserve-fds is no number",
        [*_ID, "--preserve-fds", "x", "{id}"],
        ["preserve-fds"],
        "planc: --preserve-fds: 'x' is not a number from 0 on; see planc create --help",
    ),
    BadCall(
        "pid file in a missing directory",
        [*_ID, "--pid-file", "/no/such/pid", "{id}"],
        ["/no/such"],
        "planc create failed: --pid-file: write /no/such/pid: ENOENT: no such file or directory; "
        "make its directory first",
    ),
    BadCall(
        "console socket without terminal",
        [*_ID, "--console-socket", "/tmp/x", "{id}"],
        ["console"],
        "planc create failed: --console-socket: /tmp/x would get no terminal: process.terminal "
        "is not true; set it, or leave the option out",
    ),
    BadCall(
        "unknown log format",
        ["--log-format", "xml", "list"],
        ["xml"],
        "--log-format: 'xml' is neither text nor json",
    ),
    BadCall(
        "log in a missing directory",
        ["--log", "/no/such/log", "list"],
        ["/no/such/log"],
        "--log: cannot open /no/such/log: ENOENT: no such file or directory",
    ),
    BadCall(
        "root is /",
        ["--root", "/", "list"],
        ["root"],
        "--root: / cannot hold containers; write the path of a directory of its own",
        old_runc=LAX,
    ),
    BadCall(
        "rootless is neither",
        ["--rootless", "maybe", "list"],
        ["rootless"],
        "--rootless: 'maybe' is none of true, false, auto",
        old_runc=LAX,
    ),
    BadCall(
        "unknown signal",
        ["kill", "nobody", "NOSUCH"],
        [""],
        '"NOSUCH" is not a signal; give a name such as TERM or SIGTERM, or a number from 0 to 64',
    ),
    BadCall(
        "unknown list format",
        ["list", "--format", "yaml"],
        ["format"],
        "planc: --format: 'yaml' is none of table, json; see planc list --help",
    ),
    BadCall(
        "unknown ps format",
        ["ps", "--format", "yaml", "nobody"],
        [""],
        "planc: --format: 'yaml' is none of table, json; see planc ps --help",
    ),
    BadCall(
        "interval of 0",
        ["events", "--interval", "0s", "nobody"],
        [""],
        "--interval: '0s' is not a duration above 0; write one like 500ms, 5s or 2m",
    ),
    BadCall(
        "memory is no size",
        ["update", "--memory", "lots", "nobody"],
        [""],
        "--memory: 'lots' is not a size; write a number of bytes, or one like 512m or 2g",
    ),
    BadCall(
        "resources of a missing file",
        ["update", "--resources", "/no/such", "nobody"],
        [""],
        "--resources: there is no /no/such; write the path of a file of JSON text",
    ),
    BadCall(
        "exec without a command",
        ["exec", "nobody"],
        [""],
        "exec failed: exec needs a command to run; give one after the id, or --process FILE",
        code=255,
    ),
    BadCall(
        "exec env without =",
        ["exec", "--env", "NOVALUE", "nobody", "true"],
        [""],
        "exec failed: --env: 'NOVALUE' is not a variable; write NAME=value",
        code=255,
    ),
    BadCall(
        "exec user is a name",
        ["exec", "--user", "root", "nobody", "true"],
        [""],
        "exec failed: --user: 'root' is not a number from 0 to 4294967294; names are not looked up",
        code=255,
    ),
    BadCall(
        "exec of a missing process file",
        ["exec", "--process", "/no/such", "nobody"],
        [""],
        "exec failed: --process: there is no /no/such; write the path of a file of JSON text",
        code=255,
    ),
]
