"""tmpfs: size, mode, the mode of the directory below, read-only, tmpcopyup."""

from __future__ import annotations

import os

import pytest

from . import proc
from .harness import Container


def test_size_is_in_force(container: Container) -> None:
    container.mount("/data", "tmpfs", "tmpfs", "size=64k")
    script = "head -c 200000 /dev/zero > /data/file 2>/dev/null && exit 9; stat -c %s /data/file"
    assert int(container.sh(script)) <= 65536


def test_mode_option(container: Container) -> None:
    container.mount("/data", "tmpfs", "tmpfs", "mode=0710")
    assert container.sh("stat -c %a /data") == "710"


def test_mode_of_the_directory_below_is_taken_over(container: Container) -> None:
    container.bundle.directory("data", 0o2750)
    container.mount("/data", "tmpfs", "tmpfs")
    assert container.sh("stat -c %a /data") in ("2750", "750")


@pytest.mark.old_runc_lacks("a mode option that wins over the directory below")
def test_mode_option_wins_over_the_directory_below(container: Container) -> None:
    container.bundle.directory("data", 0o750)
    container.mount("/data", "tmpfs", "tmpfs", "mode=1777")
    assert container.sh("stat -c %a /data") == "1777"


def test_sticky_mode_of_dev_shm_stays(container: Container) -> None:
    assert container.sh("stat -c %a /dev/shm") == "1777"


def test_uid_and_gid_options(container: Container) -> None:
    container.mount("/data", "tmpfs", "tmpfs", "uid=1000", "gid=1001")
    assert container.sh("stat -c %u:%g /data") == "1000:1001"


@pytest.mark.parametrize("point", ["/data", "/run", "/dev/extra"])
def test_read_only_tmpfs(container: Container, point: str) -> None:
    container.mount(point, "tmpfs", "tmpfs", "ro").sleeping()
    assert "ro" in proc.mount_at(proc.mountinfo(container.pid), point).options


def test_read_only_dev_still_gets_its_devices(container: Container) -> None:
    container.config["mounts"][1]["options"].append("ro")
    script = "echo x > /dev/null && head -c1 /dev/zero | wc -c; touch /dev/new 2>&1 | grep -o 'Read-only'"
    assert container.sh(script) == "1\nRead-only"


def test_run_style_mount(container: Container) -> None:
    """What `docker run --tmpfs /run` asks for."""
    container.mount(
        "/run", "tmpfs", "tmpfs", "nosuid", "nodev", "noexec", "size=65536k", "mode=755", "rprivate"
    )
    container.sleeping()
    assert {"nosuid", "nodev", "noexec"} <= proc.mount_at(proc.mountinfo(container.pid), "/run").options


# ---- tmpcopyup ---------------------------------------------------------------------------------------------------


def test_tmpcopyup_copies_the_tree(container: Container) -> None:
    container.bundle.file("data/file", "content", 0o640)
    container.bundle.file("data/deep/er/file", "deeper", 0o600)
    container.bundle.symlink("data/link", "file")
    container.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
    script = (
        "cat /data/file /data/deep/er/file; readlink /data/link; stat -c %a /data/file /data/deep/er/file"
    )
    assert container.sh(script) == "contentdeeperfile\n640\n600"


@pytest.mark.needs_root("chown")
def test_tmpcopyup_keeps_owners(container: Container) -> None:
    os.chown(container.bundle.file("data/file"), 1000, 1001)
    container.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
    assert container.sh("stat -c %u:%g /data/file") == "1000:1001"


def test_tmpcopyup_leaves_the_image_alone(container: Container) -> None:
    path = container.bundle.file("data/file", "image")
    container.mount("/data", "tmpfs", "tmpfs", "tmpcopyup").sh("echo changed > /data/file; touch /data/new")
    with open(path) as file:
        assert file.read() == "image"
    assert os.listdir(os.path.dirname(path)) == ["file"]


def test_tmpcopyup_of_an_empty_directory(container: Container) -> None:
    container.bundle.directory("data", 0o711)
    container.mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "size=1m")
    assert container.sh("ls -A /data | wc -l; stat -c %a /data") == "0\n711"


def test_tmpcopyup_then_read_only(container: Container) -> None:
    container.bundle.file("data/file", "content")
    container.mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "ro")
    assert container.sh("cat /data/file; touch /data/new 2>&1 | grep -o Read-only") == "contentRead-only"


def test_tmpcopyup_does_not_follow_symlinks_out_of_the_root(container: Container, directory: str) -> None:
    with open(f"{directory}/secret", "w") as file:
        file.write("secret of the host")
    container.bundle.symlink("data/link", f"{directory}/secret")
    container.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
    assert container.sh("cat /data/link 2>/dev/null; test -h /data/link && echo link") == "link"


def test_without_tmpcopyup_the_tmpfs_is_empty(container: Container) -> None:
    container.bundle.file("data/file", "content")
    container.mount("/data", "tmpfs", "tmpfs")
    assert container.sh("ls -A /data") == ""
