"""config.json's mounts, in the order listed (runtime-spec "Mounts", mount(2), mount_setattr(2))."""

from __future__ import annotations

from runtime.linux.constants import (
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
)
from runtime.plan.idmap import ranges
from runtime.plan.mount_options import MountOptions, parse_options
from runtime.plan.ops import Op
from runtime.plan.paths import inside, outside
from runtime.plan.refuse import dotted, refuse
from runtime.plan.rootfs import tree_propagation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.container import Container
    from runtime.spec.model import Mount

NOTIFY_DIRECTORY = "/run/notify"
NOTIFY_CAUSE = "(NOTIFY_SOCKET)"

# what programs like lxcfs may put over files of /proc
PROC_FILES = (
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
)


class PlannedMount:
    """One entry of `mounts`, read.

    target    where, as init resolves it inside the root
    slot      of the bind's detached tree, or of the file system's mount where that is kept
    late_ro   made read-only after everything has been put into it (a remount: into what it changes)
    kept      a later step changes its attributes, so the descriptor is kept
    remounts  the earlier entry that a `remount` changes
    """

    __slots__ = ("index", "is_bind", "kept", "late_ro", "mount", "options", "remounts", "slot", "target")

    def __init__(self, index: int, mount: Mount) -> None:
        self.index = index
        self.mount = mount
        self.options: MountOptions = parse_options(mount.options or ())
        # the spec wants the option; engines and other runtimes also know the type alone
        self.is_bind = self.options.bind or (mount.type == "bind" and not self.options.remount)
        self.target = inside(mount.destination)
        self.slot = f"mounts[{index}]"
        self.late_ro = self.options.readonly and _is_filled_late(self)
        self.kept = self.late_ro
        self.remounts: PlannedMount | None = None

    @property
    def cause(self) -> str:
        return f"/mounts/{self.index}"

    @property
    def is_idmapped(self) -> bool:
        options = self.options
        wanted = bool(self.mount.uid_mappings) or options.idmap or options.ridmap
        return wanted and self.is_bind and self.remounts is None


def _is_filled_late(entry: PlannedMount) -> bool:
    return not entry.is_bind and (entry.mount.type == "tmpfs" or entry.target == "/dev")


def plan_mounts(c: Container) -> list[PlannedMount]:
    """All entries, read and checked against the rules that do not need the kernel."""
    planned: list[PlannedMount] = []
    for index, mount in enumerate(c.spec.mounts or ()):
        entry = PlannedMount(index, mount)
        if entry.options.remount:
            entry.remounts = _last_on(entry.target, planned)
            if entry.remounts is not None:
                _keep(entry.remounts, entry)
                entry.late_ro = entry.options.readonly and _is_filled_late(entry.remounts)
            elif not entry.is_bind:
                raise refuse(f"{entry.cause}/options", f"remount: no earlier mount is on {entry.target}")
        if entry.remounts is None:
            _check(c, entry)
        planned.append(entry)
    return planned


def _keep(earlier: PlannedMount, entry: PlannedMount) -> None:
    if earlier.mount.type == "cgroup" and not earlier.is_bind:
        raise refuse(
            f"{entry.cause}/options", "remount: a mount of type cgroup is many mounts", "set them there"
        )
    earlier.kept = True


def _last_on(target: str, planned: list[PlannedMount]) -> PlannedMount | None:
    for entry in reversed(planned):
        if entry.target == target and entry.remounts is None:
            return entry
    return None


def _check(c: Container, entry: PlannedMount) -> None:
    where = f"{entry.cause}/destination"
    if entry.target == "/":
        raise refuse(where, '"/" is the root file system itself', "set root.path and root.readonly instead")
    if not entry.is_bind and not entry.mount.type:
        raise refuse(f"{entry.cause}/type", "missing", 'name a file system, or add "bind" to the options')
    if entry.target == "/proc" and not entry.is_bind and entry.mount.type != "proc":
        raise refuse(where, f"only proc can be mounted on /proc, not {entry.mount.type}")
    if entry.target.startswith("/proc/") and entry.target not in PROC_FILES:
        message = f"{entry.target} cannot be mounted because it is inside /proc"
        raise refuse(where, message, "only these may be covered: " + ", ".join(PROC_FILES))
    if entry.is_bind and entry.options.data:
        # the spec has them passed to mount(2), which ignores them; the OCI suite has such a config
        words = ",".join(entry.options.data)
        c.warnings.append(f"{dotted(entry.cause)}.options: {words}: no effect on a bind mount")


# stage: the sources


def open_trees(c: Container) -> list[Op]:
    """The sources of bind mounts that cannot wait, and what stands in for a sysfs that may not be mounted."""
    ops = []
    for entry in c.mounts:
        if entry.remounts is not None:
            continue
        if entry.is_bind:
            if not _is_opened_late(c, entry):
                ops.append(_open_source(c, entry))
        elif entry.mount.type == "cgroup":
            from runtime.plan import cgroup_mounts

            ops += cgroup_mounts.open_trees(c, entry)
        elif _needs_sysfs_fallback(c, entry):
            ops.append(
                Op(
                    "open_tree",
                    entry.cause,
                    tree=f"{entry.slot}.fallback",
                    source="/sys",
                    recursive=1,
                    propagation=tree_propagation(c),
                )
            )
    if c.options.notify_socket_dir:
        ops.append(
            Op(
                "open_tree",
                NOTIFY_CAUSE,
                tree="notify",
                source=c.options.notify_socket_dir,
                propagation=tree_propagation(c),
            )
        )
    return ops


