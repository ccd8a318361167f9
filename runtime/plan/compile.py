"""From config.json to a plan: the table of contents of a container's creation, and of `exec`.

Every line below is a step, in the order that the kernel demands; each step is a pure function in the
module of its subject.  Nothing here makes a system call or opens a file.

Where a container's user namespace differs from the caller's, bind sources are opened before it is
entered, since its root may not be able to reach them, and held until its mount namespace is there.
"""

from __future__ import annotations

from runtime.plan import devices, hooks, masks, mounts, namespaces, process, rootfs, sysctl
from runtime.plan.cgroup import container_cgroups, join_files, plan_cgroup
from runtime.plan.container import Container
from runtime.plan.idmap import IdMap
from runtime.plan.namespaces import Namespaces
from runtime.plan.ops import Op, Plan
from runtime.plan.process import Payload
from runtime.plan.refuse import refuse
from runtime.plan.seccomp import filter_flags, has_notify, needs_filter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.linux.host import Host
    from runtime.plan.cgroup import Cgroup
    from runtime.plan.options import CreateOptions, ExecOptions, ExecTarget
    from runtime.spec.model import Linux, Process, Spec


def compile_create(spec: Spec, bundle: str, rootfs: str, host: Host, options: CreateOptions) -> Plan:
    """The plan of `create`.

    `bundle`, `rootfs`: absolute paths, without symlinks. Raises PlanError for what this host or this
    caller cannot do.
    """
    c = Container(spec, bundle, rootfs, host, options)
    p = _payload(c)
    _check_caller(c)
    limits = _cgroup(c)
    _check_labels(c)
    ops = [
        *_before_spawn(c, limits),
        *_stage(c, p),
        *_root_file_system(c),
        *_inside(c, p),
        *_process(c, p, limits),
    ]
    return Plan(ops, c.seccomp, c.warnings)


def compile_exec(payload: Process, target: ExecTarget, host: Host, options: ExecOptions) -> Plan:
    """The plan of `exec`: `payload` in the container `target`.

    Its filter, if any, is the blob ``seccomp`` that was compiled at create.
    """
    names = Namespaces(target.spec.linux)
    p = _exec_payload(payload, target.spec.linux, names, host)
    ops = [
        *(
            _spawn_attached(options.keep_fds, target)
            if target.unit
            else _spawn(options.keep_fds, target.cgroups, target.rootless or target.frozen)
        ),
        *process.oom_score_adj(p),
        *_not_dumpable("(exec)"),
        *namespaces.enter_running(names),
        *_fork(),
        *_session(target.id, options.no_new_keyring),
        *_chroot_into(names),
        *process.console(p),
        *_send_pidfd(options.pidfd_socket),
        *process.umask(p),
        *process.no_new_privileges(p),
        *process.scheduler(p),
        *process.io_priority(p),
        *process.personality(p),
        *process.rlimits(p),
        *process.environment(p),
        *process.become_payload(p),
        *process.execute(p),
    ]
    return Plan(ops, None, p.warnings)


# chapters of create


def _before_spawn(c: Container, limits: list[Op]) -> list[Op]:
    """planc: the record first, so that `delete` finds whatever comes after; limits before the process."""
    if c.host.systemd is not None:
        return _in_scope(c, limits)
    cgroups_path = c.linux.cgroups_path if c.linux else None
    cgroups = container_cgroups(cgroups_path, c.options.id, c.host)
    return [
        Op("reserve_state", "(create)", id=c.options.id),
        *[op for op in limits if not _keeps_init_out(op)],
        *mounts.open_mapping_namespaces(c),
        *_spawn(c.options.keep_fds, cgroups, c.options.rootless),
    ]


def _in_scope(c: Container, limits: list[Op]) -> list[Op]:
    """The same with the systemd driver: the stage first, waiting until its scope has the limits."""
    from runtime.plan.systemd import enter_rest

    return [
        Op("reserve_state", "(create)", id=c.options.id),
        *mounts.open_mapping_namespaces(c),
        Op("spawn", "(stage)", keep_fds=c.options.keep_fds),
        *[op for op in limits if not _keeps_init_out(op)],
        *enter_rest(c),
    ]


