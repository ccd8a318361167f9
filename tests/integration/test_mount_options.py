"""mounts[].options: each word of the spec's table, seen as the kernel's flags in mountinfo."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from . import caller, proc
from .harness import Container

# word → (flags that must be there, flags that must not), per mount
PER_MOUNT = {
    "ro": ({"ro"}, {"rw"}),
    "rw": ({"rw"}, {"ro"}),
    "nosuid": ({"nosuid"}, set()),
    "suid": (set(), {"nosuid"}),
    "nodev": ({"nodev"}, set()),
    "dev": (set(), {"nodev"}),
    "noexec": ({"noexec"}, set()),
    "exec": (set(), {"noexec"}),
    "noatime": ({"noatime"}, {"relatime"}),
    "relatime": ({"relatime"}, {"noatime"}),
    "strictatime": (set(), {"noatime", "relatime"}),
    "nodiratime": ({"nodiratime"}, set()),
    "diratime": (set(), {"nodiratime"}),
    "atime": ({"relatime"}, {"noatime"}),
    "norelatime": ({"rw"}, set()),
    "nostrictatime": ({"rw"}, set()),
    "symfollow": ({"rw"}, {"nosymfollow"}),
    "defaults": ({"rw"}, {"nosuid", "nodev", "noexec"}),
}
# words for a bind mount → what must not be set at the source, where the caller is no root (mount_namespaces(7));
# how it treats access times cannot be changed at all
LOCKED = {
    "suid": os.ST_NOSUID,
    "dev": os.ST_NODEV,
    "exec": os.ST_NOEXEC,
    "defaults": os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC,
    "noatime": -1,
    "strictatime": -1,
    "nodiratime": -1,
}
# word → super block flags of a new tmpfs
PER_SUPER = {
    "sync": ({"sync"}, set()),
    "async": (set(), {"sync"}),
    "dirsync": ({"dirsync"}, set()),
    "lazytime": ({"lazytime"}, set()),
    "nolazytime": (set(), {"lazytime"}),
    "size=1m": ({"size=1024k"}, set()),
    "mode=0700": ({"mode=700"}, set()),
    "nr_inodes=100": ({"nr_inodes=100"}, set()),
}
LATER_ATIME_WINS = pytest.mark.old_runc_lacks("a later relatime that clears noatime")
HARMLESS = ["silent", "loud", "iversion", "noiversion", "mand", "nomand"]
LATER_WINS = [
    (["ro", "rw"], "rw", "ro"),
    (["rw", "ro"], "ro", "rw"),
    (["nosuid", "suid"], None, "nosuid"),
    (["suid", "nosuid"], "nosuid", None),
    (["nodev", "dev"], None, "nodev"),
    (["noexec", "exec"], None, "noexec"),
    (["noatime", "atime"], "relatime", "noatime"),
    (["nosymfollow", "symfollow"], None, "nosymfollow"),
    pytest.param(["noatime", "relatime"], "relatime", "noatime", marks=LATER_ATIME_WINS),
    (["ro", "rw", "ro"], "ro", "rw"),
]
PROPAGATION = {
    "private": set(),
    "rprivate": set(),
    "shared": {"shared"},
    "rshared": {"shared"},
    "slave": {"master"},
    "rslave": {"master"},
    "unbindable": {"unbindable"},
    "runbindable": {"unbindable"},
}
RECURSIVE = {
    "rro": ({"ro"}, {"rw"}),
    "rnosuid": ({"nosuid"}, set()),
    "rnodev": ({"nodev"}, set()),
    "rnoexec": ({"noexec"}, set()),
    "rnodiratime": ({"nodiratime"}, set()),
    "rnoatime": ({"noatime"}, {"relatime"}),
    "rrelatime": ({"relatime"}, {"noatime"}),
    "rstrictatime": (set(), {"noatime", "relatime"}),
    "rnosymfollow": ({"nosymfollow"}, set()),
}
RECURSIVE_CLEARING = {
    "rrw": "ro",
    "rsuid": "nosuid",
    "rdev": "nodev",
    "rexec": "noexec",
    "rdiratime": "nodiratime",
}


def _need_changeable(source: str, kind: str, word: str) -> None:
    if kind == "bind" and os.statvfs(source).f_flag & LOCKED.get(word, 0):
        caller.need_root("a change of the flags that root has mounted the source with")


def _options(container: Container, point: str = "/data") -> frozenset[str]:
    return proc.mount_at(proc.mountinfo(container.pid), point).options


@pytest.mark.parametrize("word", [word for word in PER_MOUNT if word != "defaults"])
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_flag(container: Container, directory: str, kind: str, word: str) -> None:
    _check_flag(container, directory, kind, word)


@pytest.mark.parametrize(
    "kind", [pytest.param("tmpfs", marks=pytest.mark.old_runc_lacks("defaults")), "bind"]
)
def test_defaults(container: Container, directory: str, kind: str) -> None:
    _check_flag(container, directory, kind, "defaults")


def _check_flag(container: Container, directory: str, kind: str, word: str) -> None:
    present, absent = PER_MOUNT[word]
    _need_changeable(directory, kind, word)
    source = directory if kind == "bind" else "tmpfs"
    container.mount("/data", source, kind, word).sleeping()
    options = _options(container)
    assert present <= options and not absent & options


@pytest.mark.parametrize("word", PER_SUPER)
def test_super_block_option(container: Container, word: str) -> None:
    present, absent = PER_SUPER[word]
    container.mount("/data", "tmpfs", "tmpfs", word).sleeping()
    options = proc.mount_at(proc.mountinfo(container.pid), "/data").super_options
    assert present <= options and not absent & options


@pytest.mark.parametrize("word", HARMLESS)
def test_word_without_visible_effect_is_accepted(container: Container, directory: str, word: str) -> None:
    container.mount("/data", directory, "bind", word).sleeping()
    assert "rw" in _options(container)


def test_remount(container: Container) -> None:
    container.mount("/dev/shm", "shm", "tmpfs", "remount", "ro", "nosuid").sleeping()
    mounts = [mount for mount in proc.mountinfo(container.pid) if mount.mount_point == "/dev/shm"]
    assert len(mounts) == 1
    assert "ro" in mounts[0].options | mounts[0].super_options


@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_nosymfollow(container: Container, directory: str, kind: str) -> None:
    os.symlink("target", f"{directory}/link")
    container.mount("/data", directory if kind == "bind" else "t", kind, "nosymfollow").sleeping()
    assert "nosymfollow" in _options(container)


@pytest.mark.parametrize(("words", "present", "absent"), LATER_WINS)
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_later_option_wins(
    container: Container, directory: str, kind: str, words: list[str], present: str | None, absent: str | None
) -> None:
    _need_changeable(directory, kind, words[-1])
    container.mount("/data", directory if kind == "bind" else "t", kind, *words).sleeping()
    options = _options(container)
    assert present is None or present in options
    assert absent is None or absent not in options


@pytest.mark.needs_root("a change of the flags that root has mounted the source with")
def test_several_flags_together(container: Container, directory: str) -> None:
    container.mount("/data", directory, "bind", "ro", "nosuid", "nodev", "noexec", "noatime").sleeping()
    assert {"ro", "nosuid", "nodev", "noexec", "noatime"} <= _options(container)


# ---- propagation ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shared_source(directory: str) -> Iterator[str]:
    """A directory that is a shared mount with a submount."""
    caller.need_root("mount")
    subprocess.run(["mount", "-t", "tmpfs", "source", directory], check=True)
    subprocess.run(["mount", "--make-shared", directory], check=True)
    os.mkdir(f"{directory}/sub")
    subprocess.run(["mount", "-t", "tmpfs", "submount", f"{directory}/sub"], check=True)
    yield directory
    subprocess.run(["umount", "-R", directory], check=True)


@pytest.mark.parametrize("word", PROPAGATION)
def test_propagation(container: Container, shared_source: str, word: str) -> None:
    container.mount("/data", shared_source, "bind", "rbind", word).sleeping()
    mounts = proc.mountinfo(container.pid)
    found = proc.mount_at(mounts, "/data").propagation
    assert PROPAGATION[word] <= found
    if not PROPAGATION[word]:
        assert not found
    if word.startswith("r"):
        assert PROPAGATION[word] <= proc.mount_at(mounts, "/data/sub").propagation
    container.delete("--force")


def test_propagation_of_a_tmpfs(container: Container) -> None:
    """Docker's tmpfs mounts carry one."""
    container.mount("/data", "tmpfs", "tmpfs", "rprivate", "noexec").sleeping()
    mount = proc.mount_at(proc.mountinfo(container.pid), "/data")
    assert not mount.propagation and "noexec" in mount.options


