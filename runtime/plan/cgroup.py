"""linux.resources and linux.cgroupsPath: the container's cgroups and what is written into them.

Each part of the resources goes to the v1 hierarchy of its controller where one is mounted, else to
the unified hierarchy when that has the controller; with neither, asking for a limit is an error.
So a hybrid host may get both kinds of writes.
"""

from __future__ import annotations

from runtime.plan.ops import Op
from runtime.plan.refuse import pointer_token, refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.errors import PlanError
    from runtime.linux.host import CgroupLayout, Host
    from runtime.plan.cgroup_v1 import Writes
    from runtime.spec.model import LinuxResources

    #: the controllers of one hierarchy (none: the unified one) and the container's directory in it
    Cgroup = tuple[tuple[str, ...], str]

RESOURCES = "/linux/resources"


def plan_cgroup(
    resources: LinuxResources | None, cgroups_path: str | None, container_id: str, host: Host, rootless: bool
) -> list[Op]:
    """Operations that make the container's cgroups, in order: ``cgroup_create`` per hierarchy, the
    limits, the device rules. Raises PlanError for what this host's controllers cannot do.

    Without CAP_SYS_ADMIN in the initial user namespace (`rootless`, or a caller in a user namespace)
    the kernel takes no device rules, and none are planned: such a container has no device nodes but
    those that the host already gives its user.
    """
    cause = "/linux/cgroupsPath" if cgroups_path else "(default cgroupsPath)"
    ops = [
        Op("cgroup_create", cause, path=path, controllers=list(controllers))
        for controllers, path in container_cgroups(cgroups_path, container_id, host)
    ]
    if resources is not None:
        ops += _limits(LimitRequest(resources, False, {}, RESOURCES), host)
    if not rootless and not host.user_namespace:
        ops += _devices(resources, host.cgroup)
    return ops


def plan_update(
    resources: LinuxResources, host: Host, current: dict[str, int], pointer: str = ""
) -> list[Op]:
    """Operations of ``update``: absent values and zeros (managers send them for "unchanged") are
    left alone, but for idle, burst and swappiness, where 0 is a value; device rules are ignored.

    `current`: what ``runtime.execute.cgroupfs.current_limits`` read: what is not given, but makes
    one value together with what is given, keeps its value. `pointer`: where `resources` is in its
    document. A memory limit of -1 makes swap unlimited too.
    """
    return _limits(LimitRequest(resources, True, current, pointer), host)


def container_cgroups(cgroups_path: str | None, container_id: str, host: Host) -> list[Cgroup]:
    """The container's directory in each mounted hierarchy, () for the unified one (last).

    An absolute cgroupsPath counts from the mountpoint, a relative one (absent: the container's id)
    from the caller's own cgroup; on a pure v2 host from that cgroup's parent, since a cgroup with
    processes cannot have children with controllers. No ".." leads out of where the path counts from.
    With the systemd driver the path is another one: see ``runtime.plan.systemd_unit``.
    """
    if host.systemd is not None:
        from runtime.plan.systemd_unit import systemd_cgroups

        return systemd_cgroups(cgroups_path, container_id, host)
    layout = host.cgroup
    inner = clean_path(cgroups_path or container_id)
    absolute = bool(cgroups_path) and (cgroups_path or "").startswith("/")
    cgroups: list[Cgroup] = []
    for names, mountpoint, own in layout.v1:
        cgroups.append((names, _join(mountpoint, "/" if absolute else own, inner)))
    if layout.unified:
        own = layout.own if layout.v1 else layout.own.rpartition("/")[0]
        cgroups.append(((), _join(layout.unified, "/" if absolute else own, inner)))
    return cgroups


def join_files(cgroups: list[Cgroup]) -> list[str]:
    """The v1 files into which a single-threaded process writes "0" to enter the cgroups by itself.

    That takes a fraction of the time of writing its pid into cgroup.procs, for which the kernel must
    hold up all forks of the machine. The unified hierarchy has no such file (clone3(2) with
    CLONE_INTO_CGROUP is its way).
    """
    return [f"{path}/tasks" for controllers, path in cgroups if controllers]


