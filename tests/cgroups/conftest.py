"""Boxes, and the check that nothing is left behind."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator

import pytest

from . import box as boxes
from .box import Box

_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "v1: of the files of cgroup v1")
    config.addinivalue_line("markers", "v2: of a pure cgroup v2 machine")
    config.addinivalue_line("markers", "controller(*names): needs these controllers, by their v1 names")


@pytest.fixture(autouse=True)
def _suitable_machine(request: pytest.FixtureRequest) -> None:
    if os.geteuid() != 0:
        pytest.skip("making cgroups needs root")
    if request.node.get_closest_marker("v1") and not boxes.V1_NAMES:
        pytest.skip("this machine has no cgroup v1")
    if request.node.get_closest_marker("v2") and not boxes.V2:
        pytest.skip("this machine is not pure cgroup v2")
    for marker in request.node.iter_markers("controller"):
        for name in marker.args:
            if not boxes.has(name):
                pytest.skip(f"this machine has no {name} controller")


@pytest.fixture
def new_box() -> Iterator[Callable[[str], Box]]:
    """Make boxes: `new_box()`, or with a path below the test's own name."""
    made: list[Box] = []
    top = f"planc-test-{os.getpid()}-{next(_numbers)}"

    def make(below: str = "") -> Box:
        made.append(Box(f"{top}{below}"))
        return made[-1]

    yield make
    made.append(Box(top))
    for box in made:
        box.thaw()
    for box in made:
        box.clean()


@pytest.fixture
def box(new_box: Callable[[], Box]) -> Box:
    return new_box()
