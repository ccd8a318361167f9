"""Every limit read back, for linux.resources property by property: the value of the table, and what runc sets.

planc and Debian's runc 1.1 make a container each from the same config.json on the same host; all settings in their
cgroups are compared (with the systemd driver, those of the units too), not only the files of the property at hand.
Rows of different controllers share a container, so that the whole table takes few of them.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from . import cgroup, limit_update_table
from .base_config import Config
from .harness import RUNTIME_PATH, Container, Runtime
from .limit_reading import Limits, files_of_a_new_cgroup, read_limits, read_unit
from .limit_table import DISK, PARTS, ROWS, Refused, Row
from .other_runc import NEEDS, as_runc, discard, runc_is_old

LOOP_MAJOR = 7
DISK_DIRECTORY = f"/sys/dev/block/{DISK[0]}:{DISK[1]}"

pytestmark = NEEDS


class Seen(NamedTuple):
    """What one runtime made of some rows: `error` is the message of a failure."""

    limits: Limits
    error: str


Pair = tuple[Seen, Seen]
Compare = Callable[[Row], Pair]


# ---- which rows this machine can have ----------------------------------------------------------------------------------


def flavour(row: Row) -> str:
    """`v1`, `v2` or `hybrid` (a v2 controller beside v1 ones): where this row's controller is."""
    if PARTS[row.part].v1 in cgroup.v1_controllers():
        return "v1"
    return "v2" if cgroup.is_v2() else "hybrid"


def expected(row: Row) -> Limits:
    return row.v1 if flavour(row) == "v1" else row.v2


def refusal(row: Row) -> Refused | None:
    return next((refused for refused in row.refused if flavour(row) in refused.on.split()), None)


def lacking(row: Row, files: set[str]) -> str:
    """Why this machine cannot have the row; empty when it can. `files`: see files_of_a_new_cgroup."""
    part = PARTS[row.part]
    controller = part.v1 if flavour(row) == "v1" else part.v2
    if (controller or part.v1) not in cgroup.controllers() and (controller or not cgroup.is_v2()):
        return f"no cgroup controller {controller or part.v1}"
    if (
        "unified" in row.resources | (row.change if isinstance(row.change, dict) else {})
        and not cgroup.is_v2()
    ):
        return "no pure cgroup v2"
    for name in expected(row):
        if "." in name and name not in files:
            return f"the kernel has no {name}"
    if "1" in json.dumps(row.resources.get("cpu", {}).get("cpus", "")) and os.cpu_count() == 1:
        return "one CPU only"
    return _lacking_disk(row)


def _lacking_disk(row: Row) -> str:
    if row.part != "blockIO":
        return ""
    if not os.path.exists(DISK_DIRECTORY):
        return "no disk and no loop device"
    by_disk = "weightDevice" in row.resources.get("blockIO", {})
    if by_disk and "[bfq]" not in Path(DISK_DIRECTORY, "queue/scheduler").read_text():
        return f"disk {DISK[0]}:{DISK[1]} does not have the bfq scheduler"
    return ""


# ---- what the runtimes make of them --------------------------------------------------------------------------------------


def merged(rows: Sequence[Row]) -> Config:
    """The resources of rows of different parts in one object."""
    result: Config = {}
    for row in rows:
        for name, value in copy.deepcopy(row.resources).items():
            result[name] = result[name] | value if isinstance(value, dict) and name in result else value
    return result


def change_of(rows: Sequence[Row]) -> tuple[list[str], bytes]:
    """Flags and standard input of `update`."""
    if isinstance(rows[0].change, list):
        return list(itertools.chain(*(row.change for row in rows if isinstance(row.change, list)))), b""
    changed = merged([row._replace(resources=row.change) for row in rows if isinstance(row.change, dict)])
    return ["--resources", "-"], json.dumps(changed).encode()


def make(container: Container, rows: Sequence[Row]) -> Seen:
    """Create (and update) a container that is asked for all the rows, and read its limits."""
    container.resources(**merged(rows))
    result = container.try_create()
    if result.returncode != 0:
        return Seen({}, result.failed().stderr.strip())
    try:
        if rows[0].change is not None:
            flags, stdin = change_of(rows)
            result = container.runtime.call("update", *flags, container.id, stdin=stdin)
            if result.returncode != 0:
                return Seen({}, result.failed().stderr.strip())
        return Seen(read_limits(container.pid) | read_unit(container.pid), "")
    finally:
        discard(container)


def name_of(row: Row) -> str:
    """Its name among all rows."""
    kind = "create" if row.change is None else type(row.change).__name__
    return f"{kind} {row.part} {row.name}"


class Batches:
    """Rows that go into one container, and what came of it; made when first asked for."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._batch: dict[str, tuple[Row, ...]] = {}
        self._pairs: dict[tuple[str, ...], Pair] = {}
        kinds: dict[str, dict[str, list[Row]]] = {}
        for row in rows:
            parts = kinds.setdefault(name_of(row).split(" ")[0], {})
            parts.setdefault(row.part, []).append(row)
        for parts in kinds.values():
            for column in itertools.zip_longest(*parts.values()):
                batch = tuple(row for row in column if row is not None)
                self._batch |= {name_of(row): batch for row in batch}

    def together_with(self, row: Row) -> tuple[Row, ...]:
        """All rows of the row's container; itself alone when it is to fail."""
        return self._batch.get(name_of(row), (row,))

    def pair(self, row: Row, observe: Callable[[Sequence[Row]], Pair]) -> Pair:
        """What planc and runc made of the row; should the batch have failed, of it alone."""
        batch = self.together_with(row)
        key = tuple(name_of(one) for one in batch)
        if key not in self._pairs:
            self._pairs[key] = observe(batch)
        if len(batch) > 1 and any(seen.error for seen in self._pairs[key]):
            self._batch[name_of(row)] = (row,)
            return self.pair(row, observe)
        return self._pairs[key]


