"""Fixtures: the front with sanitizers, Python's commands, containers made by hand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .by_hand import new_record, save, sleeper
from .commands import Command, compile_front, python

SANITIZE = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-static-libasan")


@pytest.fixture(scope="session")
def front(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The front by itself: PLANC_TEST_FRONT, or else one with sanitizers, compiled here."""
    if "PLANC_TEST_FRONT" in os.environ:
        return Command([os.environ["PLANC_TEST_FRONT"]])
    binary = tmp_path_factory.mktemp("front") / "front"
    compile_front(binary, "gcc", *SANITIZE)
    return Command([str(binary)])


@pytest.fixture(scope="session")
def reference() -> Command:
    """The same commands by Python."""
    return python()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A --root that does not exist yet."""
    return tmp_path / "root"


@pytest.fixture
def process() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Makes processes that are killed and reaped in the end."""
    made: list[subprocess.Popen[bytes]] = []

    def make(*argv: str) -> subprocess.Popen[bytes]:
        made.append(sleeper(*argv))
        return made[-1]

    yield make
    for one in made:
        one.kill()
        one.wait()


@pytest.fixture
def stopped(root: Path) -> Path:
    """The directory of container "c1", which has stopped."""
    return save(root, new_record("c1"))


@pytest.fixture
def created(root: Path, process: Callable[..., subprocess.Popen[bytes]]) -> Path:
    """The directory of container "c1", which is created; its init hears nothing."""
    return save(root, new_record("c1", process().pid), ("exec.fifo", "exec.status"))


@pytest.fixture
def running(root: Path, process: Callable[..., subprocess.Popen[bytes]]) -> Path:
    """The directory of container "c1", which runs."""
    return save(root, new_record("c1", process().pid))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if (
            item.path.parent == Path(__file__).parent
            and item.get_closest_marker("real")
            and os.geteuid() != 0
        ):
            item.add_marker(pytest.mark.skip(reason="makes real containers: needs root"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real: makes real containers")
