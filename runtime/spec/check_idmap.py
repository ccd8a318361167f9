"""The checks of id mappings: of the user namespace, and of id-mapped mounts."""

from __future__ import annotations

from runtime.errors import Problem
from runtime.spec.decode import show
from runtime.spec.finding import NO_ID, items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.finding import Namespaces
    from runtime.spec.model import Linux, LinuxIDMapping, Mount, Spec

__all__ = ["check_mappings", "check_mount_mappings"]

# user_namespaces(7)
_MAX_LINES = 340


def check_mappings(spec: Spec, linux: Linux, namespaces: Namespaces, problems: list[Problem]) -> None:
    """linux.uidMappings and gidMappings, and that the ids which the config uses are mapped."""
    user = namespaces.get("user")
    for path, mappings in (
        ("linux.uidMappings", linux.uid_mappings),
        ("linux.gidMappings", linux.gid_mappings),
    ):
        if mappings and namespaces.lack("user"):
            message = 'needs a user namespace; add {"type": "user"} to linux.namespaces'
            problems.append(Problem(path, None, message))
        elif mappings and user is not None and user.path:
            # Podman and containerd repeat the mappings of the namespace they name
            spec.warnings.append(f"{path}: ignored, since the user namespace is {show(user.path)}")
        elif not mappings and user is not None and not user.path:
            message = "missing; a new user namespace needs at least one mapping"
            problems.append(Problem(path, mappings, message))
        _check_ranges(mappings, path, problems)
    if user is not None and not user.path:
        _check_user(spec, linux, problems)
        _check_mount_ids(spec, linux, problems)


def _check_ranges(mappings: list[LinuxIDMapping] | None, path: str, problems: list[Problem]) -> None:
    """user_namespaces(7): no empty range, none beyond 32 bits, none that overlaps another."""
    if mappings and len(mappings) > _MAX_LINES:
        message = f"{len(mappings)} mappings are too many; the kernel takes {_MAX_LINES}"
        problems.append(Problem(path, None, message))
    used: tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]] = ([], [])
    for where, mapping in items(path, mappings):
        size = mapping.size
        if size == 0:
            problems.append(Problem(f"{where}.size", 0, "0 maps nothing; write the number of ids"))
        if not size:
            continue
        for name, start, ranges in (
            ("containerID", mapping.container_id, used[0]),
            ("hostID", mapping.host_id, used[1]),
        ):
            if start is None:
                continue
            if start + size > 2**32:
                message = f"{start} and {size} more go beyond the last id 4294967295; lower one of them"
                problems.append(Problem(f"{where}.{name}", start, message))
            for first, end, other in ranges:
                if start < end and first < start + size:
                    message = f"{start} and the following {size} overlap {other}; make the ranges disjoint"
                    problems.append(Problem(f"{where}.{name}", start, message))
                    break
            ranges.append((start, start + size, where))


def _is_mapped(number: int, mappings: list[LinuxIDMapping]) -> bool:
    for mapping in mappings:
        if mapping is None or mapping.container_id is None or mapping.size is None:
            return True  # reported already
        if mapping.container_id <= number < mapping.container_id + mapping.size:
            return True
    return False


def _check_user(spec: Spec, linux: Linux, problems: list[Problem]) -> None:
    user = spec.process.user if spec.process is not None else None
    if user is None:
        return
    ids = [("process.user.uid", user.uid, "uidMappings"), ("process.user.gid", user.gid, "gidMappings")]
    for index, gid in enumerate(user.additional_gids or []):
        ids.append((f"process.user.additionalGids[{index}]", gid, "gidMappings"))
    for path, number, name in ids:
        mappings = linux.uid_mappings if name == "uidMappings" else linux.gid_mappings
        # what is no id at all is reported already
        if number not in (None, NO_ID) and mappings and not _is_mapped(number, mappings):
            message = f"{number} is not mapped; add it to linux.{name}, or use a mapped id"
            problems.append(Problem(path, number, message))


def _check_mount_ids(spec: Spec, linux: Linux, problems: list[Problem]) -> None:
    """uid= and gid= of a file system are ids of the user namespace that mounts it."""
    for path, mount in items("mounts", spec.mounts):
        for where, option in items(f"{path}.options", mount.options):
            name, _, value = option.partition("=")
            if name not in ("uid", "gid") or not (value.isascii() and value.isdigit()):
                continue
            mappings = linux.uid_mappings if name == "uid" else linux.gid_mappings
            if mappings and not _is_mapped(int(value[:19]), mappings):
                message = f"{show(option)} is not mapped; add it to linux.{name}Mappings, or use a mapped id"
                problems.append(Problem(where, option, message))


def check_mount_mappings(spec: Spec, namespaces: Namespaces, problems: list[Problem]) -> None:
    """mounts[].uidMappings and gidMappings, and the options idmap and ridmap."""
    for path, mount in items("mounts", spec.mounts):
        options = mount.options or []
        _check_pair(mount, path, problems)
        _check_ranges(mount.uid_mappings, f"{path}.uidMappings", problems)
        _check_ranges(mount.gid_mappings, f"{path}.gidMappings", problems)
        mapped = bool(mount.uid_mappings or mount.gid_mappings)
        is_bind = "bind" in options or "rbind" in options
        for where, option in items(f"{path}.options", options):
            if option in ("idmap", "ridmap"):
                if not mapped and namespaces.lack("user"):
                    message = f"{show(option)} needs uidMappings and gidMappings, or a user namespace"
                    problems.append(Problem(where, option, message))
                if not is_bind:
                    message = f"{show(option)} is for bind mounts; add bind or rbind to the options"
                    problems.append(Problem(where, option, message))
        if mapped and not is_bind and "idmap" not in options and "ridmap" not in options:
            name = "uidMappings" if mount.uid_mappings else "gidMappings"
            message = f"neither bind nor rbind; {name} is for bind mounts only"
            problems.append(Problem(f"{path}.options", mount.options, message))


def _check_pair(mount: Mount, path: str, problems: list[Problem]) -> None:
    if mount.uid_mappings and not mount.gid_mappings:
        problems.append(
            Problem(f"{path}.gidMappings", None, "missing; uidMappings is there: write both, or neither")
        )
    if mount.gid_mappings and not mount.uid_mappings:
        problems.append(
            Problem(f"{path}.uidMappings", None, "missing; gidMappings is there: write both, or neither")
        )
