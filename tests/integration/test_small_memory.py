"""How little memory a container needs before its payload runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .harness import Container

pytestmark = pytest.mark.planc_only("an init of this size")

KIB = 1024


@pytest.mark.needs_controller("memory")
@pytest.mark.parametrize("limit", [512 * KIB, 1024 * KIB, 4096 * KIB])
def test_busybox_true_under_a_small_limit(container: Container, limit: int) -> None:
    container.resources(memory={"limit": limit, "swap": limit})
    for _ in range(3):
        container.args("true").run().ok()


def test_waiting_init_is_small(container: Container) -> None:
    """Resident set of the created, waiting init, shared pages included."""
    container.create()
    text = Path(f"/proc/{container.pid}/status").read_text()
    match = re.search(r"^VmRSS:\s+(\d+) kB$", text, re.MULTILINE)
    assert match
    assert int(match.group(1)) < 2.2 * 1000


def test_waiting_init_has_few_private_pages(container: Container) -> None:
    container.create()
    text = Path(f"/proc/{container.pid}/smaps_rollup").read_text()
    private = sum(int(value) for value in re.findall(r"^Private_\w+:\s+(\d+) kB$", text, re.MULTILINE))
    assert private < 1000


def test_waiting_init_is_one_process_without_threads(container: Container) -> None:
    container.create()
    text = Path(f"/proc/{container.pid}/status").read_text()
    assert re.search(r"^Threads:\s+1$", text, re.MULTILINE)
    assert container.runtime.call("ps", "--format", "json", container.id).json() == [container.pid]
