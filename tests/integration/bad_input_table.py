"""Broken configs, bundles, ids and flags: what goes in, and which words must come out.

`exact` is planc's whole last line on standard error, where it has been fixed; {id}, {bundle} and {root} stand for the
test's own. `old_runc` says what runc 1.1 does that the spec or planc does otherwise.
"""

from __future__ import annotations

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
    exact: str | None = None
    old_runc: str | None = None


class BadBundle(NamedTuple):
    """A config.json of these bytes (None: none at all)."""

    name: str
    content: bytes | None
    words: Sequence[str]
    exact: str | None = None
    old_runc: str | None = None


class BadCall(NamedTuple):
    """A command line; {id}, {bundle} and {root} are filled in."""

    name: str
    argv: Sequence[str]
    words: Sequence[str]
    code: int = 1
    exact: str | None = None
    old_runc: str | None = None


LAX = "this check"

CONFIGS = [
    # the document
    BadConfig("no version", {"ociVersion": DELETE}, ["ociVersion"], old_runc=LAX),
    BadConfig("version is a number", {"ociVersion": 1}, ["ociVersion"]),
    BadConfig("version 2", {"ociVersion": "2.0.0"}, ["ociVersion", "2.0.0"], old_runc=LAX),
    BadConfig("version is no version", {"ociVersion": "latest"}, ["ociVersion", "latest"], old_runc=LAX),
    BadConfig("no root", {"root": DELETE}, ["root"]),
    BadConfig("root is a string", {"root": "rootfs"}, ["root"]),
    BadConfig("root without path", {"root": {}}, ["root.path"]),
    BadConfig("root path is empty", {"root.path": ""}, ["root.path"]),
    BadConfig("root path is missing", {"root.path": "nowhere"}, ["root", "nowhere"]),
    BadConfig("root path is a file", {"root.path": "config.json"}, ["root"]),
    BadConfig("readonly is a string", {"root.readonly": "yes"}, ["root.readonly"]),
    BadConfig("hostname is a number", {"hostname": 5}, ["hostname"]),
    BadConfig("hostname too long", {"hostname": "h" * 65}, ["hostname"]),
    BadConfig("annotations is a list", {"annotations": ["a"]}, ["annotations"]),
    BadConfig("annotation is a number", {"annotations": {"key": 1}}, ["annotations", "key"]),
    # process
    BadConfig("no process", {"process": DELETE}, ["process"]),
    BadConfig("process is a string", {"process": "sh"}, ["process"]),
    BadConfig("no args", {"process.args": DELETE}, ["process.args"]),
    BadConfig("empty args", {"process.args": []}, ["process.args"]),
    BadConfig("args is a string", {"process.args": "sh"}, ["process.args"]),
    BadConfig("arg is a number", {"process.args": ["echo", 1]}, ["process.args[1]"]),
    BadConfig("arg with NUL", {"process.args": ["echo", "a\0b"]}, ["process.args[1]"], old_runc=LAX),
    BadConfig("no cwd", {"process.cwd": DELETE}, ["process.cwd"]),
    BadConfig("empty cwd", {"process.cwd": ""}, ["process.cwd"]),
    BadConfig("relative cwd", {"process.cwd": "tmp"}, ["process.cwd", "tmp"]),
    BadConfig("cwd is a file", {"process.cwd": "/etc/passwd"}, ["/etc/passwd", "not a directory"]),
    BadConfig("env is an object", {"process.env": {"A": "b"}}, ["process.env"]),
    BadConfig("env without =", {"process.env": ["PATH=/bin", "NOVALUE"]}, ["process.env[1]", "NOVALUE"]),
    BadConfig("env is a number", {"process.env": [7]}, ["process.env[0]"]),
    BadConfig("env with NUL", {"process.env": ["A=b\0c"]}, ["process.env[0]"]),
    BadConfig("terminal is a string", {"process.terminal": "yes"}, ["process.terminal"]),
    BadConfig("uid is a string", {"process.user.uid": "root"}, ["process.user.uid"]),
    BadConfig("uid is negative", {"process.user.uid": -1}, ["process.user.uid"]),
    BadConfig("uid is too large", {"process.user.uid": 1 << 32}, ["process.user.uid"]),
    BadConfig("uid is a fraction", {"process.user.uid": 1.5}, ["process.user.uid"]),
    BadConfig("gids is a number", {"process.user.additionalGids": 5}, ["process.user.additionalGids"]),
    BadConfig("gid in list is negative", {"process.user.additionalGids": [1, -5]}, ["additionalGids[1]"]),
    BadConfig("umask is negative", {"process.user.umask": -1}, ["process.user.umask"]),
    BadConfig("capabilities is a list", {"process.capabilities": ["CAP_KILL"]}, ["process.capabilities"]),
    BadConfig(
        "bounding is a string", {"process.capabilities.bounding": "all"}, ["process.capabilities.bounding"]
    ),
    BadConfig(
        "unknown rlimit",
        {"process.rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]},
        ["process.rlimits[0].type", "RLIMIT_X"],
    ),
    BadConfig(
        "rlimit without hard",
        {"process.rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1}]},
        ["process.rlimits[0].hard"],
    ),
    BadConfig(
        "rlimit soft above hard",
        {"process.rlimits": [{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 5}]},
        ["process.rlimits[0]"],
    ),
    BadConfig(
        "duplicate rlimits",
        {"process.rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}] * 2},
        ["process.rlimits[1]", "RLIMIT_CORE"],
        old_runc=LAX,
    ),
    BadConfig("noNewPrivileges is a number", {"process.noNewPrivileges": 1}, ["process.noNewPrivileges"]),
    BadConfig("oomScoreAdj too large", {"process.oomScoreAdj": 1001}, ["process.oomScoreAdj"]),
    BadConfig(
        "scheduler without policy", {"process.scheduler": {"nice": 1}}, ["process.scheduler"], old_runc=LAX
    ),
    BadConfig(
        "unknown scheduler",
        {"process.scheduler": {"policy": "SCHED_X"}},
        ["process.scheduler.policy"],
        old_runc=LAX,
    ),
    BadConfig(
        "nice out of range",
        {"process.scheduler": {"policy": "SCHED_OTHER", "nice": 40}},
        ["process.scheduler.nice"],
        old_runc=LAX,
    ),
    BadConfig(
        "unknown I/O class",
        {"process.ioPriority": {"class": "IOPRIO_X"}},
        ["process.ioPriority.class"],
        old_runc=LAX,
    ),
    BadConfig(
        "I/O priority out of range",
        {"process.ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 9}},
        ["process.ioPriority.priority"],
        old_runc=LAX,
    ),
    BadConfig("consoleSize is a list", {"process.consoleSize": [24, 80]}, ["process.consoleSize"]),
    BadConfig("AppArmor, not there yet", {"process.apparmorProfile": "some-profile"}, ["apparmor"]),
    BadConfig("SELinux, not there yet", {"process.selinuxLabel": "system_u:x:y:s0"}, ["selinux"]),
    BadConfig(
        "CPU affinity, not there yet",
        {"process.execCPUAffinity": {"initial": "0"}},
        ["process.execCPUAffinity"],
        old_runc=LAX,
    ),
    # mounts
    BadConfig("mounts is an object", {"mounts": {}}, ["mounts"]),
    BadConfig("mount without destination", {"mounts[6]": {"type": "tmpfs"}}, ["mounts[6].destination"]),
    BadConfig("mount destination is a number", {"mounts[6]": {"destination": 1}}, ["mounts[6].destination"]),
    BadConfig(
        "mount options is a string",
        {"mounts[6]": {"destination": "/x", "type": "tmpfs", "options": "ro"}},
        ["mounts[6].options"],
    ),
    BadConfig(
        "unknown file system",
        {"mounts[6]": {"destination": "/x", "type": "nofs", "source": "x"}},
        ["/x", "no such device"],
    ),
    BadConfig(
        "unknown mount option",
        {"mounts[6]": {"destination": "/x", "type": "tmpfs", "source": "x", "options": ["nonsense"]}},
        ["/x", "invalid argument"],
    ),
    BadConfig(
        "bind source missing",
        {"mounts[6]": {"destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"]}},
        ["/no/such", "no such file or directory"],
    ),
    BadConfig(
        "bind without source",
        {"mounts[6]": {"destination": "/x", "type": "bind", "options": ["bind"]}},
        ["mounts[6].source"],
        old_runc=LAX,
    ),
    BadConfig(
        "tmpfs on /proc/sys",
        {"mounts[6]": {"destination": "/proc/sys", "type": "tmpfs", "source": "t"}},
        ["/proc/sys"],
        old_runc=LAX,
    ),
    BadConfig(
        "mount on /",
        {"mounts[6]": {"destination": "/", "type": "tmpfs", "source": "t"}},
        ["mounts[6]"],
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
        old_runc=LAX,
    ),
    # hooks
    BadConfig("hooks is a list", {"hooks": []}, ["hooks"]),
    BadConfig("hook kind is an object", {"hooks": {"prestart": {"path": "/bin/true"}}}, ["hooks.prestart"]),
    BadConfig("hook without path", {"hooks": {"poststop": [{}]}}, ["hooks.poststop[0].path"], old_runc=LAX),
    BadConfig("relative hook", {"hooks": {"prestart": [{"path": "true"}]}}, ["hooks.prestart[0].path"]),
    BadConfig(
        "hook timeout 0",
        {"hooks": {"prestart": [{"path": "/bin/true", "timeout": 0}]}},
        ["hooks.prestart[0].timeout"],
        old_runc=LAX,
    ),
    BadConfig(
        "missing hook",
        {"hooks": {"prestart": [{"path": "/no/such"}]}},
        ["/no/such", "no such file or directory"],
    ),
    # linux
    BadConfig("linux is a list", {"linux": []}, ["linux"]),
    BadConfig("namespaces is an object", {"linux.namespaces": {}}, ["linux.namespaces"]),
    BadConfig(
        "unknown namespace",
        {"linux.namespaces[5]": {"type": "nonsense"}},
        ["linux.namespaces[5].type", "nonsense"],
    ),
    BadConfig(
        "duplicate namespace", {"linux.namespaces[5]": {"type": "pid"}}, ["linux.namespaces[5]", "pid"]
    ),
    BadConfig(
        "namespace path missing", {"linux.namespaces[0]": {"type": "pid", "path": "/no/such"}}, ["/no/such"]
    ),
    BadConfig(
        "namespace path of another type",
        {"linux.namespaces[1]": {"type": "network", "path": "/proc/self/ns/uts"}},
        ["linux.namespaces[1]"],
    ),
    BadConfig(
        "hostname without uts namespace",
        {"linux.namespaces[3]": {"type": "cgroup"}},
        ["hostname", "uts"],
    ),
    BadConfig(
        "mappings without user namespace",
        {"linux.uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]},
        ["linux.uidMappings"],
        old_runc=LAX,
    ),
    BadConfig("user namespace without mappings", {"linux.namespaces[5]": {"type": "user"}}, ["mapping"]),
    BadConfig(
        "time offsets without time namespace",
        {"linux.timeOffsets": {"boottime": {"secs": 1}}},
        ["linux.timeOffsets"],
        old_runc=LAX,
    ),
    BadConfig(
        "unknown propagation",
        {"linux.rootfsPropagation": "sideways"},
        ["linux.rootfsPropagation", "sideways"],
    ),
    BadConfig(
        "masked path is relative", {"linux.maskedPaths": ["proc"]}, ["linux.maskedPaths[0]"], old_runc=LAX
    ),
    BadConfig("cgroupsPath is a number", {"linux.cgroupsPath": 7}, ["linux.cgroupsPath"]),
    BadConfig("sysctl of the host", {"linux.sysctl": {"vm.swappiness": "1"}}, ["sysctl", "vm.swappiness"]),
    BadConfig(
        "sysctl is a number", {"linux.sysctl": {"net.ipv4.ip_forward": 1}}, ["linux.sysctl", "ip_forward"]
    ),
    BadConfig(
        "unknown device type", {"linux.devices": [{"path": "/dev/x", "type": "z"}]}, ["linux.devices[0].type"]
    ),
    BadConfig(
        "device without path", {"linux.devices": [{"type": "p"}]}, ["linux.devices[0].path"], old_runc=LAX
    ),
    BadConfig(
        "personality", {"linux.personality": {"domain": "X"}}, ["linux.personality.domain"], old_runc=LAX
    ),
    BadConfig(
        "unknown seccomp action", {"linux.seccomp": {"defaultAction": "X"}}, ["linux.seccomp.defaultAction"]
    ),
    BadConfig(
        "seccomp without action",
        {"linux.seccomp": {"syscalls": []}},
        ["linux.seccomp.defaultAction"],
        old_runc=LAX,
    ),
    BadConfig(
        "unknown architecture",
        {"linux.seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X"]}},
        ["linux.seccomp.architectures[0]"],
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
    ),
    BadConfig(
        "intelRdt, not there yet", {"linux.intelRdt": {"closID": "x"}}, ["linux.intelRdt"], old_runc=LAX
    ),
    BadConfig(
        "memory policy, not there yet",
        {"linux.memoryPolicy": {"mode": "MPOL_DEFAULT"}},
        ["linux.memoryPolicy"],
        old_runc=LAX,
    ),
    BadConfig(
        "net devices, not there yet", {"linux.netDevices": {"eth0": {}}}, ["linux.netDevices"], old_runc=LAX
    ),
    BadConfig(
        "memory limit is a string",
        {"linux.resources": {"memory": {"limit": "1g"}}},
        ["linux.resources.memory.limit"],
    ),
    BadConfig(
        "shares are negative", {"linux.resources": {"cpu": {"shares": -1}}}, ["linux.resources.cpu.shares"]
    ),
    BadConfig(
        "swap below limit",
        {"linux.resources": {"memory": {"limit": 1 << 30, "swap": 1 << 20}}},
        ["memory.swap"],
    ),
    BadConfig(
        "pids without limit", {"linux.resources": {"pids": {}}}, ["linux.resources.pids.limit"], old_runc=LAX
    ),
    BadConfig(
        "device rule without allow",
        {"linux.resources": {"devices": [{"access": "rwm"}]}},
        ["linux.resources.devices[0].allow"],
        old_runc=LAX,
    ),
    BadConfig(
        "device access letters",
        {"linux.resources": {"devices": [{"allow": True, "access": "xyz"}]}},
        ["linux.resources.devices[0].access"],
        old_runc=LAX,
    ),
    BadConfig(
        "huge page size",
        {"linux.resources": {"hugepageLimits": [{"pageSize": "3KB", "limit": 1}]}},
        ["linux.resources.hugepageLimits[0].pageSize"],
    ),
]

BUNDLES = [
    BadBundle("no config.json", None, ["config.json"]),
    BadBundle("empty", b"", ["config.json"]),
    BadBundle("not JSON", b"ociVersion: 1.0.2\n", ["config.json"]),
    BadBundle("cut off", b'{"ociVersion": "1.0.2", "root": {', ["config.json"]),
    BadBundle("trailing text", b'{"ociVersion": "1.0.2"} x', ["config.json"]),
    BadBundle("trailing comma", b'{"ociVersion": "1.0.2",}', ["config.json"]),
    BadBundle("an array", b"[]", ["config.json"]),
    BadBundle("a string", b'"config"', ["config.json"]),
    BadBundle("null", b"null", ["config.json"]),
    BadBundle("an empty object", b"{}", ["ociVersion"]),
    BadBundle("not UTF-8", b'{"ociVersion": "1.0.2", "hostname": "\xff\xfe"}', ["config.json"]),
    BadBundle("UTF-16", '{"ociVersion": "1.0.2"}'.encode("utf-16"), ["config.json"]),
    BadBundle("NUL bytes", bytes(1000), ["config.json"]),
    BadBundle("deeply nested", b"[" * 100_000, ["config.json"]),
    BadBundle("deeply nested object", b'{"a":' * 100_000, ["config.json"]),
    BadBundle("NaN", b'{"ociVersion": "1.0.2", "process": {"user": {"uid": NaN}}}', ["config.json"]),
    BadBundle("a number of 5000 digits", b'{"ociVersion": ' + b"9" * 5000 + b"}", ["config.json"]),
    BadBundle("enormous", b'{"annotations": {"a": "' + b"x" * (40 << 20) + b'"}}', ["config.json"]),
]

_ID = ["create", "--bundle", "{bundle}"]
CALLS = [
    # ids
    BadCall("empty id", [*_ID, ""], ["container id"]),
    BadCall("id is a dot", [*_ID, "."], ["container id"]),
    BadCall("id is two dots", [*_ID, ".."], ["container id"]),
    BadCall("id with a slash", [*_ID, "a/b"], ["container id"]),
    BadCall("id that climbs", [*_ID, "../../etc"], ["container id"]),
    BadCall("id with a space", [*_ID, "a b"], ["container id"]),
    BadCall("id with a newline", [*_ID, "a\nb"], ["container id"]),
    BadCall("id with an umlaut", [*_ID, "ä"], ["container id"]),
    BadCall("id with a wildcard", [*_ID, "a*"], ["container id"]),
    BadCall("id that is too long", [*_ID, "a" * 2000], ["container id"]),
    BadCall("no id", _ID, ["create"]),
    BadCall("two ids", [*_ID, "{id}", "another"], ["create"]),
    *(
        BadCall(f"{command} of a bad id", [command, "../x"], ["container"])
        for command in ("state", "start", "pause", "resume", "delete")
    ),
    *(
        BadCall(f"{command} of nobody", [command, "nobody", *rest], ["does not exist"])
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
    BadCall("exec in nobody", ["exec", "nobody", "true"], ["does not exist"], code=255),
    # flags
    BadCall("unknown command", ["nonsense"], ["nonsense"], code=3),
    BadCall("unknown global flag", ["--nonsense", "list"], ["nonsense"]),
    BadCall("unknown flag", ["create", "--nonsense", "{id}"], ["nonsense"]),
    BadCall("flag without value", ["create", "--bundle"], ["bundle"]),
    BadCall("bundle that is not there", ["create", "--bundle", "/no/such", "{id}"], ["/no/such"]),
    BadCall("bundle that is a file", ["create", "--bundle", "/etc/passwd", "{id}"], ["/etc/passwd"]),
    BadCall("preserve-fds is no number", [*_ID, "--preserve-fds", "x", "{id}"], ["preserve-fds"]),
    BadCall("pid file in a missing directory", [*_ID, "--pid-file", "/no/such/pid", "{id}"], ["/no/such"]),
    BadCall("console socket without terminal", [*_ID, "--console-socket", "/tmp/x", "{id}"], ["console"]),
    BadCall("unknown log format", ["--log-format", "xml", "list"], ["xml"]),
    BadCall("log in a missing directory", ["--log", "/no/such/log", "list"], ["/no/such/log"]),
    BadCall("root is /", ["--root", "/", "list"], ["root"], old_runc=LAX),
    BadCall("rootless is neither", ["--rootless", "maybe", "list"], ["rootless"], old_runc=LAX),
    BadCall("unknown signal", ["kill", "nobody", "NOSUCH"], [""]),
    BadCall("unknown list format", ["list", "--format", "yaml"], ["format"]),
    BadCall("unknown ps format", ["ps", "--format", "yaml", "nobody"], [""]),
    BadCall("interval of 0", ["events", "--interval", "0s", "nobody"], [""]),
    BadCall("memory is no size", ["update", "--memory", "lots", "nobody"], [""]),
    BadCall("resources of a missing file", ["update", "--resources", "/no/such", "nobody"], [""]),
    BadCall("exec without a command", ["exec", "nobody"], [""], code=255),
    BadCall("exec env without =", ["exec", "--env", "NOVALUE", "nobody", "true"], [""], code=255),
    BadCall("exec user is a name", ["exec", "--user", "root", "nobody", "true"], [""], code=255),
    BadCall("exec of a missing process file", ["exec", "--process", "/no/such", "nobody"], [""], code=255),
]
