"""linux.maskedPaths and linux.readonlyPaths."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from . import proc
from .harness import Container

DOCKER_MASKED = [
    "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
    "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
]  # fmt: skip
DOCKER_READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def test_masked_file_is_empty(container: Container) -> None:
    container.bundle.file("secret", "secret")
    container.linux["maskedPaths"] = ["/secret"]
    assert container.sh("cat /secret | wc -c; echo x > /secret; cat /secret | wc -c") == "0\n0"


def test_masked_file_is_the_null_device(container: Container) -> None:
    container.bundle.file("secret", "secret")
    container.linux["maskedPaths"] = ["/secret"]
    container.sleeping()
    assert os.stat(f"{container.root}/secret").st_rdev == os.makedev(1, 3)
    assert Path(container.bundle.rootfs, "secret").read_text() == "secret"


def test_masked_directory_is_empty_and_read_only(container: Container) -> None:
    container.bundle.file("secret/file", "secret")
    container.linux["maskedPaths"] = ["/secret"]
    result = container.shell("ls -A /secret | wc -l; touch /secret/new").run()
    assert result.stdout == "0\n"
    assert "Read-only file system" in result.stderr


def test_missing_paths_are_ignored(container: Container) -> None:
    container.linux["maskedPaths"] = ["/nowhere", "/proc/nowhere", "/nowhere/below"]
    container.linux["readonlyPaths"] = ["/nowhere", "/proc/nowhere"]
    assert container.sh("echo fine") == "fine"
    assert not os.path.exists(f"{container.bundle.rootfs}/nowhere")


def test_masked_path_below_a_masked_one_and_twice(container: Container) -> None:
    container.bundle.file("secret/file", "secret")
    container.linux["maskedPaths"] = ["/secret/file", "/secret", "/secret"]
    assert container.sh("ls -A /secret | wc -l") == "0"


def test_masks_of_docker(container: Container) -> None:
    container.linux["maskedPaths"] = DOCKER_MASKED
    container.linux["readonlyPaths"] = DOCKER_READONLY
    script = f"cat /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls -A /sys/firmware | wc -l; ls {DOCKER_MASKED[1]}"
    assert container.sh(f"{script}; true") == "0\n0"


def test_masked_proc_file_of_exec(container: Container) -> None:
    container.linux["maskedPaths"] = ["/proc/keys"]
    container.sleeping()
    assert container.exec_sh("cat /proc/keys | wc -c") == "0"


def test_readonly_file(container: Container) -> None:
    container.bundle.file("config", "content")
    container.linux["readonlyPaths"] = ["/config"]
    result = container.shell("cat /config; echo x > /config").run()
    assert result.stdout == "content" and "Read-only file system" in result.stderr


def test_readonly_directory(container: Container) -> None:
    container.bundle.directory("data")
    container.linux["readonlyPaths"] = ["/data"]
    assert "Read-only file system" in container.shell("touch /data/new").run().stderr


def test_readonly_proc_sys(container: Container) -> None:
    container.linux["readonlyPaths"] = ["/proc/sys"]
    result = container.shell("cat /proc/sys/kernel/ostype; echo x > /proc/sys/kernel/domainname").run()
    assert result.stdout == "Linux\n" and "Read-only file system" in result.stderr


def test_readonly_path_keeps_the_flags_of_its_mount(container: Container) -> None:
    container.linux["readonlyPaths"] = ["/proc/sys"]
    container.sleeping()
    options = proc.mount_at(proc.mountinfo(container.pid), "/proc/sys").options
    assert {"ro", "nosuid", "nodev", "noexec"} <= options


@pytest.mark.needs_root("mount")
def test_readonly_path_keeps_submounts(container: Container, directory: str) -> None:
    os.mkdir(f"{directory}/sub")
    subprocess.run(["mount", "-t", "tmpfs", "sub", f"{directory}/sub"], check=True)
    try:
        Path(directory, "sub/file").write_text("below")
        container.mount("/data", directory, "bind", "rbind", "rprivate")
        container.linux["readonlyPaths"] = ["/data"]
        assert container.sh("cat /data/sub/file") == "below"
    finally:
        subprocess.run(["umount", f"{directory}/sub"], check=True)


def test_masked_and_readonly_do_not_reach_the_host(container: Container) -> None:
    path = container.bundle.file("secret", "secret")
    container.linux["maskedPaths"] = ["/secret"]
    container.sleeping()
    assert path not in [mount.mount_point for mount in proc.mountinfo()]


@pytest.mark.needs_root("a container in the caller's mount namespace")
def test_masks_need_a_mount_namespace(container: Container) -> None:
    container.without_namespace("mount")
    container.linux["maskedPaths"] = ["/proc/kcore"]
    container.try_create(prefix=["unshare", "-m", "--propagation", "private"]).failed("namespace")


@pytest.mark.planc_only("JSON pointers in its errors")
@pytest.mark.parametrize("name", ["maskedPaths", "readonlyPaths"])
def test_relative_path_is_named(container: Container, name: str) -> None:
    container.linux[name] = ["/fine", "relative"]
    container.try_create().failed(f"linux.{name}[1]", "relative")