@pytest.fixture(scope="module")
def files() -> Iterator[set[str]]:
    """What the kernel has; a machine without disks, as a test VM is, gets the modules for the rows of blockIO."""
    modprobe = shutil.which("modprobe", path=RUNTIME_PATH)
    if modprobe and DISK[0] == LOOP_MAJOR:
        for module in ("loop", "bfq"):
            subprocess.run([modprobe, "-q", module], check=False, capture_output=True)
    with bfq_on_a_free_loop_device():
        yield files_of_a_new_cgroup(f"limits-{os.getpid()}")


@contextlib.contextmanager
def bfq_on_a_free_loop_device() -> Iterator[None]:
    """Only its scheduler has weights for single disks; a disk in use keeps the one that it has."""
    scheduler, size = Path(DISK_DIRECTORY, "queue/scheduler"), Path(DISK_DIRECTORY, "size")
    names = scheduler.read_text().split() if os.access(scheduler, os.W_OK) else []
    if DISK[0] != LOOP_MAJOR or "bfq" not in names or size.read_text() != "0\n":
        yield
        return
    before = next(name.strip("[]") for name in names if name.startswith("["))
    scheduler.write_text("bfq")
    yield
    scheduler.write_text(before)


@pytest.fixture(scope="module")
def batches(files: set[str]) -> Batches:
    table = ROWS + limit_update_table.UPDATES
    return Batches([row for row in table if not lacking(row, files) and refusal(row) is None])


@pytest.fixture
def compare(
    runtime: Runtime,
    make_runtime: Callable[[], Runtime],
    make_container: Callable[..., Container],
    batches: Batches,
) -> Compare:
    """The limits that planc and runc set for a row."""

    def observe(rows: Sequence[Row]) -> Pair:
        return make(make_container(), rows), make(make_container(runtime=runc), rows)

    runc = as_runc(make_runtime())
    return lambda row: batches.pair(row, observe)


# ---- the tests -----------------------------------------------------------------------------------------------------------


def _params(rows: Sequence[Row]) -> list[Any]:
    return [pytest.param(row, id=f"{row.part} {row.name}") for row in rows]


@pytest.mark.parametrize("row", _params(ROWS))
def test_create(compare: Compare, batches: Batches, files: set[str], row: Row) -> None:
    check(row, compare, batches, files)


@pytest.mark.parametrize("row", _params(limit_update_table.RESOURCES + limit_update_table.UNIFIED))
def test_update_resources(compare: Compare, batches: Batches, files: set[str], row: Row) -> None:
    check(row, compare, batches, files)


@pytest.mark.parametrize("row", _params(limit_update_table.FLAGS))
def test_update_flags(compare: Compare, batches: Batches, files: set[str], row: Row) -> None:
    check(row, compare, batches, files)


def check(row: Row, compare: Compare, batches: Batches, files: set[str]) -> None:
    """The row's values are the table's with planc, and nothing else differs from runc."""
    if reason := lacking(row, files):
        pytest.skip(reason)
    planc, runc = compare(row)
    refused = refusal(row)
    by = refused.by if refused else ""
    if by in ("both", "planc"):
        assert planc.error, f"planc took it: {refused}"
    else:
        assert not planc.error, planc.error
        found = {
            name: planc.limits.get(name) for name in expected(row) if name in planc.limits or "." in name
        }
        assert found == {name: expected(row)[name] for name in found}
    if by in ("both", "runc") and (by == "both" or runc_is_old()):
        assert runc.error, f"runc took it: {refused}"
    elif not by:
        assert not runc.error, runc.error
        others = {prefix for other in batches.together_with(row) for prefix in PARTS[other.part].prefixes}
        others -= set(PARTS[row.part].prefixes)
        check_same(row, *(mine(seen.limits, tuple(others)) for seen in (planc, runc)))


def mine(limits: Limits, others: tuple[str, ...]) -> Limits:
    """Without what other rows of the same container have set, and without the unit's device rules, which have a test
    of their own."""
    return {name: value for name, value in limits.items() if not name.startswith((*others, "DeviceAllow"))}


def check_same(row: Row, planc: Limits, runc: Limits) -> None:
    """runc's limits are planc's, but for the differences of the table."""
    allowed: dict[str, str | None] = {}
    for differs in row.differs:
        if flavour(row) in differs.on.split():
            allowed |= {name: value for name, value in differs.seen.items() if name in planc}
    if not runc_is_old():  # a newer one may still differ, or not any more
        allowed = {name: value for name, value in allowed.items() if runc.get(name) != planc[name]}
    assert runc == {name: value for name, value in (planc | allowed).items() if value is not None}


def test_all_rows_have_different_names() -> None:
    """A row that is there twice is a row that was meant to be another."""
    for table in (ROWS, limit_update_table.UPDATES):
        names = [name_of(row) for row in table]
        assert sorted(set(names)) == sorted(names)
