"""The verdicts of `planc doctor`: what each fact of the host means for a container. Pure."""

from __future__ import annotations

from runtime.cli.doctor_cgroups import cgroup_checks
from runtime.cli.doctor_check import LIMITED, MISSING, OK, Check
from runtime.errors import errno_name
from runtime.linux.capabilities import CAPABILITIES, capability_names
from runtime.linux.facts import kernel_version
from runtime.plan.host_advice import (
    CAPABILITIES as WITHOUT_CAPABILITY,
)
from runtime.plan.host_advice import (
    NAMESPACES,
    in_initial_user_namespace,
    namespace_problem,
    proc_problem,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.linux.facts import HostFacts

OLDEST_KERNEL = (5, 14)
ACTIONS = ("kill_process", "kill_thread", "trap", "errno", "user_notif", "trace", "log", "allow")
_CAP_SYS_ADMIN = CAPABILITIES["CAP_SYS_ADMIN"]
_CAP_SYS_RESOURCE = CAPABILITIES["CAP_SYS_RESOURCE"]


def checks(facts: HostFacts) -> list[Check]:
    """Every check, grouped, in the order in which they are shown."""
    groups: dict[str, list[Check | None]] = {
        "kernel": [_release(facts), _calls(facts), _memfd(facts), _root(facts)],
        "caller": [_caller(facts), _capabilities(facts), _rlimits(facts), _keys(facts)],
        "namespaces": [*[_namespace(kind, facts) for kind in NAMESPACES], _proc(facts)],
        "cgroups": cgroup_checks(facts),
        "cgroup drivers": [_cgroupfs(facts), _systemd(facts)],
        "seccomp": [_seccomp_kernel(facts), _seccomp_library(facts), _seccomp_around(facts)],
        "security modules": [_modules(facts)],
        "mounts": [_idmap(facts)],
        "user ids": _user_ids(facts),
        "checkpoint": [_checkpoint(facts)],
    }
    found = []
    for group, members in groups.items():
        for check in members:
            if check is not None:
                check.group = group
                found.append(check)
    return found


def can_run(found: list[Check]) -> bool:
    """Whether a default container of this caller can run."""
    return not any(check.required and check.status == MISSING for check in found)


def _privileged(facts: HostFacts) -> bool:
    return facts.host.capable(_CAP_SYS_ADMIN)


# kernel


def _release(facts: HostFacts) -> Check:
    kernel = facts.kernel
    found = f"{kernel.release} {kernel.architecture}"
    if kernel_version(kernel.release) < OLDEST_KERNEL:
        means = "planc is made for Linux 5.14 and newer; see the system calls"
        return Check("release", LIMITED, found, means, "use a newer kernel")
    return Check("release", OK, found)


def _calls(facts: HostFacts) -> Check:
    missing = [name for name, number in facts.kernel.calls.items() if number]
    if facts.kernel.clone_into_cgroup and facts.host.cgroup.unified:
        missing.append("clone3(CLONE_INTO_CGROUP)")
    if not missing:
        return Check("system calls", OK, f"{', '.join(facts.kernel.calls)}", required=True)
    advice = "use Linux 5.14 or newer; inside a container, a seccomp profile that lets them through"
    return Check("system calls", MISSING, f"no {', '.join(missing)}", "no container can run", advice, True)


def _memfd(facts: HostFacts) -> Check:
    number, sysctl = facts.kernel.executable_memfd, facts.kernel.memfd_noexec
    name = "executable memfd"
    if not number:
        return Check(name, OK, "yes" if sysctl is None else f"yes (vm.memfd_noexec={sysctl})", required=True)
    found = f"{errno_name(number)} (vm.memfd_noexec={sysctl})"
    advice = "as root: sysctl -w vm.memfd_noexec=1"
    return Check(name, MISSING, found, "planc starts init from a sealed memfd: no container", advice, True)


def _root(facts: HostFacts) -> Check | None:
    kind = facts.kernel.root_file_system
    if kind not in ("rootfs", "ramfs"):
        return Check("root file system", OK, kind or "unknown")
    means = "pivot_root(2) is impossible from a root file system in the initial ramdisk"
    return Check("root file system", LIMITED, kind, means, "create and run with --no-pivot")


# caller


def _caller(facts: HostFacts) -> Check:
    host = facts.host
    found = "root" if host.euid == 0 else f"uid {host.euid}, gid {host.egid}"
    if host.user_namespace:
        found += " of a user namespace"
    if _privileged(facts):
        return Check("identity", OK, found)
    if host.euid == 0:
        means = "without CAP_SYS_ADMIN each container needs a user namespace"
        return Check("identity", LIMITED, found, means, "begin with planc spec --rootless")
    return Check("identity", OK, found, "containers are rootless: each needs a user namespace")


def _capabilities(facts: HostFacts) -> Check | None:
    host = facts.host
    if not _privileged(facts):
        return None
    every = (1 << host.last_capability + 1) - 1
    lacking = capability_names(every & ~host.capabilities)
    if not lacking:
        return Check("capabilities", OK, "all")
    means = [f"{name}: {WITHOUT_CAPABILITY[name]}" for name in lacking if WITHOUT_CAPABILITY.get(name)]
    means.append("containers cannot have what planc has not")
    advice = "start planc's manager with them; where the bounding set lacks them, nothing brings them back"
    return Check("capabilities", LIMITED, f"no {', '.join(lacking)}", "; ".join(means), advice)


def _rlimits(facts: HostFacts) -> Check:
    if facts.host.capable(_CAP_SYS_RESOURCE) and in_initial_user_namespace(facts):
        return Check("rlimits", OK, "can be raised")
    hard = {name: values[1] for name, values in facts.limits.rlimits.items()}
    shown = [f"{name} {_limit(hard[name])}" for name in ("RLIMIT_NOFILE", "RLIMIT_NPROC") if name in hard]
    means = "process.rlimits above planc's own hard limits fail"
    advice = "raise the limits of the session or service that starts planc (limits.conf, LimitNOFILE=)"
    return Check("rlimits", LIMITED, f"hard limits: {', '.join(shown)}", means, advice)


def _limit(value: int) -> str:
    return "unlimited" if value == 2**64 - 1 else str(value)


def _keys(facts: HostFacts) -> Check | None:
    if facts.limits.keys is None:
        return None
    used, limit = facts.limits.keys
    if used * 10 < limit * 9:
        return Check("kernel keys", OK, f"{used} of {limit} used")
    means = "each container takes a session keyring"
    name = "kernel.keys.root_maxkeys" if facts.host.euid == 0 else "kernel.keys.maxkeys"
    advice = f"as root: raise {name}, or create with --no-new-keyring"
    return Check("kernel keys", LIMITED, f"{used} of {limit} used", means, advice)


# namespaces


def _namespace(kind: str, facts: HostFacts) -> Check:
    required = kind not in ("time", "cgroup", "user") or (kind == "user" and not _privileged(facts))
    if kind == "network" and not _privileged(facts):
        required = False
    if kind == "cgroup" and facts.host.cgroup.mode == "v2":
        required = True
    problem = namespace_problem(kind, facts.namespaces)
    if problem:
        why, advice = problem
        return Check(kind, MISSING, why, f"no container with a new {kind} namespace", advice, required)
    limit = facts.namespaces.limits.get(kind)
    found = "yes" if limit is None else f"yes, up to {limit}"
    sysctls = facts.namespaces.sysctls
    for name, forbidding in (
        ("kernel.unprivileged_userns_clone", ("0",)),
        ("kernel.apparmor_restrict_unprivileged_userns", ("1", "2")),
    ):
        if kind == "user" and _privileged(facts) and sysctls.get(name) in forbidding:
            advice = f"for rootless containers, as root: sysctl -w {name}={1 - int(sysctls[name] != '0')}"
            return Check(kind, LIMITED, found, f"not for users without privilege ({name})", advice, required)
    return Check(kind, OK, found, required=required)


def _proc(facts: HostFacts) -> Check | None:
    if "user" not in facts.namespaces.kernel or facts.namespaces.user:
        return None
    required = not _privileged(facts)
    problem = proc_problem(facts.namespaces)
    if problem is None:
        return Check("/proc in user", OK, "can be mounted", required=required)
    means = "no container in a new user namespace with a /proc of its own"
    return Check("/proc in user", MISSING, problem[0], means, problem[1], required)


# cgroup drivers


def _cgroupfs(facts: HostFacts) -> Check:
    if facts.systemd.running and facts.host.cgroup.mode == "v2":
        means = "systemd does not know of its cgroups: prefer --systemd-cgroup under a manager"
        return Check("cgroupfs", OK, "the default", means)
    return Check("cgroupfs", OK, "the default")


def _systemd(facts: HostFacts) -> Check:
    systemd = facts.systemd
    user = facts.host.euid != 0
    error = systemd.user_error if user else systemd.system_error
    if not systemd.running:
        advice = "use cgroupfs (Docker: native.cgroupdriver=cgroupfs, Podman: --cgroup-manager=cgroupfs)"
        return Check("systemd", MISSING, "not booted with systemd", "--systemd-cgroup fails", advice)
    whose = "the user's manager" if user else "the system's manager"
    if error:
        advice = "log in through systemd (loginctl enable-linger USER)" if user else "see the message"
        return Check("systemd", MISSING, f"{whose}: {error}", "--systemd-cgroup fails", advice)
    if user and facts.host.cgroup.mode != "v2":
        means = "--systemd-cgroup fails: user managers get no cgroup v1 delegated"
        return Check("systemd", MISSING, f"{systemd.version}, {whose}", means, "boot with cgroup v2")
    return Check("systemd", OK, f"{systemd.version}, {whose} answers")


# the others


def _seccomp_kernel(facts: HostFacts) -> Check:
    if facts.seccomp.mode is None:
        advice = "use a kernel with CONFIG_SECCOMP_FILTER"
        return Check("kernel", MISSING, "none", "a config with linux.seccomp fails", advice)
    lacking = [name for name in ACTIONS if name not in facts.seccomp.actions]
    found = ", ".join(facts.seccomp.actions)
    if lacking:
        means = f"profiles with {', '.join(lacking)} do not do what they say"
        return Check("kernel", LIMITED, found or "unknown", means, "use a newer kernel")
    return Check("kernel", OK, found)


def _seccomp_library(facts: HostFacts) -> Check:
    version = facts.seccomp.library or "no library"
    if facts.seccomp.bindings:
        return Check("libseccomp", OK, version)
    means = "a config with linux.seccomp fails, and so do Docker's and Podman's defaults"
    advice = "install its Python bindings (Debian: python3-seccomp, Fedora: python3-libseccomp)"
    return Check("libseccomp", MISSING, f"{version}, no Python bindings", means, advice)


def _seccomp_around(facts: HostFacts) -> Check | None:
    if not facts.seccomp.mode:
        return None
    means = "what it forbids, containers cannot do either"
    return Check(
        "around planc", LIMITED, "a filter", means, "start planc without one where that is in the way"
    )


def _modules(facts: HostFacts) -> Check:
    security = facts.security
    active = ", ".join(security.active) if security.active is not None else "unknown (no securityfs)"
    there = [
        name for name, on in (("AppArmor", security.apparmor), ("SELinux", bool(security.selinux))) if on
    ]
    if not there:
        return Check("labels", OK, active)
    means = f"planc does not set labels of {' or '.join(there)} yet: a config that asks for one is refused"
    advice = (
        "switch labels off in the manager (Docker, Podman: --security-opt apparmor=unconfined, label=disable)"
    )
    shown = active + (f"; SELinux {security.selinux}" if security.selinux else "")
    return Check("labels", LIMITED, shown, means, advice)


def _idmap(facts: HostFacts) -> Check:
    name = "idmapped mounts"
    if facts.idmap.reason:
        means = "mounts with uidMappings are the initial user namespace's root's"
        return Check(name, LIMITED, facts.idmap.reason, means, "chown the files, or run planc as root")
    works = [f"{kind} on {path}" if path else kind for path, kind, number in facts.idmap.tried if not number]
    fails = [f"{kind} on {path}" if path else kind for path, kind, number in facts.idmap.tried if number]
    if not fails:
        return Check(name, OK, ", ".join(works))
    found = f"{', '.join(works) or 'none'}; not {', '.join(fails)}"
    advice = "keep such sources on ext4, xfs or btrfs (Linux 5.15), tmpfs (6.3); or chown the files"
    status = LIMITED if works else MISSING
    return Check(name, status, found, "mounts of those file systems with uidMappings fail", advice)


def _user_ids(facts: HostFacts) -> list[Check | None]:
    helpers = facts.ids.helpers
    bad = [name for name, (path, privilege) in helpers.items() if not path or not privilege]
    shown = ", ".join(f"{path} ({how or 'no privilege'})" for path, how in helpers.values() if path) or "none"
    one = "a user's container has one id: root in it, and nobody else"
    if bad:
        advice = "as root: install newuidmap and newgidmap, setuid (Debian: uidmap, Fedora: shadow-utils)"
        first = Check("newuidmap", LIMITED, shown, one, advice)
    else:
        first = Check("newuidmap", OK, shown)
    if facts.host.euid == 0 or facts.ids.nsswitch:
        return (
            [first]
            if not facts.ids.nsswitch
            else [first, Check("subordinate", OK, f"from {facts.ids.nsswitch}")]
        )
    return [first, _subordinate(facts, one)]


def _subordinate(facts: HostFacts, one: str) -> Check:
    uids = sum(count for _, count in facts.ids.subuids)
    gids = sum(count for _, count in facts.ids.subgids)
    found = f"{uids} uids, {gids} gids"
    if uids >= 65536 and gids >= 65536:
        return Check("subordinate", OK, found)
    who = facts.ids.user or str(facts.host.euid)
    advice = f"as root: echo {who}:100000:65536 >> /etc/subuid, and /etc/subgid (a range that is free)"
    means = one if not uids or not gids else "images with files of higher ids do not unpack"
    return Check("subordinate", LIMITED, found, means, advice)


def _checkpoint(facts: HostFacts) -> Check:
    found = f"criu {facts.criu.version}" if facts.criu.path else "no criu"
    return Check("CRIU", MISSING, found, "planc has no checkpoint and restore yet, with or without it")
