"""The cgroups in which a container's would be made. Nothing is written: access(2) says what could be."""

from __future__ import annotations

import errno

from runtime.linux import posix as os
from runtime.linux.cgroup_delegation import where_it_stops
from runtime.linux.facts import CgroupFacts
from runtime.linux.host import Host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def read_cgroup(host: Host, parents: Sequence[tuple[Sequence[str], str]]) -> CgroupFacts:
    """The facts. `parents`: per hierarchy its controllers (none: the unified one) and the directory that
    the container's cgroup would be made in, which may not be there yet."""
    unified = [path for controllers, path in parents if not controllers]
    existing = _existing(unified[0]) if unified else ""
    available, stopped = _controllers(host, unified[0]) if unified else ((), {})
    pure = host.cgroup.mode == "v2"
    memory = [_existing(path) for controllers, path in parents if "memory" in controllers]
    return CgroupFacts(
        parents=tuple([(tuple(names), path, _writable(_existing(path))) for names, path in parents]),
        join=_writable(f"{existing}/cgroup.procs") if existing else 0,
        available=available,
        stopped=stopped,
        kill=_has(existing, "cgroup.kill") if existing else None,
        freezer=_freezer(host, existing),
        swap=_swap(host, existing, memory),
        io_weight=_io_weight(existing) if pure and existing else (),
        page_sizes=host.page_sizes,
    )


def _existing(path: str) -> str:
    """The directory, or the nearest one above it that is there."""
    while path not in ("", "/") and not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _writable(path: str) -> int:
    """0, EROFS, or EACCES; by the effective ids, as open(2) would look."""
    if os.access(path, os.W_OK, effective_ids=True):
        return 0
    if not os.path.exists(path):
        return errno.ENOENT
    read_only = os.statvfs(path).f_flag & os.ST_RDONLY
    return errno.EROFS if read_only else errno.EACCES


def _controllers(host: Host, path: str) -> tuple[tuple[str, ...], dict[str, tuple[str, str, str]]]:
    """What a cgroup in the directory could have, and why not the rest of what the hierarchy has."""
    available, stopped = [], {}
    for name in host.cgroup.controllers:
        try:
            stop = where_it_stops(f"{path}/container", name)
        except OSError:
            continue
        if stop is None:
            available.append(name)
        elif not stop.absent:
            stopped[name] = (stop.path, stop.reason, stop.remedy)
        else:
            stopped[name] = (stop.path, "it is not handed down to it", f"enable {name} above it")
    return tuple(available), stopped


def _sample(directory: str) -> str:
    """A cgroup that is not the root, which lacks files: the directory, or one in it; "" for none."""
    if os.path.exists(f"{directory}/cgroup.freeze"):
        return directory
    try:
        for name in sorted(os.listdir(directory)):
            if os.path.exists(f"{directory}/{name}/cgroup.procs"):
                return f"{directory}/{name}"
    except OSError:
        pass
    return ""


def _has(directory: str, name: str) -> bool | None:
    sample = _sample(directory)
    return os.path.exists(f"{sample}/{name}") if sample else None


def _freezer(host: Host, unified: str) -> bool | None:
    if any("freezer" in names for names, _, _ in host.cgroup.v1):
        return True
    return _has(unified, "cgroup.freeze") if unified else False


def _swap(host: Host, unified: str, memory: list[str]) -> bool | None:
    if memory:
        return os.path.exists(f"{memory[0]}/memory.memsw.limit_in_bytes")
    if not unified or "memory" not in host.cgroup.controllers:
        return None
    for directory in (_sample(unified), _with_memory(unified)):
        if directory and os.path.exists(f"{directory}/memory.max"):
            return os.path.exists(f"{directory}/memory.swap.max")
    return None


def _with_memory(directory: str) -> str:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return ""
    return next(
        (f"{directory}/{name}" for name in names if os.path.exists(f"{directory}/{name}/memory.max")), ""
    )


def _io_weight(directory: str) -> tuple[str, ...]:
    sample = _sample(directory)
    return tuple(
        [name for name in ("io.weight", "io.bfq.weight") if sample and os.path.exists(f"{sample}/{name}")]
    )
