"""Who owns the container's cgroup: config-linux.md of the runtime-spec, "Cgroup ownership"."""

from __future__ import annotations

from runtime.plan.cgroup import container_cgroups
from runtime.plan.ops import Op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.plan.container import Container
    from runtime.plan.idmap import Range
    from runtime.spec.model import Mount


def cgroup_owner(c: Container) -> list[Op]:
    """Operation ``cgroup_owner``, where the process is to manage cgroups of its own: on a pure v2 host,
    in a cgroup namespace of its own, with a writable mount of it, as another user than the caller.

    Without privilege there is nothing to give away.
    """
    layout = c.host.cgroup
    if not layout.unified or layout.v1 or c.options.rootless or "cgroup" not in c.namespaces.new:
        return []
    entry = next((entry for entry in c.mounts if _shows_cgroups_writable(entry.mount)), None)
    user = c.process.user
    uid = outside(user.uid or 0, c.idmap.uids) if user and c.idmap.known else None
    if entry is None or uid is None or uid == c.host.euid:
        return []
    cgroups_path = c.linux.cgroups_path if c.linux else None
    path = container_cgroups(cgroups_path, c.options.id, c.host)[-1][1]
    return [Op("cgroup_owner", entry.cause, path=path, uid=uid)]


def outside(number: int, mapping: Sequence[Range]) -> int | None:
    """What the id of the namespace is for the caller; None: it is not mapped."""
    for inside, start, size in mapping:
        if inside <= number < inside + size:
            return start + number - inside
    return None


def _shows_cgroups_writable(mount: Mount) -> bool:
    return (
        mount.source == "cgroup"
        and mount.destination == "/sys/fs/cgroup"
        and "ro" not in (mount.options or ())
    )