def _stage(c: Container, p: Payload) -> list[Op]:
    """The stage: from the caller's namespaces into the container's."""
    return [
        *process.oom_score_adj(p),
        *(_not_dumpable() if c.privileged else []),
        *namespaces.open_paths(c),
        *(_open_trees(c) if c.trees_early else []),
        *_hold_trees(c),
        *namespaces.join(c),
        *namespaces.unshare_user(c),
        *([] if c.privileged or _in_new_user_namespace(c) else _not_dumpable()),
        *namespaces.unshare_rest(c),
        *_take_trees(c),
        *namespaces.time_offsets(c),
        *([] if c.trees_early else _open_trees(c)),
        *_fork(),
    ]


def _root_file_system(c: Container) -> list[Op]:
    """init: everything that is put into the root file system, and the hooks that see the caller's tree."""
    return [
        *_session(c.options.id, c.options.no_new_keyring),
        *namespaces.unshare_cgroup(c),
        *namespaces.loopback_up(c),
        *rootfs.parent_propagation(c),
        *rootfs.attach(c),
        *mounts.attach(c),
        *mounts.notify_socket(c),
        *devices.make(c),
        *devices.symlinks(c),
        *hooks.prestart(c),
        *hooks.create_runtime(c),
        *hooks.create_container(c),
        *rootfs.enter(c),
    ]


def _inside(c: Container, p: Payload) -> list[Op]:
    """init: in the new root, finishing it; read-only comes when nothing more is to be written."""
    return [
        *devices.reopen_dev_null(c),
        Op("make_cwd", "/process/cwd", path=c.process.cwd),
        *process.console(p),
        *_send_pidfd(c.options.pidfd_socket),
        *mounts.late_readonly(c),
        *rootfs.readonly(c),
        *process.umask(p),
        *_names(c),
        *sysctl.sysctls(c),
        *masks.readonly_paths(c),
        *masks.masked_paths(c),
        *rootfs.final_propagation(c),
    ]


def _process(c: Container, p: Payload, limits: list[Op]) -> list[Op]:
    """init: from root to the process; then it waits for `start`."""
    return [
        *process.no_new_privileges(p),
        *process.scheduler(p),
        *process.io_priority(p),
        *process.personality(p),
        *process.rlimits(p),
        *[op for op in limits if _keeps_init_out(op)],
        Op("save_state", "(create)", status="created"),
        *process.environment(p),
        *process.become_payload(p),
        Op("wait_start", "(create)", fifo="exec.fifo", status="exec.status"),
        *hooks.start_container(c),
        *process.execute(p),
    ]


# steps that are one operation


def _cgroup(c: Container) -> list[Op]:
    resources = c.linux.resources if c.linux else None
    cgroups_path = c.linux.cgroups_path if c.linux else None
    limits = plan_cgroup(resources, cgroups_path, c.options.id, c.host, c.options.rootless)
    if "cgroup" in c.namespaces.new and not c.host.cgroup.v1:
        from runtime.plan.cgroup_owner import cgroup_owner

        limits += cgroup_owner(c)
    if c.host.systemd is not None:
        from runtime.plan.systemd import plan_systemd

        return plan_systemd(c, limits)
    return limits


def _keeps_init_out(op: Op) -> bool:
    """A limit of one process: the stage is one too, so that it is set when the stage has gone."""
    if op.code == "systemd_set":
        return True
    return op.code == "cgroup_set" and op.args["file"] == "pids.max" and op.args["value"] == "1"


def _spawn(keep_fds: int, cgroups: list[Cgroup], moved_in: bool) -> list[Op]:
    """The stage, in its cgroups: born in the unified one, it enters those of v1 itself, which is fast.

    `moved_in`: the runtime does it, as it must where permission for some may be missing.
    """
    spawn = Op("spawn", "(stage)", keep_fds=keep_fds)
    if moved_in:
        return [spawn, Op("cgroup_join", "(cgroup)")]
    tasks = join_files(cgroups)
    return [spawn, Op("enter_cgroups", "(cgroup)", tasks=tasks)] if tasks else [spawn]


def _spawn_attached(keep_fds: int, target: ExecTarget) -> list[Op]:
    """Into a scope of the caller's manager: only systemd may move a process there from outside."""
    below = target.cgroups[-1][1].partition(f"/{target.unit}")[2]
    attach = Op("systemd_attach", "(cgroup)", unit=target.unit, user=1, below=below or "/")
    return [Op("spawn", "(stage)", keep_fds=keep_fds), attach]


