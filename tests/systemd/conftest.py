"""Fixtures: containers as in the integration suite, but made with --systemd-cgroup."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from integration import cgroup
from integration.conftest import (  # noqa: F401
    base_dir,
    bundle,
    cleanups,
    directory,
    make_bundle,
    make_container,
    make_runtime,
    rootfs_template,
    tracker,
)
from integration.harness import Bundle, Container, Runtime

SLICE = "plancit-tests.slice"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reasons = []
    if os.geteuid() != 0:
        reasons.append("needs root")
    if not os.path.isdir("/run/systemd/system"):
        reasons.append("this machine has not been booted with systemd")
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        wanted = list(reasons)
        if not wanted:
            for mark in item.iter_markers("needs_controller"):
                wanted += [
                    f"no cgroup controller {name}" for name in mark.args if name not in cgroup.controllers()
                ]
            if item.get_closest_marker("needs_cgroup_v2") and not cgroup.is_v2():
                wanted.append("no pure cgroup v2")
            if item.get_closest_marker("needs_cgroup_v1") and cgroup.is_v2():
                wanted.append("no cgroup v1")
        for reason in wanted:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_controller(*names): cgroup controllers of the machine")
    config.addinivalue_line("markers", "needs_cgroup_v1: files that only cgroup v1 has")
    config.addinivalue_line("markers", "needs_cgroup_v2: files that only cgroup v2 has")


@pytest.fixture
def runtime(make_runtime: Callable[[], Runtime]) -> Runtime:  # noqa: F811
    """The runtime under test with the systemd driver."""
    made = make_runtime()
    made.driver_flags = ["--systemd-cgroup"]
    return made


@pytest.fixture
def container(make_container: Callable[..., Container], bundle: Bundle) -> Container:  # noqa: F811
    """The test's container: planc-ID.scope in a slice of the tests."""
    made = make_container(bundle=bundle)
    made.linux["cgroupsPath"] = f"{SLICE}:planc:{made.id}"
    return made
