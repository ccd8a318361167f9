"""The configs whose plans are kept as text in data/.

After a wanted change: ``python3 -m tests.unit.plan.goldens`` from the top directory writes them anew;
read the diff before it is committed.
"""

from collections.abc import Callable
from pathlib import Path

from runtime.linux.host import Systemd
from runtime.plan.explain import explain_lines
from runtime.plan.ops import Plan
from runtime.spec.template import default_config

from . import samples

DATA = Path(__file__).parent / "data"


def default() -> Plan:
    return samples.create(default_config(cgroup_v2=True))


def docker() -> Plan:
    """As dockerd writes it: binds over /etc files, a prestart hook, more capabilities, no terminal."""
    value = samples.config()
    value["hostname"] = "f00f00f00f00"
    value["root"] = {"path": "/var/lib/docker/overlay2/l/merged"}
    value["process"].update(
        args=["nginx", "-g", "daemon off;"],
        cwd="/srv/app",
        user={"uid": 101, "gid": 101, "additionalGids": [101, 4]},
        oomScoreAdj=0,
        noNewPrivileges=False,
        capabilities={
            kind: ["CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_MKNOD"]
            for kind in ("bounding", "effective", "permitted")
        },
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 524288}],
    )
    binds = ("resolv.conf", "hostname", "hosts")
    value["mounts"] += [
        samples.mount(f"/etc/{name}", "bind", f"/var/lib/docker/c/{name}", "rbind", "rprivate")
        for name in binds
    ]
    value["mounts"].append(samples.mount("/run/cache", "tmpfs", "tmpfs", "nosuid", "ro", "tmpcopyup"))
    value["hooks"] = {
        "prestart": [{"path": "/proc/1/exe", "args": ["libnetwork-setkey", "-exec-root=/var/run/docker"]}]
    }
    value["linux"]["sysctl"] = {"net.ipv4.ip_unprivileged_port_start": "0"}
    value["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}],
    }
    return samples.create(value)


def rootless() -> Plan:
    return samples.create(
        default_config(rootless=True, uid=1000, gid=1000), samples.user_host(), rootless=True
    )


def rootless_ranges() -> Plan:
    """Ranges of subordinate ids, by newuidmap and newgidmap."""
    value = samples.with_namespaces(samples.config(), "user")
    ranges = [
        {"containerID": 0, "hostID": 1000, "size": 1},
        {"containerID": 1, "hostID": 100000, "size": 65536},
    ]
    value["linux"].update(uidMappings=ranges, gidMappings=ranges)
    value["process"]["user"] = {"uid": 33, "gid": 33, "additionalGids": [4]}
    return samples.create(value, samples.user_host(), rootless=True)


def paths() -> Plan:
    """Namespaces of another container, its user namespace among them."""
    value = samples.config()
    pairs = [(kind, f"/run/pod/{kind}") for kind in ("network", "ipc", "user")]
    return samples.create(samples.with_namespaces(value, *pairs))


def idmapped() -> Plan:
    """A user namespace, and mounts mapped as it is, otherwise, and not."""
    value = samples.with_namespaces(samples.config(), "user", "time", "cgroup")
    ids = [{"containerID": 0, "hostID": 5000, "size": 10}]
    value["linux"]["timeOffsets"] = {"boottime": {"secs": 3600}, "monotonic": {"nanosecs": 5}}
    value["mounts"] += [
        samples.mount("/a", None, "/srv/a", "rbind", "ridmap"),
        samples.mount("/b", None, "b", "bind", "idmap", "ro", uidMappings=ids, gidMappings=ids),
        samples.mount("/c", None, "/srv/c", "bind", "idmap"),
        samples.mount("/d", "bind", "/srv/d"),
    ]
    value["linux"]["devices"] = [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229},
        {"path": "/run/fifo", "type": "p"},
    ]
    return samples.create(value)


