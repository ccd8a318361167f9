"""Hosts that could do what this one cannot, so that `explain` has a plan to show. Pure."""

from __future__ import annotations

from runtime.linux.host import CgroupLayout, Host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime.spec.model import Spec

V1 = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "net_cls", "net_prio",
      "hugetlb", "rdma")  # fmt: skip
V2 = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc")


def more_capable(host: Host, spec: Spec) -> Iterator[tuple[str, Host]]:
    """(what it has that the host has not, a host with it), from the likeliest to the most capable."""
    with_all = with_controllers(host, spec)
    yield "every cgroup controller", with_all
    yield "every cgroup controller, and root", as_root(with_all)


def with_controllers(host: Host, spec: Spec) -> Host:
    """All controllers where this host's hierarchies would have them, and the config's huge page sizes."""
    layout = host.cgroup
    v1 = layout.v1
    if v1:
        mounted = {name for names, _, _ in v1 for name in names}
        v1 += tuple([((name,), f"/sys/fs/cgroup/{name}", "/") for name in V1 if name not in mounted])
    unified = layout.unified or ("/sys/fs/cgroup/unified" if v1 else "/sys/fs/cgroup")
    mode = "hybrid" if v1 else "v2"
    controllers = (*layout.controllers, *[name for name in V2 if name not in layout.controllers])
    resources = spec.linux.resources if spec.linux else None
    sizes = [limit.page_size for limit in (resources and resources.hugepage_limits) or ()]
    return _changed(
        host,
        cgroup=CgroupLayout(mode, v1, unified, layout.own, controllers),
        page_sizes=(*host.page_sizes, *sizes),
    )


def as_root(host: Host) -> Host:
    """The same host, for root with all capabilities."""
    root = Host()
    names = ("euid", "egid", "user_namespace", "uid_map", "gid_map", "setgroups")
    every = (1 << host.last_capability + 1) - 1
    return _changed(host, capabilities=every, **{name: getattr(root, name) for name in names})


def _changed(host: Host, **changes: object) -> Host:
    copy = Host()
    for name in Host.__slots__:
        setattr(copy, name, changes.get(name, getattr(host, name)))
    return copy
