"""linux.cgroupsPath for systemd: ``slice:prefix:name``, the unit that it names and the unit's cgroups.

Source: systemd.slice(5), "Name"; the forms and defaults are runc's.
"""

from __future__ import annotations

from runtime.plan.refuse import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.errors import PlanError
    from runtime.linux.host import Host
    from runtime.plan.cgroup import Cgroup

POINTER = "/linux/cgroupsPath"
FORM = "with --systemd-cgroup it is SLICE:PREFIX:NAME, as in system.slice:runc:web"
DEFAULT_PREFIX = "runc"
#: systemd.unit(5): what a unit's name may be made of, and how long it may be
UNIT_CHARS = ":-_.\\@"
UNIT_MAX = 255


class Unit:
    """The container's scope: ``name``, the ``slice`` it is in, ``label`` for people (without prefix)."""

    __slots__ = ("label", "name", "slice")

    def __init__(self, name: str, slice: str, label: str) -> None:
        self.name = name
        self.slice = slice
        self.label = label


def container_unit(cgroups_path: str | None, container_id: str, user: bool) -> Unit:
    """The unit that cgroupsPath names; absent it is runc-ID.scope. `user`: of a user's manager.

    Raises PlanError for a path of another form.
    """
    slice, prefix, name = "", DEFAULT_PREFIX, container_id
    if cgroups_path:
        parts = cgroups_path.split(":")
        if len(parts) != 3:
            raise _refused(cgroups_path, "has not three parts")
        slice, prefix, name = parts
    slice = slice or ("user.slice" if user else "system.slice")
    expand_slice(slice)
    if name.endswith(".slice"):
        raise _refused(cgroups_path or name, "names a slice, but systemd puts processes into scopes only")
    if not name:
        raise _refused(cgroups_path or "", "has no name")
    unit = Unit(f"{prefix}-{name}.scope", slice, name)
    _check_name(unit.name, cgroups_path or name)
    return unit


def expand_slice(slice: str) -> str:
    """The slice's cgroup below that of its manager: "a-b.slice" is "/a.slice/a-b.slice", "-.slice" "".

    Raises PlanError for what is no slice's name.
    """
    stem = slice.removesuffix(".slice")
    if stem == slice or "/" in slice:
        raise _refused(slice, "is not the name of a slice")
    if stem == "-":
        return ""
    _check_name(slice, slice)
    path = prefix = ""
    for part in stem.split("-"):
        if not part:
            raise _refused(slice, "is not the name of a slice: it has an empty part")
        prefix += part
        path += f"/{prefix}.slice"
        prefix += "-"
    return path


def systemd_cgroups(cgroups_path: str | None, container_id: str, host: Host) -> list[Cgroup]:
    """The container's directory in each mounted hierarchy, as ``runtime.plan.cgroup.container_cgroups``.

    Raises PlanError: a bad path, or a user's manager where it could not give a container its cgroups.
    """
    systemd = host.systemd
    assert systemd is not None
    unit = container_unit(cgroups_path, container_id, systemd.user)
    layout = host.cgroup
    if systemd.user and layout.v1:
        raise refuse(
            POINTER if cgroups_path else "",
            "--systemd-cgroup: the manager of a user (systemd --user) has no cgroups to give on cgroup v1",
            "leave the option out, or boot with systemd.unified_cgroup_hierarchy=1",
        )
    inner = f"{systemd.control_group.rstrip('/')}{expand_slice(unit.slice)}/{unit.name}"
    cgroups: list[Cgroup] = [(names, mountpoint + inner) for names, mountpoint, _ in layout.v1]
    if layout.unified:
        cgroups.append(((), layout.unified + inner))
    return cgroups


def _check_name(name: str, shown: str) -> None:
    if len(name) > UNIT_MAX:
        raise _refused(shown, f"makes a unit name of more than {UNIT_MAX} characters")
    for char in name:
        if not (char.isascii() and char.isalnum()) and char not in UNIT_CHARS:
            raise _refused(shown, f'has "{char}", which a unit\'s name cannot have (systemd.unit(5))')


def _refused(path: str, what: str) -> PlanError:
    return refuse(POINTER, f'"{path}" {what}', FORM)