def _is_opened_late(c: Container, entry: PlannedMount) -> bool:
    """Whether init opens the source, just before it is attached.

    Since Linux 6.8 mounts are listed by age, and a person expects the order of config.json. Not so where
    the root file system is in the source, or the source in it: a copy of the source would then hold what
    has just been mounted for the container.
    """
    source, root = f"{_source(c, entry).rstrip('/')}/", f"{c.rootfs.rstrip('/')}/"
    return not c.trees_early and not source.startswith(root) and not root.startswith(source)


def _source(c: Container, entry: PlannedMount) -> str:
    return outside(entry.mount.source or "", c.bundle)


def _open_source(c: Container, entry: PlannedMount) -> Op:
    return Op(
        "open_tree",
        entry.cause,
        tree=entry.slot,
        source=_source(c, entry),
        recursive=int(entry.options.recursive),
        propagation=tree_propagation(c),
        userns=_mapping_namespace(c, entry) if entry.is_idmapped else None,
        userns_recursive=int(entry.options.ridmap),
    )


def _mapping_namespace(c: Container, entry: PlannedMount) -> str:
    """The slot of a user namespace with the mount's own mappings, or else the container's."""
    cause = entry.cause
    if not c.privileged:
        message = "an id-mapped mount needs CAP_SYS_ADMIN where the file system was mounted"
        raise refuse(f"{cause}/options", message, "run as root, or remove idmap and the mappings")
    if entry.mount.uid_mappings:
        uids, gids = ranges(entry.mount.uid_mappings), ranges(entry.mount.gid_mappings)
        return c.mount_maps.slot(uids, gids, f"{cause}/uidMappings")
    if c.idmap.joined:
        return c.namespaces.slot("user")
    if not c.idmap.new:
        raise refuse(f"{cause}/options", "idmap needs uidMappings and gidMappings, or a user namespace")
    return c.mount_maps.slot(c.idmap.uids, c.idmap.gids, f"{cause}/options")


def _needs_sysfs_fallback(c: Container, entry: PlannedMount) -> bool:
    """The kernel wants the network namespace to belong to the user namespace that mounts a sysfs."""
    return entry.mount.type == "sysfs" and c.in_userns and "network" not in c.namespaces.new


# runtime: before the stage


def open_mapping_namespaces(c: Container) -> list[Op]:
    """User namespaces that lend their mappings to id-mapped mounts."""
    for entry in c.mounts:
        if entry.is_idmapped:
            _mapping_namespace(c, entry)
    return c.mount_maps.ops


# init: the mounts


def attach(c: Container) -> list[Op]:
    """Every mount in the order listed."""
    ops: list[Op] = []
    for entry in c.mounts:
        if entry.remounts is not None:
            ops.append(_remount(entry, entry.remounts))
        elif entry.is_bind:
            if _is_opened_late(c, entry):
                ops.append(_open_source(c, entry))
            ops.append(_bind(entry))
        elif entry.mount.type == "cgroup":
            from runtime.plan import cgroup_mounts

            ops += cgroup_mounts.attach(c, entry)
        else:
            ops.append(_filesystem(c, entry))
    return ops


def _bind(entry: PlannedMount) -> Op:
    options = entry.options
    return Op(
        "bind",
        entry.cause,
        tree=entry.slot,
        target=entry.target,
        attr_set=options.attr_set,
        attr_clr=options.attr_clr,
        rec_set=options.rec_set,
        rec_clr=options.rec_clr,
        propagation=options.propagation,
        must_be_procfs=int(entry.target == "/proc"),
    )


def _filesystem(c: Container, entry: PlannedMount) -> Op:
    options, kind = entry.options, entry.mount.type
    attrs = options.attr_set & ~options.rec_clr | options.rec_set
    superflags = list(options.superflags)
    if entry.late_ro:
        attrs &= ~MOUNT_ATTR_RDONLY
    elif options.readonly and kind != "tmpfs":
        superflags.append("ro")
    tmpfs = kind == "tmpfs"
    return Op(
        "mount",
        entry.cause,
        mount=entry.slot if entry.kept else None,
        type=kind,
        source=entry.mount.source or kind,
        data=",".join(options.data),
        superflags=",".join(superflags),
        attrs=attrs,
        target=entry.target,
        propagation=options.propagation,
        copy_up=int(tmpfs and options.copy_up),
        inherit_mode=int(tmpfs and not any(word.startswith("mode=") for word in options.data)),
        fallback=f"{entry.slot}.fallback" if _needs_sysfs_fallback(c, entry) else None,
    )


def _remount(entry: PlannedMount, earlier: PlannedMount) -> Op:
    """`remount` changes the attributes of what an earlier entry has mounted there."""
    options = entry.options
    attr_set = options.attr_set | options.rec_set
    return Op(
        "set_attr",
        entry.cause,
        mount=earlier.slot,
        attr_set=attr_set & ~MOUNT_ATTR_RDONLY if entry.late_ro else attr_set,
        attr_clr=options.attr_clr | options.rec_clr,
        recursive=int(bool(options.rec_set or options.rec_clr)),
    )


def notify_socket(c: Container) -> list[Op]:
    """The directory of the proxied NOTIFY_SOCKET, sd_notify(3)."""
    if not c.options.notify_socket_dir:
        return []
    attrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC
    return [Op("bind", NOTIFY_CAUSE, tree="notify", target=NOTIFY_DIRECTORY, attr_set=attrs)]


def late_readonly(c: Container) -> list[Op]:
    """tmpfs and /dev that are to be read-only, now that they are filled."""
    return [
        Op(
            "set_attr",
            f"{entry.cause}/options",
            mount=(entry.remounts or entry).slot,
            attr_set=MOUNT_ATTR_RDONLY,
        )
        for entry in c.mounts
        if entry.late_ro
    ]
