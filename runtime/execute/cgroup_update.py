"""Changing the limits of a container that exists, with the old values put back on failure."""

from __future__ import annotations

from runtime.execute.cgroupfs import apply, write
from runtime.linux.files import read_file as read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.execute.cgroupfs import Cgroup
    from runtime.plan.ops import Op

#: What takes a limit off, for a device that had none, by file.
NO_LIMIT = {
    "io.max": "rbps=max wbps=max riops=max wiops=max",
    "io.weight": "default",
    "io.bfq.weight": "default",
    "rdma.max": "hca_handle=max hca_object=max",
}
#: A v1 limit that is not set reads as this, whatever the page size.
UNLIMITED_V1 = 0x7FFFFFFFFFFF0000


def update(cgroups: Sequence[Cgroup], ops: Sequence[Op]) -> None:
    """See cgroupfs.update."""
    old = _old_values(cgroups, ops)
    try:
        apply(cgroups, ops)
    except BaseException:
        _put_back(old)
        raise


def _old_values(cgroups: Sequence[Cgroup], ops: Sequence[Op]) -> list[tuple[str, bytes]]:
    """What to write into which file to have things as they are now, the last written first."""
    where = {name: path for controllers, path in cgroups for name in controllers or ("",)}
    old: list[tuple[str, bytes]] = []
    for op in reversed(ops):
        path = where.get(op.args.get("controller", "-"), "")
        if op.code != "cgroup_set" or not path:
            continue
        try:
            text = read(f"{path}/{op.args['file']}").decode()
        except OSError:
            continue
        value = old_value(op.args["file"], op.args["value"], text)
        if value is not None:
            old.append((f"{path}/{op.args['file']}", value.encode()))
    return old


def old_value(file: str, new: str, text: str) -> str | None:
    """What undoes writing `new` to `file`, which reads `text` now; None: it cannot be undone."""
    if file == "memory.oom_control":
        return text.split()[1] if text.startswith("oom_kill_disable ") else None
    key, space, _ = new.partition(" ")
    keyed = bool(space) and (file in NO_LIMIT or ":" in key)
    if not keyed:
        first = text.split("\n", 1)[0]
        return first.removeprefix("default ") if file in NO_LIMIT else first
    for line in text.splitlines():
        if line.startswith(key + " "):
            return line
    return f"{key} {NO_LIMIT.get(file, '0')}"


def _put_back(old: list[tuple[str, bytes]]) -> None:
    """Twice, for values that constrain each other; what is refused was not changed."""
    for _ in range(2):
        for path, value in old:
            try:
                write(path, value)
            except OSError:
                pass


def current_limits(cgroups: Sequence[Cgroup]) -> dict[str, int]:
    """Limits as config.json has them, -1 for none: `limit` and `swap` (memory and swap together) in
    bytes, `quota` and `period` in microseconds. What cannot be read is absent."""
    values: dict[str, int] = {}
    for controllers, path in cgroups:
        if "memory" in controllers:
            _add(values, "limit", f"{path}/memory.limit_in_bytes")
            _add(values, "swap", f"{path}/memory.memsw.limit_in_bytes")
        if "cpu" in controllers:
            _add(values, "quota", f"{path}/cpu.cfs_quota_us")
            _add(values, "period", f"{path}/cpu.cfs_period_us")
        if not controllers:
            _add_unified(values, path)
    return values


def _add_unified(values: dict[str, int], path: str) -> None:
    _add(values, "limit", f"{path}/memory.max")
    alone: dict[str, int] = {}
    _add(alone, "swap", f"{path}/memory.swap.max")
    if "swap" in alone and "limit" in values:
        both = values["limit"] + alone["swap"]
        values["swap"] = -1 if -1 in (values["limit"], alone["swap"]) else both
    try:
        quota, period = read(f"{path}/cpu.max").decode().split()
    except OSError:
        return
    values["quota"] = -1 if quota == "max" else int(quota)
    values["period"] = int(period)


def _add(values: dict[str, int], name: str, path: str) -> None:
    try:
        text = read(path).decode().strip()
    except OSError:
        return
    number = -1 if text == "max" else int(text)
    values[name] = -1 if number >= UNLIMITED_V1 else number
