"""What may be mounted on /proc and below, and on /sys: nothing may hide or fake what the runtime relies on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from . import proc
from .harness import Container

ALLOWED = ["cpuinfo", "meminfo", "stat", "swaps", "uptime", "loadavg", "diskstats"]
FORBIDDEN = [
    "/proc/sys",
    "/proc/sys/kernel",
    "/proc/1",
    "/proc/self",
    "/proc/self/attr",
    "/proc/irq",
    "/proc/version",
]


def _tmpfs(container: Container, point: str) -> Container:
    return container.mount(point, "tmpfs", "tmpfs", "nosuid")


@pytest.mark.old_runc_lacks("a check of tmpfs mounts below /proc", strict=False)
@pytest.mark.parametrize("point", FORBIDDEN)
def test_tmpfs_below_proc_is_refused(container: Container, point: str) -> None:
    _tmpfs(container, point).try_create().failed(point)
    assert container.runtime.leftovers() == []


@pytest.mark.parametrize(
    "point", ["/proc/version", "/proc/cmdline", "/proc/sys/kernel/hostname", "/proc/1/status"]
)
def test_bind_of_another_file_below_proc_is_refused(container: Container, directory: str, point: str) -> None:
    Path(directory, "file").write_text("fake")
    container.mount(point, f"{directory}/file").try_create().failed(point)


@pytest.mark.parametrize("name", ALLOWED)
def test_lxcfs_files_may_be_bound(container: Container, directory: str, name: str) -> None:
    Path(directory, name).write_text("from lxcfs\n")
    container.mount(f"/proc/{name}", f"{directory}/{name}")
    assert container.sh(f"cat /proc/{name}") == "from lxcfs"


@pytest.mark.old_runc_lacks("a check of what is mounted on an allowed file of /proc", strict=False)
def test_mount_through_a_dotted_path_is_refused(container: Container) -> None:
    _tmpfs(container, "/proc/uptime/../sys").try_create().failed("/proc")


def test_tmpfs_on_proc_is_refused(container: Container) -> None:
    container.without_mount("/proc")
    _tmpfs(container, "/proc").try_create().failed("/proc")


def test_bind_of_a_directory_on_proc_is_refused(container: Container, directory: str) -> None:
    container.without_mount("/proc").mount("/proc", directory).try_create().failed("/proc")


@pytest.mark.parametrize("word", ["bind", "rbind"])
def test_bind_of_the_hosts_proc_is_allowed(container: Container, word: str) -> None:
    container.without_namespace("pid")
    container.config["mounts"][0] = {
        "destination": "/proc", "type": "bind", "source": "/proc", "options": [word],
    }  # fmt: skip
    assert container.sh(f"test -d /proc/{os.getpid()} && echo host") == "host"


def test_proc_on_a_symlink_is_refused(container: Container) -> None:
    os.rmdir(f"{container.bundle.rootfs}/proc")
    container.bundle.directory("elsewhere")
    container.bundle.symlink("proc", "elsewhere")
    container.try_create().failed("/proc")


def test_sys_on_a_symlink_is_refused(container: Container) -> None:
    os.rmdir(f"{container.bundle.rootfs}/sys")
    container.bundle.directory("elsewhere")
    container.bundle.symlink("sys", "elsewhere")
    container.try_create().failed("/sys")


def test_proc_shows_only_the_containers_processes(container: Container) -> None:
    pids = {int(path[6:]) for path in container.sh("ls -d /proc/[0-9]*; true").split()}
    assert 1 in pids and len(pids) <= 3


def test_proc_flags_and_hidepid(container: Container) -> None:
    container.config["mounts"][0]["options"] = ["nosuid", "noexec", "nodev", "hidepid=2"]
    container.sleeping()
    mount = proc.mount_at(proc.mountinfo(container.pid), "/proc")
    assert {"nosuid", "noexec", "nodev"} <= mount.options
    assert mount.super_options & {"hidepid=invisible", "hidepid=2"}


def test_second_proc_elsewhere(container: Container) -> None:
    container.mount("/proc2", "proc", "proc", "nosuid")
    assert container.sh("cat /proc2/1/comm; true") == "sh"


def test_sysfs_shows_the_containers_network(container: Container) -> None:
    assert container.sh("ls /sys/class/net") == "lo"


def test_sysfs_is_read_only(container: Container) -> None:
    result = container.shell("echo 1 > /sys/kernel/mm/ksm/run || echo x > /sys/kernel/uevent_helper").run()
    assert result.returncode != 0


def test_mounts_below_sys_are_allowed(container: Container) -> None:
    _tmpfs(container, "/sys/fs/bpf" if os.path.isdir("/sys/fs/bpf") else "/sys/fs/cgroup").sleeping()


def test_masked_tmpfs_of_managers_below_sys(container: Container) -> None:
    container.linux["maskedPaths"] = ["/sys/firmware"]
    assert container.sh("ls -A /sys/firmware | wc -l") == "0"
