"""Images that try to trick the runtime with symlinks: nothing may be made, mounted or read outside the rootfs."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import proc
from .harness import Container

F_GET_SEALS = 1034
SEAL_WRITE = 0x8
AT_FDCWD = -100
RENAME_EXCHANGE = 2


@pytest.fixture
def victim(directory: str) -> Iterator[str]:
    """A directory of the host that must stay as it is."""
    path = f"{directory}/victim"
    os.mkdir(path)
    Path(path, "file").write_text("host")
    before = os.stat(path)
    yield path
    assert os.listdir(path) == ["file"], "something was made outside the rootfs"
    assert Path(path, "file").read_text() == "host"
    assert os.stat(path).st_mode == before.st_mode
    assert not os.path.ismount(path)


def _climb(path: str) -> str:
    """The victim as a relative symlink that climbs out of any rootfs."""
    return "../" * 30 + path.lstrip("/")


TARGETS = {"absolute": lambda path: path, "climbing": _climb, "proc": lambda path: f"/proc/1/root{path}"}


@pytest.fixture(params=TARGETS)
def link(request: pytest.FixtureRequest, victim: str) -> str:
    """Targets of symlinks, each of which would lead to the victim if followed on the host."""
    return TARGETS[request.param](victim)  # type: ignore[no-untyped-call,no-any-return]


# ---- destinations --------------------------------------------------------------------------------------------------


def test_destination_is_a_symlink(container: Container, link: str) -> None:
    container.bundle.symlink("data", link)
    container.mount("/data", "t", "tmpfs")
    result = container.args("sleep", "1000").try_create()
    if result.returncode == 0:
        points = [mount.mount_point for mount in proc.mountinfo(container.pid) if mount.source == "t"]
        assert points and all(os.path.isdir(container.root + point) for point in points)


def test_parent_of_the_destination_is_a_symlink(container: Container, link: str) -> None:
    container.bundle.symlink("data", link)
    container.mount("/data/made/deep", "t", "tmpfs").try_create()


def test_destination_file_below_a_symlink(container: Container, link: str, directory: str) -> None:
    Path(directory, "source").write_text("bound")
    container.bundle.symlink("data", link)
    container.mount("/data/new-file", f"{directory}/source").try_create()


def test_destination_file_is_a_symlink(container: Container, victim: str, directory: str) -> None:
    Path(directory, "source").write_text("bound")
    container.bundle.symlink("data", f"{victim}/file")
    container.mount("/data", f"{directory}/source").try_create()
    assert not any(victim in mount.mount_point for mount in proc.mountinfo())


def test_dangling_symlink_creates_nothing_outside(container: Container, victim: str) -> None:
    container.bundle.symlink("data", f"{victim}/made")
    container.mount("/data", "t", "tmpfs").try_create()


def test_absolute_symlink_counts_from_the_rootfs(container: Container) -> None:
    """As in a real image: /var/run → /run."""
    container.bundle.symlink("var/run", "/run")
    container.mount("/var/run/data", "t", "tmpfs").sleeping()
    assert proc.mount_at(proc.mountinfo(container.pid), "/run/data").fs_type == "tmpfs"


def test_climbing_symlink_stops_at_the_rootfs(container: Container) -> None:
    container.bundle.symlink("var/up", "../../../../../../run")
    container.mount("/var/up/data", "t", "tmpfs").sleeping()
    assert proc.mount_at(proc.mountinfo(container.pid), "/run/data").fs_type == "tmpfs"


def test_symlink_loop_is_an_error(container: Container) -> None:
    container.bundle.symlink("a", "b")
    container.bundle.symlink("b", "a")
    container.mount("/a/data", "t", "tmpfs").try_create().failed("symbolic links")


def test_symlink_inside_an_earlier_mount(container: Container, victim: str, directory: str) -> None:
    """A volume may hold the symlink, and a later mount may go through it."""
    os.mkdir(f"{directory}/volume")
    os.symlink(victim, f"{directory}/volume/link")
    container.mount("/volume", f"{directory}/volume").mount("/volume/link/made", "t", "tmpfs").try_create()


def test_tmpcopyup_from_a_symlink(container: Container, victim: str) -> None:
    container.bundle.symlink("data", victim)
    container.mount("/data", "t", "tmpfs", "tmpcopyup")
    result = container.shell("cat /data/file").run()
    assert "host" not in result.stdout


# ---- /proc, /sys, /dev ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_proc_and_sys_are_symlinks(container: Container, link: str, name: str) -> None:
    shutil.rmtree(f"{container.bundle.rootfs}/{name}")
    container.bundle.symlink(name, link)
    container.try_create().failed(f"/{name}")


@pytest.mark.planc_only("a safe /dev in an image where it is a symlink")
def test_dev_is_a_symlink(container: Container, link: str) -> None:
    shutil.rmtree(f"{container.bundle.rootfs}/dev")
    container.bundle.symlink("dev", link)
    container.try_create()


@pytest.mark.planc_only("a safe /dev in an image where it is a symlink")
def test_dev_is_a_symlink_and_not_mounted(container: Container, link: str) -> None:
    """The default devices and symlinks must not land in the victim."""
    shutil.rmtree(f"{container.bundle.rootfs}/dev")
    container.bundle.symlink("dev", link)
    container.without_mount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue").try_create()


@pytest.mark.parametrize("name", ["dev/null", "dev/ptmx", "dev/fd", "dev/console"])
def test_device_name_is_a_symlink_in_the_image(container: Container, victim: str, name: str) -> None:
    container.bundle.symlink(name, f"{victim}/file")
    container.without_mount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue").try_create()


def test_dev_pts_is_a_symlink(container: Container, link: str) -> None:
    container.bundle.symlink("dev/pts", link)
    container.without_mount("/dev", "/dev/shm", "/dev/mqueue").try_create()


def test_device_below_a_symlink(container: Container, link: str) -> None:
    container.bundle.symlink("data", link)
    container.linux["devices"] = [{"path": "/data/new-null", "type": "c", "major": 1, "minor": 3}]
    container.try_create()


def test_device_on_a_symlink(container: Container, victim: str) -> None:
    container.bundle.symlink("data", f"{victim}/made")
    container.linux["devices"] = [{"path": "/data", "type": "c", "major": 1, "minor": 3}]
    container.try_create()


# ---- masks, cwd ----------------------------------------------------------------------------------------------------


def test_masked_path_is_a_symlink(container: Container, victim: str) -> None:
    container.bundle.symlink("data", victim)
    container.linux["maskedPaths"] = ["/data", "/data/file"]
    container.try_create()


def test_readonly_path_is_a_symlink(container: Container, victim: str) -> None:
    container.bundle.symlink("data", victim)
    container.linux["readonlyPaths"] = ["/data"]
    container.try_create()


def test_masking_uses_a_real_null_device(container: Container, directory: str) -> None:
    """CVE-2025-31133: an image without a /dev mount brings a /dev/null of its own."""
    container.bundle.file("secret", "secret")
    container.bundle.symlink("dev/null", "/bin/busybox")
    container.without_mount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    container.linux["maskedPaths"] = ["/secret"]
    result = container.shell("cat /secret").run()
    if result.returncode == 0:
        assert result.stdout == ""


def test_cwd_below_a_symlink(container: Container, link: str) -> None:
    container.bundle.symlink("data", link)
    container.process["cwd"] = "/data/made"
    container.try_create()


@pytest.mark.parametrize("number", [3, 4, 5, 6, 7, 8, 9, 10])
def test_cwd_in_a_leaked_descriptor_is_refused(container: Container, number: int) -> None:
    """CVE-2024-21626."""
    container.process["cwd"] = f"/proc/self/fd/{number}"
    result = container.shell("pwd; ls").run()
    result.failed()


@pytest.mark.parametrize("number", [3, 5, 7, 9])
def test_exec_cwd_in_a_leaked_descriptor_is_refused(container: Container, number: int) -> None:
    container.sleeping()
    container.exec("pwd", flags=["--cwd", f"/proc/self/fd/{number}"]).failed()


# ---- the runtime's own binary ----------------------------------------------------------------------------------------


@pytest.mark.old_runc_lacks("a copy of its binary for init")
def test_proc_self_exe_of_the_waiting_init_is_no_host_file(container: Container) -> None:
    """CVE-2019-5736: whoever opens /proc/1/exe must not hold the runtime's binary."""
    container.create()
    found = os.stat(f"/proc/{container.pid}/exe")
    host = os.stat(shutil.which(container.runtime.binary) or container.runtime.binary)
    assert (found.st_dev, found.st_ino) != (host.st_dev, host.st_ino)


