"""root.path, root.readonly, linux.rootfsPropagation, pivot_root and --no-pivot."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from . import caller, proc
from .harness import Container
from .test_devices import DEFAULTS


def test_root_is_the_rootfs(container: Container) -> None:
    container.bundle.file("etc/marker", "here")
    assert container.sh("cat /etc/marker") == "here"


def test_root_is_a_mount_of_its_own(container: Container) -> None:
    container.sleeping()
    mount = proc.mount_at(proc.mountinfo(container.pid), "/")
    assert mount.root.endswith("/rootfs") or container.bundle.rootfs.endswith(mount.root)


def test_nothing_of_the_host_remains_mounted(container: Container) -> None:
    container.sleeping()
    points = {mount.mount_point for mount in proc.mountinfo(container.pid)}
    expected = {"/", *(mount["destination"] for mount in container.config["mounts"])}
    if caller.ROOTLESS:  # devices cannot be made, and are those of the machine
        expected |= {f"/dev/{name}" for name in DEFAULTS}
    assert points == expected


def test_absolute_root_path(container: Container, directory: str) -> None:
    path = f"{directory}/elsewhere"
    os.rename(container.bundle.rootfs, path)
    container.config["root"]["path"] = path
    container.bundle.rootfs = path
    container.bundle.file("etc/marker", "there")
    assert container.sh("cat /etc/marker") == "there"


def test_relative_root_path_below_a_directory(container: Container) -> None:
    os.makedirs(f"{container.bundle.path}/a")
    os.rename(container.bundle.rootfs, f"{container.bundle.path}/a/b")
    container.config["root"]["path"] = "a/b"
    assert container.sh("echo yes") == "yes"


def test_missing_root_path_is_refused(container: Container) -> None:
    container.config["root"]["path"] = "nowhere"
    container.try_create().failed("nowhere", "no such file or directory")
    assert container.runtime.leftovers() == []


def test_root_path_of_a_file_is_refused(container: Container) -> None:
    Path(container.bundle.path, "file").write_text("")
    container.config["root"]["path"] = "file"
    container.try_create().failed()
    assert container.runtime.leftovers() == []


def test_bundle_path_with_spaces_and_unicode(container: Container) -> None:
    path = container.bundle.path + " with späces\tand tab"
    os.rename(container.bundle.path, path)
    container.bundle.path = path
    container.bundle.rootfs = f"{path}/rootfs"
    assert container.sh("echo yes") == "yes"


def test_two_containers_on_one_rootfs(container: Container, make_container) -> None:  # type: ignore[no-untyped-def]
    other = make_container()
    other.config["root"]["path"] = container.bundle.rootfs
    container.sleeping()
    assert other.sh("echo yes") == "yes"


# ---- readonly ----------------------------------------------------------------------------------------------------


def test_readonly_root_refuses_writes(container: Container) -> None:
    container.config["root"]["readonly"] = True
    result = container.shell("touch /new").run()
    assert result.returncode == 1
    assert "Read-only file system" in result.stderr
    assert not os.path.exists(f"{container.bundle.rootfs}/new")


def test_readonly_root_is_a_flag_of_its_mount_only(container: Container) -> None:
    container.config["root"]["readonly"] = True
    container.sleeping()
    mounts = proc.mountinfo(container.pid)
    assert "ro" in proc.mount_at(mounts, "/").options
    assert "rw" in proc.mount_at(mounts, "/dev").options
    Path(container.bundle.rootfs, "host-can-write").write_text("")


def test_readonly_root_leaves_writable_mounts(container: Container, directory: str) -> None:
    container.config["root"]["readonly"] = True
    container.bundle.directory("data")
    container.mount("/data", directory)
    container.sh("touch /data/new /dev/shm/new")
    assert os.listdir(directory) == ["new"]


def test_mount_points_are_created_on_a_readonly_root(container: Container, directory: str) -> None:
    """The root becomes read-only last."""
    container.config["root"]["readonly"] = True
    container.mount("/made/by/runtime", directory)
    container.sh("touch /made/by/runtime/new")
    assert os.listdir(directory) == ["new"]


def test_readonly_false_is_writable(container: Container) -> None:
    container.config["root"]["readonly"] = False
    container.sh("touch /new")
    assert os.path.exists(f"{container.bundle.rootfs}/new")


@pytest.mark.old_runc_lacks("keeping mount flags of the rootfs")
@pytest.mark.needs_root("mount")
def test_readonly_keeps_the_flags_of_the_source_mount(container: Container) -> None:
    path = container.bundle.rootfs
    subprocess.run(["mount", "--bind", path, path], check=True)
    subprocess.run(["mount", "-o", "remount,bind,nosuid,nodev", path], check=True)
    try:
        container.config["root"]["readonly"] = True
        container.sleeping()
        assert {"ro", "nosuid", "nodev"} <= proc.mount_at(proc.mountinfo(container.pid), "/").options
        container.delete("--force")
    finally:
        subprocess.run(["umount", path], check=True)


# ---- propagation ---------------------------------------------------------------------------------------------------

PROPAGATION = {
    "shared": {"shared"},
    "rshared": {"shared"},
    "slave": {"master"},
    "rslave": {"master"},
    "private": set[str](),
    "rprivate": set[str](),
    "unbindable": {"unbindable"},
    "runbindable": {"unbindable"},
}


LATE_PROPAGATION = pytest.mark.old_runc_lacks("shared and unbindable rootfsPropagation")


@pytest.mark.parametrize(
    "word",
    [
        "private",
        "rprivate",
        *(
            pytest.param(word, marks=LATE_PROPAGATION)
            for word in PROPAGATION
            if "shar" in word or "unb" in word
        ),
    ],
)
def test_rootfs_propagation(container: Container, word: str) -> None:
    container.linux["rootfsPropagation"] = word
    container.sleeping()
    assert proc.mount_at(proc.mountinfo(container.pid), "/").propagation == PROPAGATION[word]


@pytest.mark.parametrize("word", ["slave", "rslave"])
@pytest.mark.needs_root("mount")
def test_rootfs_propagation_slave_of_a_shared_source(container: Container, word: str) -> None:
    path = container.bundle.rootfs
    subprocess.run(["mount", "--bind", "--make-shared", path, path], check=True)
    try:
        container.linux["rootfsPropagation"] = word
        container.sleeping()
        assert "shared" not in proc.mount_at(proc.mountinfo(container.pid), "/").propagation
        container.delete("--force")
    finally:
        subprocess.run(["umount", path], check=True)


def test_unknown_propagation_is_refused(container: Container) -> None:
    container.linux["rootfsPropagation"] = "sideways"
    container.try_create().failed("rootfsPropagation", "sideways")


@pytest.mark.parametrize("word", [None, "rprivate", "rslave", "rshared"])
@pytest.mark.needs_root("mount")
def test_mounts_of_the_container_do_not_reach_the_host(container: Container, word: str | None) -> None:
    """Even with the bundle on a shared mount of the host, and even with rshared."""
    path = container.bundle.path
    subprocess.run(["mount", "--bind", "--make-shared", path, path], check=True)
    try:
        if word:
            container.linux["rootfsPropagation"] = word
        container.mount("/data", "tmpfs", "tmpfs").sleeping()
        inside = [
            m.mount_point for m in proc.mountinfo() if m.mount_point.startswith(container.bundle.rootfs + "/")
        ]
        assert inside == []
        container.delete("--force")
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize(("word", "arrives"), [("rslave", True), ("rprivate", False), (None, False)])
@pytest.mark.needs_root("mount")
def test_later_host_mounts_arrive_only_in_a_slave(
    container: Container, directory: str, word: str | None, arrives: bool
) -> None:
    os.mkdir(f"{directory}/sub")
    subprocess.run(["mount", "--bind", "--make-shared", directory, directory], check=True)
    try:
        container.mount("/data", directory, "bind", "rbind", *([word] if word else ["rprivate"]))
        container.sleeping()
        subprocess.run(["mount", "-t", "tmpfs", "late", f"{directory}/sub"], check=True)
        points = [mount.mount_point for mount in proc.mountinfo(container.pid)]
        assert ("/data/sub" in points) == arrives
        container.delete("--force")
    finally:
        subprocess.run(["umount", "-R", directory], check=True)


# ---- no pivot ------------------------------------------------------------------------------------------------------


def test_no_pivot_runs_in_the_rootfs(container: Container) -> None:
    container.bundle.file("etc/marker", "here\n")
    assert container.sh("cat /etc/marker; ls /proc/self/exe", "--no-pivot") == "here\n/proc/self/exe"


def test_no_pivot_detached(container: Container) -> None:
    container.sleeping("--no-pivot")
    assert os.path.samefile(container.root, container.bundle.rootfs)
    assert container.exec_sh("ls -d /bin/busybox") == "/bin/busybox"


def test_no_pivot_readonly_root(container: Container) -> None:
    container.config["root"]["readonly"] = True
    assert "Read-only" in container.shell("touch /new").run("--no-pivot").stderr


def test_no_pivot_leaves_no_bare_proc_or_sys_of_the_host(container: Container) -> None:
    """A second, unmasked procfs or sysfs of the old tree would undo maskedPaths."""
    container.linux["maskedPaths"] = ["/proc/kcore"]
    container.sleeping("--no-pivot")
    mounts = proc.mountinfo(container.pid)
    assert (
        len([mount for mount in mounts if mount.fs_type == "proc" and mount.mount_point != "/proc/kcore"])
        == 1
    )


@pytest.mark.needs_root("mount")
def test_pivot_on_a_rootfs_that_is_a_mount(container: Container) -> None:
    path = container.bundle.rootfs
    subprocess.run(["mount", "--bind", "--make-shared", path, path], check=True)
    try:
        assert container.sh("echo yes") == "yes"
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.needs_root("mount")
def test_rootfs_on_tmpfs(container: Container, directory: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "rootfs", directory], check=True)
    try:
        subprocess.run(["cp", "-a", container.bundle.rootfs, f"{directory}/rootfs"], check=True)
        container.config["root"]["path"] = f"{directory}/rootfs"
        assert container.sh("echo yes") == "yes"
    finally:
        subprocess.run(["umount", directory], check=True)


@pytest.mark.needs_root("mount")
def test_rootfs_on_overlay(container: Container, directory: str) -> None:
    """What Docker and Podman use; the layers lie on a tmpfs, since the machine's own root may be an overlay."""
    subprocess.run(["mount", "-t", "tmpfs", "layers", directory], check=True)
    for name in ("upper", "work", "merged"):
        os.mkdir(f"{directory}/{name}")
    layers = f"lowerdir={container.bundle.rootfs},upperdir={directory}/upper,workdir={directory}/work"
    try:
        subprocess.run(["mount", "-t", "overlay", "o", "-o", layers, f"{directory}/merged"], check=True)
        container.config["root"]["path"] = f"{directory}/merged"
        container.sh("touch /new")
        assert "new" in os.listdir(f"{directory}/upper")
    finally:
        subprocess.run(["umount", "-R", directory], check=True)
