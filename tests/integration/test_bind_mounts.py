"""Bind mounts: directories, files, special files, sources relative to the bundle, flags on remount."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from . import proc
from .harness import Container


def test_directory(container: Container, directory: str) -> None:
    container.mount("/data", directory).sh("echo content > /data/file")
    assert Path(directory, "file").read_text() == "content\n"


def test_file_on_an_existing_file(container: Container, directory: str) -> None:
    path = Path(directory, "hosts")
    path.write_text("bound")
    container.bundle.file("etc/hosts", "image")
    container.mount("/etc/hosts", str(path))
    assert container.sh("cat /etc/hosts") == "bound"
    assert Path(container.bundle.rootfs, "etc/hosts").read_text() == "image"


def test_file_on_a_missing_path_creates_a_file(container: Container, directory: str) -> None:
    path = Path(directory, "file")
    path.write_text("bound")
    container.mount("/new/dir/file", str(path))
    assert container.sh("cat /new/dir/file") == "bound"
    assert Path(container.bundle.rootfs, "new/dir/file").is_file()


def test_socket(container: Container, directory: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{directory}/socket")
        container.mount("/run/socket", f"{directory}/socket")
        assert container.sh("test -S /run/socket && echo socket") == "socket"


def test_fifo_and_device(container: Container, directory: str) -> None:
    os.mkfifo(f"{directory}/fifo")
    container.mount("/fifo", f"{directory}/fifo").mount("/mynull", "/dev/null")
    assert container.sh("test -p /fifo && test -c /mynull && echo both") == "both"


def test_relative_source_counts_from_the_bundle(container: Container) -> None:
    os.mkdir(f"{container.bundle.path}/volume")
    Path(container.bundle.path, "volume/file").write_text("content")
    container.mount("/data", "volume")
    assert container.sh("cat /data/file", cwd="/") == "content"


def test_source_may_be_a_symlink_of_the_host(container: Container, directory: str) -> None:
    os.mkdir(f"{directory}/real")
    Path(directory, "real/file").write_text("content")
    os.symlink("real", f"{directory}/link")
    container.mount("/data", f"{directory}/link")
    assert container.sh("cat /data/file") == "content"


def test_source_in_the_rootfs_itself(container: Container) -> None:
    container.bundle.file("etc/inner/file", "content")
    container.mount("/copy", f"{container.bundle.rootfs}/etc/inner")
    assert container.sh("cat /copy/file") == "content"


def test_read_only_refuses_writes(container: Container, directory: str) -> None:
    container.mount("/data", directory, "bind", "ro")
    result = container.shell("touch /data/new").run()
    assert "Read-only file system" in result.stderr and os.listdir(directory) == []


def test_noexec_refuses_execution(container: Container, directory: str) -> None:
    Path(directory, "script").write_text("#!/bin/sh\necho ran\n")
    os.chmod(f"{directory}/script", 0o755)
    container.mount("/data", directory, "bind", "noexec")
    result = container.shell("/data/script").run()
    assert result.returncode == 126 and result.stdout == ""


@pytest.mark.needs_root("mknod of devices")
def test_nodev_refuses_devices(container: Container, directory: str) -> None:
    os.mknod(f"{directory}/null", 0o666 | 0o020000, os.makedev(1, 3))
    container.mount("/data", directory, "bind", "nodev")
    assert "denied" in container.shell("echo x > /data/null").run().stderr


def test_flags_apply_to_this_mount_only(container: Container, directory: str) -> None:
    container.mount("/one", directory, "bind", "ro").mount("/two", directory, "bind").sleeping()
    mounts = proc.mountinfo(container.pid)
    assert "ro" in proc.mount_at(mounts, "/one").options
    assert "rw" in proc.mount_at(mounts, "/two").options


@pytest.mark.needs_root("mount")
def test_bind_without_flags_keeps_those_of_the_source(container: Container, directory: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,noatime", "t", directory], check=True)
    try:
        container.mount("/data", directory, "bind", "rprivate").sleeping()
        options = proc.mount_at(proc.mountinfo(container.pid), "/data").options
        assert {"nosuid", "nodev", "noexec", "noatime"} <= options
        container.delete("--force")
    finally:
        subprocess.run(["umount", directory], check=True)


@pytest.mark.old_runc_lacks("a refusal of mounts on the root directory")
@pytest.mark.parametrize("destination", ["/", "/.", "/etc/.."])
def test_mount_on_the_root_directory_is_refused(
    container: Container, directory: str, destination: str
) -> None:
    container.mount(destination, directory).try_create().failed()
    assert os.listdir(directory) == []


@pytest.mark.parametrize("point", ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts"])
def test_files_of_docker(container: Container, directory: str, point: str) -> None:
    path = f"{directory}/{os.path.basename(point)}"
    Path(path).write_text("from docker")
    container.mount(point, path, "bind", "rbind", "rprivate")
    container.config["root"]["readonly"] = True
    container.bundle.file(point)
    assert container.sh(f"cat {point}") == "from docker"


def test_data_options_on_a_bind_have_no_effect(container: Container, directory: str) -> None:
    """As for mount(2), to which the spec has them passed; the OCI suite has such a config."""
    Path(directory, "file").write_text("content")
    container.mount("/data", directory, "bind", "size=1m", "mode=700")
    assert container.sh("cat /data/file") == "content"


def test_mounts_are_listed_in_order(container: Container, directory: str) -> None:
    """Also since Linux 6.8, which lists them by age."""
    container.mount("/data", directory).mount("/data/tmp", "tmpfs", "tmpfs")
    container.mount("/data/tmp/again", directory)
    listed = container.sh("cut -d ' ' -f 5 /proc/self/mountinfo | grep -E '^/(proc|data)'").split()
    assert listed == ["/proc", "/data", "/data/tmp", "/data/tmp/again"]


@pytest.mark.old_runc_lacks("bind sources without the container's own mounts")
def test_a_source_with_the_root_inside_is_as_it_was_before(container: Container) -> None:
    """The container's own mounts are not among those of the source."""
    container.mount("/host", container.bundle.path, "bind", "rbind")
    assert container.sh("ls /host/rootfs; grep -c /host /proc/self/mountinfo").split()[-1] == "1"


def test_bind_type_without_bind_option_binds_or_is_refused(container: Container, directory: str) -> None:
    """runc refuses it with ENODEV; silently mounting something else would be wrong."""
    Path(directory, "file").write_text("content")
    container.config["mounts"].append({"destination": "/data", "type": "bind", "source": directory})
    result = container.shell("cat /data/file").run()
    assert result.stdout == "content" or (result.returncode == 1 and "no such device" in result.stderr)


def test_many_binds(container: Container, directory: str) -> None:
    for number in range(60):
        os.mkdir(f"{directory}/{number}")
        container.mount(f"/data/{number}", f"{directory}/{number}", "bind", "ro" if number % 2 else "rw")
    assert container.sh("ls /data | wc -l; grep -c ' /data/' /proc/self/mountinfo") == "60\n60"