@pytest.mark.planc_only("an init in a sealed memfd")
def test_the_waiting_init_runs_from_a_sealed_memfd(container: Container) -> None:
    container.create()
    fd = os.open(f"/proc/{container.pid}/exe", os.O_RDONLY)
    try:
        assert os.readlink(f"/proc/{container.pid}/exe").startswith("/memfd:")
        assert fcntl.fcntl(fd, F_GET_SEALS) & SEAL_WRITE
    finally:
        os.close(fd)


def test_payload_cannot_write_the_runtimes_binary(container: Container) -> None:
    """The payload is /proc/self/exe, that is, the init itself; it must not be writable through /proc/1/exe."""
    container.bundle.file("script", "#!/proc/self/exe\n", 0o755)
    result = container.args("/script").run()
    assert result.returncode != 0
    container.sleeping()
    assert container.exec("sh", "-c", "cat < /dev/null > /proc/1/exe").returncode != 0


# ---- races ---------------------------------------------------------------------------------------------------------


@pytest.mark.planc_only("mount points that are resolved once, inside the root")
def test_symlink_swapped_during_create(container: Container, victim: str) -> None:
    """A volume shared with another container swaps a directory and a symlink while this one is made."""
    volume = Path(container.bundle.path, "volume")
    (volume / "dir").mkdir(parents=True)
    os.symlink(victim, volume / "link")
    container.mount("/volume", str(volume)).mount("/volume/dir/made", "t", "tmpfs")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            _exchange(volume / "dir", volume / "link")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(10):
            container.try_create()
            container.runtime.call("delete", "--force", container.id).ok()
    finally:
        stop.set()
        thread.join()


def _exchange(one: Path, two: Path) -> None:
    """Exchange two names atomically: renameat2(2) with RENAME_EXCHANGE."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, bytes(one), AT_FDCWD, bytes(two), RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), f"renameat2 {one} {two}")
