"""Podman as an ordinary user with a systemd of its own: containers are scopes of that (`systemctl --user`)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from . import image
from .conftest import need
from .daemons import Podman, find_program
from .image import SHORT
from .machine import PATH, Machine, poll
from .systemd_daemons import NONE, SLEEP
from .systemd_machine import CGROUPS, Unit, lacking

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MIB = 1024 * 1024


class OwnMachine(Machine):
    """The host as this user has it, with storage in a directory of its own."""

    def __init__(self, runtime: str) -> None:
        super().__init__(runtime)
        self.pid = os.getpid()
        kept = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "USER")
        self.env |= {name: os.environ[name] for name in kept if name in os.environ}
        self.env |= {"PATH": PATH, "HOME": f"{self.dir}/home"}

    def _command(self, argv: Sequence[str], cwd: str | Path | None, user: str) -> list[str]:
        return list(argv)

    def processes(self) -> dict[int, str]:
        own = {pid for pid in os.listdir("/proc") if pid.isdigit() and self._is_mine(pid)}
        return {pid: command for pid, command in super().processes().items() if str(pid) in own}

    def _is_mine(self, pid: str) -> bool:
        try:
            return os.stat(f"/proc/{pid}").st_uid == os.getuid()
        except FileNotFoundError:
            return False

    def cgroups(self) -> set[str]:
        return {os.path.relpath(directory, CGROUPS) for directory, _, _ in os.walk(CGROUPS)}


class OwnPodman(Podman):
    """Podman with its systemd cgroup manager and the runtime under test, as the user that the tests run as."""

    cgroups = r"(.*/)?libpod[-_]"

    def __init__(self, machine: Machine) -> None:
        top = machine.dir
        argv = [find_program("podman"), "--root", f"{top}/storage", "--runroot", f"{top}/run"]
        argv += ["--tmpdir", f"{top}/tmp", "--storage-driver", "overlay", "--cgroup-manager", "systemd"]
        super(Podman, self).__init__(machine, [*argv, "--runtime", str(top / "names" / "planc")])
        self.state_roots = [f"{os.environ['XDG_RUNTIME_DIR']}/{name}" for name in ("runc", "planc")]

    def unit(self, container: str) -> Unit:
        return Unit(f"libpod-{self.inspect(container, '{{.Id}}')}.scope", manager=("--user",))


@pytest.fixture(scope="module")
def podman_of_user(runtime: str) -> Iterator[OwnPodman]:
    missing = lacking()
    need(missing, not missing)
    need("an ordinary user as the one who runs the tests", os.geteuid() != 0)
    need("a systemd of the user's", Path(os.environ.get("XDG_RUNTIME_DIR", "/"), "systemd/private").exists())
    need("podman, newuidmap", find_program("podman") and find_program("newuidmap"))
    need("busybox-static", image.busybox())
    machine = OwnMachine(runtime)
    try:
        (machine.dir / "names").mkdir()
        (machine.dir / "names" / "planc").symlink_to(runtime)
        (machine.dir / "home").mkdir()
        rootfs = machine.dir / "rootfs"
        rootfs.mkdir()
        image.write_rootfs(rootfs)
        image.write_archive(rootfs, machine.dir / "image.tar")
        podman = OwnPodman(machine)
        podman.load()
        yield podman
        podman("system", "migrate")
    finally:
        machine.run(find_program("podman"), "unshare", "rm", "-rf", f"{machine.dir}/storage", code=None)
        shutil.rmtree(machine.dir)


@pytest.fixture
def podman(podman_of_user: OwnPodman) -> Iterator[OwnPodman]:
    yield podman_of_user
    podman_of_user.clean()


def test_life(podman: OwnPodman) -> None:
    podman("run", "-d", "--name", "c1", *NONE, "--memory", "64m", "--pids-limit", "50", SHORT, *SLEEP)
    unit = podman.unit("c1")
    cgroup = unit.cgroup
    assert f"/user@{os.getuid()}.service/user.slice/" in str(cgroup)
    assert unit.get("ActiveState") == "active"
    assert unit.get("MemoryMax") == unit.read("memory.max") == str(64 * MIB)
    assert unit.get("TasksMax") == unit.read("pids.max") == "50"
    assert podman("exec", "c1", "sh", "-c", "id -u; exit 4", code=4).out == "0"
    podman("update", "--memory", "96m", "c1")
    assert unit.get("MemoryMax") == unit.read("memory.max") == str(96 * MIB)
    podman("pause", "c1")
    assert "frozen 1" in unit.read("cgroup.events")
    podman("unpause", "c1")
    podman("stop", "-t", "1", "c1")
    poll(lambda: not cgroup.exists())
    podman("start", "c1")
    podman("rm", "-f", "-t", "0", "c1")
    assert not cgroup.exists()
    assert unit.get("LoadState") == "not-found"


def test_run_and_remove(podman: OwnPodman) -> None:
    assert podman("run", "--rm", *NONE, SHORT, "sh", "-c", "echo hi; exit 3", code=3).out == "hi"


def test_pod(podman: OwnPodman) -> None:
    podman("pod", "create", "--name", "pod1", "--infra-image", image.PAUSE_NAME, *NONE)
    podman("run", "-d", "--pod", "pod1", "--name", "one", "--memory", "64m", SHORT, *SLEEP)
    unit = podman.unit("one")
    assert unit.get("Slice").startswith("user-libpod_pod_")
    assert unit.get("MemoryMax") == unit.read("memory.max") == str(64 * MIB)
    assert podman("exec", "one", "echo", "hi").out == "hi"
    podman("pod", "rm", "-f", "-t", "0", "pod1")
