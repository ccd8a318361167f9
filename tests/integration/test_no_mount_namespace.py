"""A container that mounts in its caller's tree: what `exec` sees of it, and that nothing stays."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from . import caller, proc
from .harness import Container, Tracker

pytestmark = pytest.mark.planc_only("taking its mounts away")


@pytest.fixture
def sharing(container: Container) -> Container:
    """Without a mount namespace, and with one mount inside the root file system."""
    caller.need_root("a container in the caller's mount namespace")
    container.without_namespace("mount")
    container.config["mounts"] = [
        item for item in container.config["mounts"] if item["destination"] == "/proc"
    ]
    return container.args("sleep", "1000")


@pytest.fixture
def own_mount(container: Container) -> Iterator[None]:
    """A mount of the caller's on the root file system, as an engine's overlay is one."""
    caller.need_root("mount")
    rootfs = container.bundle.rootfs
    subprocess.run(["mount", "--bind", rootfs, rootfs], check=True)
    # where / is shared, as under systemd, mounts on one of the two would come to the other too
    subprocess.run(["mount", "--make-private", rootfs], check=True)
    yield
    subprocess.run(["umount", "-l", rootfs], check=True)


def mounted(container: Container) -> list[str]:
    """What is mounted on and below the root file system."""
    points = [mount.mount_point for mount in proc.mountinfo()]
    return [point for point in points if point.startswith(container.bundle.rootfs)]


def test_exec_gets_the_same_root(sharing: Container) -> None:
    sharing.up()
    sharing.await_exec()
    assert sharing.exec_sh("ls -d /bin/busybox; grep -c . /proc/self/status > /dev/null") == "/bin/busybox"
    assert sharing.exec_sh("readlink /proc/1/exe") == "/bin/busybox"


def test_delete_unmounts(sharing: Container) -> None:
    sharing.up()
    assert mounted(sharing) == [sharing.bundle.rootfs, f"{sharing.bundle.rootfs}/proc"]
    sharing.kill_and_wait().delete()
    assert mounted(sharing) == []


def test_delete_of_a_created_one_unmounts(sharing: Container) -> None:
    sharing.create().delete()
    assert mounted(sharing) == []


def test_run_unmounts(sharing: Container) -> None:
    assert sharing.sh("echo here") == "here"
    assert mounted(sharing) == []


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer"])
def test_failed_create_unmounts(sharing: Container, kind: str) -> None:
    sharing.config["hooks"] = {kind: [{"path": "/bin/false"}]}
    sharing.try_create().failed("hook")
    assert mounted(sharing) == []


@pytest.mark.usefixtures("own_mount")
def test_mounts_of_the_caller_stay(sharing: Container) -> None:
    rootfs = sharing.bundle.rootfs
    sharing.up()
    assert mounted(sharing) == [rootfs, rootfs, f"{rootfs}/proc"]
    sharing.kill_and_wait().delete()
    assert mounted(sharing) == [rootfs]
    sharing.config["hooks"] = {"createContainer": [{"path": "/bin/false"}]}
    sharing.try_create().failed("hook")
    assert mounted(sharing) == [rootfs]


def test_unmounted_by_somebody_else(sharing: Container) -> None:
    sharing.up()
    subprocess.run(["umount", "-l", sharing.bundle.rootfs], check=True)
    sharing.kill_and_wait().delete()
    assert mounted(sharing) == []


def test_covered_by_somebody_else(sharing: Container) -> None:
    sharing.up()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", sharing.bundle.rootfs], check=True)
    sharing.kill_and_wait().delete()
    assert mounted(sharing) == []


def test_create_killed_at_random_moments(sharing: Container, tracker: Tracker) -> None:
    began = time.monotonic()
    sharing.create().delete("--force")
    usual = time.monotonic() - began
    chance = random.Random(tracker.id_prefix)
    for _ in range(30):
        call = sharing.runtime.spawn("create", "--bundle", sharing.bundle.path, sharing.id)
        moment = usual * chance.random()
        time.sleep(moment)
        call.signal(signal.SIGKILL)
        call.wait()
        sharing.delete("--force")
        assert mounted(sharing) == [], f"killed after {moment * 1000:.1f} ms"
