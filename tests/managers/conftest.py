"""Fixtures: one private machine per session, the managers in it, and the runtime under test (PLANC)."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from . import image
from .daemons import (
    DOCKER,
    DOCKERD,
    WITHOUT_BRIDGE,
    Buildah,
    Containerd,
    Docker,
    Podman,
    find_program,
    write_image,
)
from .machine import Machine, poll
from .replay import Replay
from .systemd_machine import CONTAINER_UNITS, SystemdMachine, lacking, units

if TYPE_CHECKING:
    from collections.abc import Iterator

AnyMachine = TypeVar("AnyMachine", bound=Machine)
HERE = Path(__file__).parent
DEFAULT_RUNTIME = HERE.parents[1] / "build/prefix/bin/planc"
TEST_SECONDS = 300


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


def need(what: str, present: object) -> None:
    """Skip the tests that need something this machine lacks."""
    if not present:
        pytest.skip(f"this machine lacks {what}")


def need_bridges(machine: Machine) -> None:
    need("iptables' table nat, for bridge networks", machine.has_nat())


def need_all_capabilities(machine: Machine) -> None:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    missing = ~int(machine.status(1, "CapBnd"), 16) & ((1 << last + 1) - 1)
    need(f"capabilities for root (mask {missing:#x}; 0x1000000 is CAP_SYS_RESOURCE)", not missing)


@pytest.fixture(scope="session")
def runtime() -> str:
    """Absolute path of the runtime under test."""
    path = os.path.abspath(os.environ.get("PLANC") or DEFAULT_RUNTIME)
    assert os.access(path, os.X_OK), f"there is no runtime at {path}: build it, or name one in PLANC"
    return path


@pytest.fixture(scope="session")
def runtime_name(runtime: str) -> str:
    """`planc`, `runc` …: the first word of --version, for the few differences that runc is allowed."""
    return subprocess.check_output([runtime, "--version"], text=True).split()[0]


@contextlib.contextmanager
def running_machine(runtime: str, kind: type[AnyMachine]) -> Iterator[AnyMachine]:
    """A machine with the images; when it ends, nothing of a container may be left in it."""
    need("root privileges", os.geteuid() == 0)
    need("busybox-static", image.busybox())
    need("util-linux's unshare and nsenter", find_program("unshare") and find_program("nsenter"))
    one = kind(runtime)
    try:
        one.start()
        write_image(one)
        yield one
        one.assert_quiet()
    finally:
        one.stop()


@pytest.fixture(scope="session")
def machine(runtime: str) -> Iterator[Machine]:
    """The machine of the session."""
    with running_machine(runtime, Machine) as one:
        yield one


@pytest.fixture(scope="module")
def spare_machine(runtime: str) -> Iterator[Machine]:
    """One more, for daemons that would disturb those of the session."""
    with running_machine(runtime, Machine) as one:
        yield one


@pytest.fixture(scope="session")
def systemd_machine(runtime: str) -> Iterator[SystemdMachine]:
    """The one for the managers' systemd cgroup driver."""
    missing = lacking()
    need(missing, not missing)
    with running_machine(runtime, SystemdMachine) as one:
        yield one


@pytest.fixture
def no_unit_is_left(systemd_machine: SystemdMachine) -> Iterator[None]:
    """Of a container; nor one that only its failure keeps loaded."""
    before = units(*CONTAINER_UNITS)
    yield
    poll(lambda: units(*CONTAINER_UNITS) <= before, what=f"gone: {units(*CONTAINER_UNITS) - before}")


@pytest.fixture
def workdir(machine: Machine, counter: Iterator[int]) -> Path:
    """A new directory, of the same name inside and outside the machine."""
    directory = machine.dir / f"work-{next(counter)}"
    directory.mkdir()
    return directory


@pytest.fixture(scope="session")
def counter() -> Iterator[int]:
    return itertools.count()


@pytest.fixture(scope="session")
def docker_engine(machine: Machine) -> Iterator[Docker]:
    need("docker.io", os.path.exists(DOCKER) and find_program(*DOCKERD))
    engine = Docker(machine, settings={} if machine.has_nat() else WITHOUT_BRIDGE)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture
def docker(docker_engine: Docker) -> Iterator[Docker]:
    """The shared Docker Engine; what the test leaves is removed, and checked to be gone."""
    yield docker_engine
    docker_engine.clean()


@pytest.fixture(scope="session")
def containerd(machine: Machine) -> Iterator[Containerd]:
    need("containerd", find_program("containerd") and find_program("ctr"))
    daemon = Containerd(machine)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture
def ctr(containerd: Containerd) -> Iterator[Containerd]:
    yield containerd
    containerd.clean()


@pytest.fixture(scope="session")
def podman_storage(machine: Machine) -> None:
    need("podman", find_program("podman"))
    Podman(machine, machine.runtime).load()


@pytest.fixture(params=["planc"])
def podman(machine: Machine, podman_storage: None, request: pytest.FixtureRequest) -> Iterator[Podman]:
    """Podman with the runtime under the name `planc`, which to Podman is a runtime without JSON log.

    @pytest.mark.parametrize("podman", ["planc", "runc"], indirect=True) repeats a test with the name `runc`.
    """
    place = {"planc": "names", "runc": "bin"}[request.param]
    command = Podman(machine, str(machine.dir / place / request.param))
    yield command
    command.clean()


@pytest.fixture(scope="session")
def rootless_storage(machine: Machine) -> Iterator[None]:
    """The rootless user's images; at the end, the process that keeps its user namespace stops."""
    need("podman", find_program("podman"))
    need("newuidmap (package uidmap)", find_program("newuidmap"))
    need("slirp4netns", find_program("slirp4netns"))
    command = Podman(machine, machine.runtime, rootless=True)
    command.load()
    yield
    command("system", "migrate")


@pytest.fixture
def rootless(machine: Machine, rootless_storage: None) -> Iterator[Podman]:
    """Podman as an ordinary user with subordinate ids."""
    command = Podman(machine, str(machine.dir / "names" / "planc"), rootless=True)
    yield command
    command.clean()


@pytest.fixture(scope="session")
def buildah_storage(machine: Machine) -> None:
    need("buildah", find_program("buildah"))
    Buildah(machine).load()


@pytest.fixture
def buildah(machine: Machine, buildah_storage: None) -> Iterator[Buildah]:
    command = Buildah(machine)
    yield command
    command.clean()


@pytest.fixture
def replay(machine: Machine, workdir: Path) -> Iterator[Replay]:
    """Single calls of the runtime, with a state root of their own."""
    calls = Replay(machine, workdir)
    yield calls
    calls.clean()