def test_bind_without_r_takes_no_submounts(container: Container, shared_source: str) -> None:
    container.mount("/data", shared_source, "bind", "bind", "rprivate").sleeping()
    assert "/data/sub" not in [mount.mount_point for mount in proc.mountinfo(container.pid)]
    container.delete("--force")


def test_rbind_takes_submounts(container: Container, shared_source: str) -> None:
    container.mount("/data", shared_source, "bind", "rbind", "rprivate").sleeping()
    assert proc.mount_at(proc.mountinfo(container.pid), "/data/sub").source == "submount"
    container.delete("--force")


def test_ro_does_not_reach_submounts(container: Container, shared_source: str) -> None:
    container.mount("/data", shared_source, "bind", "rbind", "ro", "rprivate").sleeping()
    assert "ro" in _options(container) and "rw" in _options(container, "/data/sub")
    container.delete("--force")


# ---- recursive attributes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", RECURSIVE)
def test_recursive_attribute(container: Container, shared_source: str, word: str) -> None:
    present, absent = RECURSIVE[word]
    container.mount("/data", shared_source, "bind", "rbind", "rprivate", word).sleeping()
    for point in ("/data", "/data/sub"):
        options = _options(container, point)
        assert present <= options and not absent & options
    container.delete("--force")


@pytest.mark.parametrize("word", RECURSIVE_CLEARING)
def test_recursive_clearing(container: Container, shared_source: str, word: str) -> None:
    flag = RECURSIVE_CLEARING[word]
    for path in (shared_source, f"{shared_source}/sub"):
        subprocess.run(["mount", "-o", f"remount,bind,{flag}", path], check=True)
    container.mount("/data", shared_source, "bind", "rbind", "rprivate", word).sleeping()
    for point in ("/data", "/data/sub"):
        assert flag not in _options(container, point)
    container.delete("--force")