def terminal() -> Plan:
    """A terminal, sockets, descriptors; the read-only /dev waits until all is made in it."""
    value = samples.config()
    value["process"].update(terminal=True, consoleSize={"height": 24, "width": 80})
    value["process"]["user"]["umask"] = 0o077
    value["mounts"][1]["options"].append("ro")
    return samples.create(
        value,
        keep_fds=3,
        listen_fds=2,
        notify_socket_dir="/run/planc/demo/notify",
        pidfd_socket="/run/pidfd.sock",
        no_new_keyring=True,
        no_pivot=True,
    )


def hooks() -> Plan:
    """Every kind; those of `start` and `delete` are no part of the plan."""
    value = samples.config(annotations={"org.example": 'a "b"'})
    kinds = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
    value["hooks"] = {
        kind: [
            {"path": f"/hooks/{kind}", "args": [kind, "x y"], "env": ["A=b"], "timeout": 5},
            {"path": f"/hooks/{kind}2"},
        ]
        for kind in kinds
    }
    return samples.create(value)


def propagation() -> Plan:
    value = samples.config()
    value["linux"]["rootfsPropagation"] = "rshared"
    value["mounts"].append(samples.mount("/srv", "bind", "/srv", "rbind", "rshared", "rro", "nodev"))
    return samples.create(value)


def no_namespaces() -> Plan:
    value = samples.config()
    value["linux"] = {"namespaces": []}
    del value["hostname"]
    return samples.create(value)


def process() -> Plan:
    """Everything that one process can be given."""
    value = samples.config()
    value["process"].update(
        scheduler={
            "policy": "SCHED_DEADLINE",
            "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"],
            "runtime": 10,
            "deadline": 20,
            "period": 30,
        },
        ioPriority={"class": "IOPRIO_CLASS_BE", "priority": 4},
        rlimits=[{"type": "RLIMIT_CORE", "soft": 0, "hard": 2**64 - 1}],
        env=["A=1", "PATH=/bin", "A=2"],
    )
    value["domainname"] = "example.org"
    value["linux"]["personality"] = {"domain": "LINUX32"}
    value["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "flags": [],
        "listenerPath": "/run/agent.sock",
        "listenerMetadata": "m",
        "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}],
    }
    return samples.create(value)


def systemd() -> Plan:
    """The systemd driver: limits, device rules, an annotation, and a limit that must wait."""
    value = samples.config(annotations={"org.systemd.property.TimeoutStopSec": "5"})
    value["linux"]["cgroupsPath"] = "apps-web.slice:planc:demo"
    value["linux"]["resources"] = {
        "memory": {"limit": 67108864, "swap": 134217728},
        "cpu": {"shares": 512, "quota": 12345, "period": 100000},
        "pids": {"limit": 1},
        "devices": [
            {"allow": False, "access": "rwm"},
            {"allow": True, "type": "b", "major": 8, "access": "r"},
        ],
    }
    return samples.create(value, samples.root_host(systemd=Systemd()))


def exec_plain() -> Plan:
    return samples.exec_(samples.config())


def exec_everything() -> Plan:
    """A user namespace, a terminal, a filter without no_new_privs, all the limits."""
    value = samples.with_namespaces(samples.config(), "user", "cgroup", "time")
    value["process"].update(
        terminal=True,
        noNewPrivileges=False,
        oomScoreAdj=100,
        user={"uid": 1, "gid": 2, "additionalGids": [3], "umask": 0o027},
        ioPriority={"class": "IOPRIO_CLASS_IDLE"},
    )
    value["linux"]["personality"] = {"domain": "LINUX"}
    value["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_LOG"}
    return samples.exec_(value, keep_fds=1, pidfd_socket="/run/pidfd.sock")


GOLDENS: dict[str, Callable[[], Plan]] = {
    plan.__name__: plan
    for plan in (
        default, docker, rootless, rootless_ranges, paths, idmapped, terminal, hooks, propagation,
        no_namespaces, process, systemd, exec_plain, exec_everything,
    )
}  # fmt: skip


def text(plan: Plan) -> str:
    return "\n".join([*explain_lines(plan), *[f"warning: {line}" for line in plan.warnings]]) + "\n"


if __name__ == "__main__":
    for name, make in GOLDENS.items():
        (DATA / f"{name}.txt").write_text(text(make()))
