"""uid and gid mappings: of the user namespace, and of id-mapped mounts (user_namespaces(7))."""

from __future__ import annotations

from runtime.linux.capabilities import CAPABILITIES
from runtime.plan.ops import Op
from runtime.plan.refuse import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.linux.host import Host
    from runtime.plan.namespaces import Namespaces
    from runtime.spec.model import Linux, LinuxIDMapping

    #: (inside, outside, size)
    Range = Sequence[int]

_CAP_SETGID = CAPABILITIES["CAP_SETGID"]
_CAP_SETUID = CAPABILITIES["CAP_SETUID"]


def ranges(mappings: list[LinuxIDMapping] | None) -> list[tuple[int, int, int]]:
    """The mappings of config.json as (inside, outside, size)."""
    return [(entry.container_id, entry.host_id, entry.size) for entry in mappings or ()]


def map_text(mapping: Sequence[Range]) -> str:
    """What is written to /proc/PID/uid_map: one line per range."""
    return "".join([f"{inside} {outside} {size}\n" for inside, outside, size in mapping])


def is_mapped(number: int, mapping: Sequence[Range]) -> bool:
    """Whether the id exists inside of the namespace."""
    return any(inside <= number < inside + size for inside, _, size in mapping)


def setgroups_denied(host: Host, gid_map: Sequence[Range] | None) -> bool:
    """Whether setgroups(2) is given up: the price of writing a gid_map without privilege."""
    if not host.setgroups:
        return True
    return gid_map is not None and not host.capable(_CAP_SETGID) and _only_self(gid_map, host.egid)


def _only_self(mapping: Sequence[Range], own: int) -> bool:
    """A mapping of nothing but the caller's own id is the one that needs no privilege."""
    return len(mapping) == 1 and mapping[0][1] == own and mapping[0][2] == 1


class IdMap:
    """The ids of the container: ranges of its user namespace, or of the caller's where it shares that.

    `known` is False for a joined user namespace: what is mapped there only the kernel can say.
    """

    __slots__ = ("denied", "gids", "helpers", "joined", "known", "new", "uids")

    def __init__(self, linux: Linux | None, namespaces: Namespaces, host: Host) -> None:
        self.new = "user" in namespaces.new
        self.joined = "user" in namespaces.joined
        self.known = not self.joined
        self.uids: Sequence[Range] = host.uid_map
        self.gids: Sequence[Range] = host.gid_map
        if linux and (self.new or self.joined):
            self.uids = ranges(linux.uid_mappings)
            self.gids = ranges(linux.gid_mappings)
        self.denied = setgroups_denied(host, self.gids if self.new else None)
        self.helpers = self.new and not (
            _writable(self.uids, host.euid, host.capable(_CAP_SETUID))
            and _writable(self.gids, host.egid, host.capable(_CAP_SETGID))
        )

    def after_unshare(self, cause: str) -> list[Op]:
        """The maps of the new namespace, then root in it, whose rights everything that follows needs."""
        if not is_mapped(0, self.uids) or not is_mapped(0, self.gids):
            kind = "uidMappings" if not is_mapped(0, self.uids) else "gidMappings"
            raise refuse(f"/linux/{kind}", "0 is not mapped", "init needs root inside of it")
        maps = Op(
            "id_map",
            "/linux/uidMappings",
            uid_map=map_text(self.uids),
            gid_map=map_text(self.gids),
            setgroups="deny" if self.denied else "",
            helpers=int(self.helpers),
        )
        return [maps, Op("become_root", cause)]

    def after_join(self, cause: str) -> list[Op]:
        """Mappings given beside a path must be those of the namespace that the path leads to."""
        ops = []
        if self.uids or self.gids:
            ops.append(
                Op(
                    "check_id_map",
                    "/linux/uidMappings",
                    uid_map=map_text(self.uids),
                    gid_map=map_text(self.gids),
                )
            )
        return [*ops, Op("become_root", cause)]


def _writable(mapping: Sequence[Range], own: int, capable: bool) -> bool:
    return capable or _only_self(mapping, own)


class MountMaps:
    """User namespaces that exist only to carry the mappings of id-mapped mounts: one per mapping."""

    __slots__ = ("ops", "slots")

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.slots: dict[tuple[str, str], str] = {}

    def slot(self, uids: Sequence[Range], gids: Sequence[Range], cause: str) -> str:
        """The slot of a user namespace with these mappings."""
        texts = (map_text(uids), map_text(gids))
        if texts not in self.slots:
            name = f"userns[{len(self.slots)}]"
            self.slots[texts] = name
            self.ops.append(Op("open_user_namespace", cause, userns=name, uid_map=texts[0], gid_map=texts[1]))
        return self.slots[texts]
