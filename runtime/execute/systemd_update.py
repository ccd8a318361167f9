"""`update` of a container whose cgroups systemd makes: its properties and the files, both or neither.

When one property changes, systemd writes every file of that controller from what it knows: a quota
rounded to percents, no swap limit of ours. What it overwrites of that kind is put back.
"""

from __future__ import annotations

from runtime.errors import PlancError
from runtime.execute import cgroupfs
from runtime.execute.cgroup_update import NO_LIMIT
from runtime.execute.systemd import get_properties, set_properties, set_typed
from runtime.linux.files import read_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.execute.cgroupfs import Cgroup
    from runtime.plan.ops import Op
    from runtime.state.record import Record

    #: path of a file → its lines, which are what is to be written to have them
    Snapshot = dict[str, list[str]]

#: The files that systemd writes, by controller.
FILES_V1 = {
    "cpu": ("cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.shares"),
    "memory": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes"),
    "pids": ("pids.max",),
    "blkio": ("blkio.weight", "blkio.bfq.weight", "blkio.throttle.read_bps_device",
              "blkio.throttle.write_bps_device"),
}  # fmt: skip
FILES_V2 = (
    "cpu.idle", "cpu.weight", "cpu.max", "cpu.max.burst", "cpuset.cpus", "cpuset.mems",
    "memory.min", "memory.low", "memory.high", "memory.max", "memory.swap.max", "memory.oom.group",
    "pids.max", "io.weight", "io.bfq.weight", "io.max",
)  # fmt: skip


def update(record: Record, ops: Sequence[Op]) -> None:
    """Carry out an update plan of which the first operation may be a ``systemd_set``.

    Raises PlancError with the old values in place.
    """
    if not ops or ops[0].code != "systemd_set":
        cgroupfs.update(record.cgroups, ops)
        return
    unit, user = record.systemd_unit, record.systemd_user
    properties: list[str] = ops[0].args["properties"]
    # before systemd does what these are to prevent
    cgroupfs.apply(record.cgroups, [op for op in ops if op.code == "cgroup_check"])
    old = get_properties(unit, user, [text.partition("=")[0] for text in properties])
    before = snapshot(record.cgroups)
    try:
        set_properties(unit, user, properties)
        restore(before)
        cgroupfs.update(record.cgroups, ops[1:])
    except BaseException:
        _undo(unit, user, old)
        restore(before)
        raise


def _undo(unit: str, user: bool, old: list[tuple[str, tuple[str, object]]]) -> None:
    try:
        set_typed(unit, user, old)
    except PlancError:
        # it was the setting that failed: there is nothing to take back
        pass


def snapshot(cgroups: Sequence[Cgroup]) -> Snapshot:
    """What the files that systemd may write say now."""
    found: Snapshot = {}
    for controllers, path in cgroups:
        names = [name for controller in controllers for name in FILES_V1.get(controller, ())]
        for name in names if controllers else FILES_V2:
            try:
                found[f"{path}/{name}"] = read_file(f"{path}/{name}").decode().splitlines()
            except OSError:
                continue
    return found


def restore(before: Snapshot) -> None:
    """Write back what has changed. Twice, as values may constrain each other; what the kernel refuses
    was not changed."""
    for _ in range(2):
        for path, old in before.items():
            try:
                now = read_file(path).decode().splitlines()
                for value in to_write(path.rpartition("/")[2], old, now):
                    cgroupfs.write(path, value.encode())
            except OSError:
                continue


def to_write(file: str, old: list[str], now: list[str]) -> list[str]:
    """The values that make a file that reads `now` read `old` again."""
    values = [line for line in old if line not in now]
    if file in NO_LIMIT:
        kept = {line.partition(" ")[0] for line in old}
        added = [line.partition(" ")[0] for line in now if line.partition(" ")[0] not in kept]
        values += [f"{key} {NO_LIMIT[file]}" for key in added if ":" in key]
    if not old and now and file.startswith("cpuset."):
        # empty is the parent's
        values.append("\n")
    return values
