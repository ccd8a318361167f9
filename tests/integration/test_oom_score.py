"""process.oomScoreAdj."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import caller
from .harness import Container


def _score(pid: int | str) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.mark.parametrize("value", [0, 100, 500, 1000])
def test_value(container: Container, value: int) -> None:
    if value < _score("self"):
        caller.need_root("an oom_score_adj below the caller's")
    container.process["oomScoreAdj"] = value
    container.sleeping()
    assert _score(container.pid) == value


def test_absent_leaves_the_callers(container: Container) -> None:
    value = max(77, _score("self"))
    container.sleeping(prefix=["choom", "-n", str(value), "--"])
    assert _score(container.pid) == value


def test_set_before_start(container: Container) -> None:
    container.process["oomScoreAdj"] = 321
    container.create()
    assert _score(container.pid) == 321


def test_exec_has_the_same_value(container: Container) -> None:
    container.process["oomScoreAdj"] = 345
    container.sleeping()
    assert container.exec_sh("cat /proc/self/oom_score_adj") == "345"


@pytest.mark.needs_capability("CAP_SYS_RESOURCE")
def test_negative_value(container: Container) -> None:
    container.process["oomScoreAdj"] = -500
    container.sleeping()
    assert _score(container.pid) == -500


def test_lowering_without_the_capability_is_an_error(container: Container) -> None:
    container.process["oomScoreAdj"] = -500
    prefix = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource", "--"]
    container.try_create(prefix=prefix).failed("permission denied")
    assert container.runtime.leftovers() == []


@pytest.mark.parametrize("value", [-1001, 1001])
def test_out_of_range_is_refused(container: Container, value: int) -> None:
    container.process["oomScoreAdj"] = value
    container.try_create().failed()
    assert container.runtime.leftovers() == []
