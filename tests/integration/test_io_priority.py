"""process.ioPriority, checked with ioprio_get(2) from outside."""

from __future__ import annotations

import ctypes
import os

import pytest

from .harness import Container

CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
SYS_IOPRIO_GET = {"x86_64": 252, "aarch64": 31}[os.uname().machine]
IOPRIO_WHO_PROCESS = 1
OLD_RUNC = pytest.mark.old_runc_lacks("process.ioPriority")
REAL_TIME = pytest.mark.needs_root("the real-time class")


def _io_priority(pid: int) -> tuple[int, int]:
    libc = ctypes.CDLL(None, use_errno=True)
    value = libc.syscall(SYS_IOPRIO_GET, IOPRIO_WHO_PROCESS, pid)
    if value < 0:
        raise OSError(ctypes.get_errno(), "ioprio_get")
    return value >> 13, value & 0x1FFF


def _with(container: Container, **values: object) -> Container:
    container.process["ioPriority"] = values
    return container


@OLD_RUNC
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=REAL_TIME if name.endswith("_RT") else ()) for name in CLASSES]
)
@pytest.mark.parametrize("priority", [0, 3, 7])
def test_class_and_priority(container: Container, name: str, priority: int) -> None:
    _with(container, **{"class": name, "priority": priority}).sleeping()
    found = _io_priority(container.pid)
    assert found[0] == CLASSES[name]
    assert found[1] == priority


@OLD_RUNC
def test_priority_defaults_to_0(container: Container) -> None:
    _with(container, **{"class": "IOPRIO_CLASS_BE"}).sleeping()
    assert _io_priority(container.pid) == (CLASSES["IOPRIO_CLASS_BE"], 0)


def test_absent_leaves_the_callers(container: Container) -> None:
    container.sleeping(prefix=["ionice", "-c", "2", "-n", "6"])
    assert _io_priority(container.pid) == (2, 6)


@OLD_RUNC
def test_exec_has_the_containers_priority(container: Container) -> None:
    _with(container, **{"class": "IOPRIO_CLASS_IDLE", "priority": 0}).sleeping()
    container.exec("sleep", "1000", flags=["--detach", "--pid-file", container.pid_file + ".exec"]).ok()
    with open(container.pid_file + ".exec") as file:
        assert _io_priority(int(file.read()))[0] == CLASSES["IOPRIO_CLASS_IDLE"]


@OLD_RUNC
@pytest.mark.parametrize(
    "values",
    [
        {"class": "IOPRIO_CLASS_NONSENSE", "priority": 1},
        {"class": "IOPRIO_CLASS_BE", "priority": 8},
        {"class": "IOPRIO_CLASS_BE", "priority": -1},
        {"priority": 1},
    ],
)
def test_bad_values_are_refused(container: Container, values: dict[str, object]) -> None:
    _with(container, **values).try_create().failed("ioPriority")
    assert container.runtime.leftovers() == []