def test_recursive_attributes_combine(container: Container, shared_source: str) -> None:
    container.mount(
        "/data", shared_source, "bind", "rbind", "rprivate", "rro", "rnosuid", "rnoatime"
    ).sleeping()
    for point in ("/data", "/data/sub"):
        assert {"ro", "nosuid", "noatime"} <= _options(container, point)
    container.delete("--force")


def test_recursive_attributes_leave_the_source(container: Container, shared_source: str) -> None:
    container.mount("/data", shared_source, "bind", "rbind", "rprivate", "rro").sleeping()
    assert "rw" in proc.mount_at(proc.mountinfo(), shared_source).options
    container.delete("--force")


@pytest.mark.old_runc_lacks("a later rrw that clears rro")
def test_later_recursive_attribute_wins(container: Container, shared_source: str) -> None:
    container.mount("/data", shared_source, "bind", "rbind", "rprivate", "rro", "rrw").sleeping()
    assert "rw" in _options(container, "/data/sub")
    container.delete("--force")


def test_rro_refuses_writes_in_submounts(container: Container, shared_source: str) -> None:
    container.mount("/data", shared_source, "bind", "rbind", "rprivate", "rro")
    result = container.shell("touch /data/sub/new").run()
    assert "Read-only file system" in result.stderr