def _not_dumpable(cause: str = "(create)") -> list[Op]:
    """What the stage holds of the host is not for other processes to look at: ptrace(2), proc(5)."""
    return [Op("dumpable", cause, value=0)]


def _in_new_user_namespace(c: Container) -> bool:
    """Nobody is in it who could look at the stage and init of a user but the user, whose hooks enter
    the namespaces by /proc/PID/ns; by the time `exec` brings somebody, init holds nothing of the host."""
    return "user" in c.namespaces.new


def _open_trees(c: Container) -> list[Op]:
    return [*rootfs.open_tree(c), *mounts.open_trees(c), *devices.open_trees(c)]


def _hold_trees(c: Container) -> list[Op]:
    """What the caller has mounted read-only must not become writable by root of a user namespace."""
    return [Op("hold_trees", c.namespaces.cause("user"), place=c.rootfs)] if c.holds_trees else []


def _take_trees(c: Container) -> list[Op]:
    return [Op("take_trees", c.namespaces.cause("mount"))] if c.holds_trees else []


def _fork() -> list[Op]:
    return [Op("fork", "(init)")]


def _session(container_id: str, no_new_keyring: bool) -> list[Op]:
    ops = [Op("setsid", "(session)")]
    if not no_new_keyring:
        ops.append(Op("session_keyring", "(session)", name=f"_ses.{container_id}"))
    return ops


def _send_pidfd(path: str) -> list[Op]:
    return [Op("send_pidfd", "(--pidfd-socket)", path=path)] if path else []


def _names(c: Container) -> list[Op]:
    ops = []
    if c.spec.hostname:
        ops.append(Op("hostname", "/hostname", name=c.spec.hostname))
    if c.spec.domainname:
        ops.append(Op("domainname", "/domainname", name=c.spec.domainname))
    return ops


def _chroot_into(names: Namespaces) -> list[Op]:
    """Without a mount namespace the container's root is nothing but its processes' root."""
    return [] if names.own("mount") else [Op("chroot", "(no mount namespace)", root="root")]


# what the steps work on


def _check_caller(c: Container) -> None:
    if not c.privileged and not c.namespaces.own("user"):
        message = "without CAP_SYS_ADMIN a container needs a user namespace"
        raise refuse("/linux/namespaces", message, "see `planc spec --rootless`")
    if c.namespaces.own("user") and not c.own_mounts:
        message = "root of a user namespace can mount nothing without a mount namespace"
        raise refuse("/linux/namespaces", message, 'add {"type": "mount"}')


def _check_labels(c: Container) -> None:
    """Without SELinux a label has no effect; where it is on, a mount without its label would have one."""
    if not c.linux or not c.linux.mount_label:
        return
    if c.host.selinux:
        raise refuse("/linux/mountLabel", "planc 0.1 does not support SELinux", "remove it")
    c.warnings.append("linux.mountLabel: ignored, as this host has no SELinux")


def _payload(c: Container) -> Payload:
    p = Payload(c.process, _available(c.host, c.namespaces))
    p.hidden = not c.privileged
    _bind_to(p, c.linux, c.idmap)
    if c.options.notify_socket_dir:
        p.environment.append(f"NOTIFY_SOCKET={mounts.NOTIFY_DIRECTORY}/notify.sock")
    if c.options.listen_fds:
        p.environment += [f"LISTEN_FDS={c.options.listen_fds}", "LISTEN_PID=1"]
    p.warnings = c.warnings
    return p


def _exec_payload(payload: Process, linux: Linux | None, names: Namespaces, host: Host) -> Payload:
    p = Payload(payload, _available(host, names))
    _bind_to(p, linux, IdMap(linux, names, host))
    p.is_init = False
    return p


def _available(host: Host, names: Namespaces) -> int:
    """Who enters a user namespace has every capability in it."""
    every = (1 << host.last_capability + 1) - 1
    return every if names.own("user") else host.capabilities & every


def _bind_to(p: Payload, linux: Linux | None, idmap: IdMap) -> None:
    """What the container lays down for each of its processes."""
    p.setgroups_denied = idmap.denied
    if idmap.known:
        p.uids, p.gids = idmap.uids, idmap.gids
    if linux is None:
        return
    p.personality = linux.personality.domain if linux.personality else ""
    profile = linux.seccomp
    if profile is not None and needs_filter(profile):
        p.seccomp_flags = filter_flags(profile)
        if has_notify(profile):
            p.listener = (profile.listener_path or "", profile.listener_metadata or "")