def clean_path(path: str) -> str:
    """The path as an absolute one without "." and "..", which stop at the top."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def _join(mountpoint: str, own: str, inner: str) -> str:
    return f"{mountpoint}{own.rstrip('/')}{inner}".rstrip("/")


PARTS = (
    # attribute of the resources, v1 controller, v2 controller, function of cgroup_v1 and cgroup_v2
    ("memory", "memory", "memory", "memory"),
    ("cpu", "cpu", "cpu", "cpu"),
    ("cpu", "cpuset", "cpuset", "cpuset"),
    ("pids", "pids", "pids", "pids"),
    ("block_io", "blkio", "io", "block_io"),
    ("hugepage_limits", "hugetlb", "hugetlb", "hugepages"),
    ("rdma", "rdma", "rdma", "rdma"),
    ("network", "net_cls", "", "network_class"),
    ("network", "net_prio", "", "network_priorities"),
)


#: Core files that would keep the container's processes from being born there, or are commands.
NO_LIMITS = {
    "cgroup.procs": "planc puts the container's processes there",
    "cgroup.threads": "planc puts the container's processes there",
    "cgroup.subtree_control": "a cgroup whose children have controllers can have no processes",
    "cgroup.type": "planc sets it",
    "cgroup.freeze": "use pause",
    "cgroup.kill": "use kill",
}


class LimitRequest:
    """What the functions of cgroup_v1 and cgroup_v2 are given.

    `update`: for a container that exists; `current`: what it has, see :func:`plan_update`;
    `pointer`: where `resources` is in its document.
    """

    __slots__ = ("resources", "update", "current", "pointer")

    def __init__(
        self, resources: LinuxResources, update: bool, current: dict[str, int], pointer: str
    ) -> None:
        self.resources = resources
        self.update = update
        self.current = current
        self.pointer = pointer


def _limits(request: LimitRequest, host: Host) -> list[Op]:
    layout = host.cgroup
    mounted = [name for names, _, _ in layout.v1 for name in names]
    pure_v2 = bool(layout.unified) and not layout.v1
    ops: list[Op] = []
    for attribute, v1, v2, function in PARTS:
        if getattr(request.resources, attribute) is None:
            continue
        unified = v1 not in mounted and (pure_v2 or v2 in layout.controllers)
        writes = _writes(function, request, unified)
        if writes and v1 not in mounted and v2 not in layout.controllers:
            raise _missing(v2 if unified else v1, request.pointer + writes[0][2], layout)
        if attribute == "hugepage_limits":
            _check_page_sizes(request, host)
        ops += _sets("" if unified else v1, writes, request.pointer)
    return ops + _unified(request, layout)


def _writes(function: str, request: LimitRequest, unified: bool) -> Writes:
    """What one function of cgroup_v1 or cgroup_v2 says; only the one that is needed is imported."""
    if unified:
        from runtime.plan import cgroup_v2 as version
    else:
        from runtime.plan import cgroup_v1 as version  # type: ignore[no-redef]
    return getattr(version, function)(request)  # type: ignore[no-any-return]


def _sets(controller: str, writes: Writes, pointer: str) -> list[Op]:
    ops = []
    for file, value, where in writes:
        code = "cgroup_check" if file.endswith(".current") else "cgroup_set"
        ops.append(Op(code, pointer + where, controller=controller, file=file, value=value))
    return ops


def _missing(controller: str, where: str, layout: CgroupLayout) -> PlanError:
    have = [name for names, _, _ in layout.v1 for name in names] + list(layout.controllers)
    if not have:
        place, hint = "on this host", "no cgroup file system is mounted"
    elif layout.part:
        place, hint = "in the part of the cgroups that the caller sees", f"it has {', '.join(have)}"
    else:
        place, hint = "on this host", f"it has {', '.join(have)}"
    return refuse(where, f"the {controller} controller is not available {place}", hint)


def _check_page_sizes(request: LimitRequest, host: Host) -> None:
    for index, limit in enumerate(request.resources.hugepage_limits or ()):
        if limit.page_size not in host.page_sizes:
            where = f"{request.pointer}/hugepageLimits/{index}/pageSize"
            hint = f"it has {', '.join(host.page_sizes)}" if host.page_sizes else "it has none"
            raise refuse(where, f'"{limit.page_size}" is not a huge page size of this host', hint)


def _unified(request: LimitRequest, layout: CgroupLayout) -> list[Op]:
    """linux.resources.unified, last, so that it overrides what was converted."""
    ops: list[Op] = []
    for file, value in (request.resources.unified or {}).items():
        where = f"{request.pointer}/unified/{pointer_token(file)}"
        if not layout.unified:
            raise refuse(where, "this host has no unified hierarchy (cgroup v2)")
        _check_unified(file, where, layout)
        # the kernel takes one setting per write(2)
        for line in value.split("\n") if "\n" in value else [value]:
            if line or not value:
                ops.append(Op("cgroup_set", where, controller="", file=file, value=line))
    return ops


def _check_unified(file: str, where: str, layout: CgroupLayout) -> None:
    """Whether it can be a file of a controller that this host has in the unified hierarchy."""
    controller = file.partition(".")[0]
    if "/" in file or "." not in file:
        raise refuse(where, f'"{file}" is not the name of a cgroup file')
    if file in NO_LIMITS:
        raise refuse(where, f"{file} is not a limit", f"remove it: {NO_LIMITS[file]}")
    if controller == "cgroup" or controller in layout.controllers:
        return
    if any(controller in names for names, _, _ in layout.v1):
        message = f"this host has the {controller} controller in cgroup v1, which unified does not reach"
        raise refuse(where, message, "write the limit by its name in linux.resources")
    raise _missing(controller, where, layout)


def _devices(resources: LinuxResources | None, layout: CgroupLayout) -> list[Op]:
    """The device rules, also where none were asked for: they are a list of what is allowed."""
    rules = (resources.devices if resources is not None else None) or []
    v1 = any("devices" in names for names, _, _ in layout.v1)
    if not v1 and not (layout.unified and not layout.v1):
        if rules:
            raise _missing("devices", f"{RESOURCES}/devices", layout)
        return []
    from runtime.plan.device_rules import device_rules

    cause = f"{RESOURCES}/devices" if rules else "(default device rules)"
    return [Op("cgroup_devices", cause, rules=device_rules(rules, f"{RESOURCES}/devices"))]
