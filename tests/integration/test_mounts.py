"""The mounts list: order, destinations, file systems, and errors that name the entry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from . import proc
from .harness import Container


def test_base_mounts_are_there(container: Container) -> None:
    container.sleeping()
    mounts = proc.mountinfo(container.pid)
    for entry in container.config["mounts"]:
        assert proc.mount_at(mounts, entry["destination"]).fs_type == entry["type"]


def test_mounts_happen_in_list_order(container: Container) -> None:
    container.mount("/a", "one", "tmpfs").mount("/a/b", "two", "tmpfs").mount(
        "/a/b/c", "three", "tmpfs"
    ).sleeping()
    mounts = proc.mountinfo(container.pid)
    one, two, three = (proc.mount_at(mounts, point) for point in ("/a", "/a/b", "/a/b/c"))
    assert (two.parent_id, three.parent_id) == (one.mount_id, two.mount_id)
    assert (one.source, two.source, three.source) == ("one", "two", "three")


def test_later_mount_covers_an_earlier_one(container: Container) -> None:
    container.mount("/a/b", "below", "tmpfs").mount("/a", "above", "tmpfs").sleeping()
    assert os.listdir(f"{container.root}/a") == []


def test_two_mounts_on_one_destination(container: Container) -> None:
    container.mount("/a", "first", "tmpfs").mount("/a", "second", "tmpfs").sleeping()
    assert [m.source for m in proc.mountinfo(container.pid) if m.mount_point == "/a"] == ["first", "second"]


def test_destination_directories_are_created(container: Container) -> None:
    container.mount("/made/by/the/runtime", "t", "tmpfs").sh("true")
    made = Path(container.bundle.rootfs, "made")
    assert made.is_dir() and made.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("destination", ["/data/", "//data", "/./data", "/x/../data"])
def test_destination_is_cleaned(container: Container, destination: str) -> None:
    container.mount(destination, "t", "tmpfs").sleeping()
    assert proc.mount_at(proc.mountinfo(container.pid), "/data").fs_type == "tmpfs"


def test_destination_with_spaces_and_unicode(container: Container) -> None:
    container.mount("/my däta dir", "t", "tmpfs").sleeping()
    assert os.path.ismount(f"{container.root}/my däta dir")
    points = [os.fsencode(m.mount_point) for m in proc.mountinfo(container.pid)]
    assert os.fsencode("/my däta dir") in points


def test_relative_destination_counts_from_the_root(container: Container) -> None:
    container.mount("data", "t", "tmpfs").sleeping()
    assert proc.mount_at(proc.mountinfo(container.pid), "/data").fs_type == "tmpfs"


def test_destination_above_the_root_stays_inside(container: Container) -> None:
    container.mount("/../../../escape", "t", "tmpfs").sleeping()
    assert proc.mount_at(proc.mountinfo(container.pid), "/escape").fs_type == "tmpfs"
    assert not os.path.exists("/escape")


def test_no_mounts_but_proc(container: Container) -> None:
    container.config["mounts"] = container.config["mounts"][:1]
    assert container.sh("ls /dev | sort | head -3") == "core\nfd\nfull" or "fd" in container.sh("ls /dev")


def test_sysfs_and_mqueue_without_source(container: Container) -> None:
    for entry in container.config["mounts"]:
        entry.pop("source", None)
    assert container.sh("ls -d /sys/kernel /dev/mqueue") == "/dev/mqueue\n/sys/kernel"


def test_devpts_is_a_new_instance(container: Container) -> None:
    assert container.sh("ls /dev/pts") == "ptmx"


def test_mqueue_belongs_to_the_ipc_namespace(container: Container) -> None:
    container.shell("touch /dev/mqueue/queue; sleep 1000").up()
    proc.wait_until(lambda: os.path.exists(f"{container.root}/dev/mqueue/queue"), "queue made")
    assert not os.path.exists("/dev/mqueue/queue")


def test_ramfs(container: Container) -> None:
    container.mount("/ram", "r", "ramfs").sleeping()
    assert proc.mount_at(proc.mountinfo(container.pid), "/ram").fs_type == "ramfs"


def test_overlay_mount_with_data_options(container: Container, directory: str) -> None:
    for name in ("lower", "upper", "work"):
        os.makedirs(f"{directory}/{name}")
    Path(directory, "lower/file").write_text("lower")
    container.mount("/over", "overlay", "overlay", f"lowerdir={directory}/lower")
    result = container.shell("cat /over/file").run()
    result.failed("lowerdir") if result.returncode else None
    # one lower layer alone is refused by the kernel: the error must name the entry
    container.config["mounts"][-1]["options"] = [f"lowerdir={directory}/lower:{directory}/upper"]
    assert container.sh("cat /over/file") == "lower"


def test_none_type_with_bind_option(container: Container, directory: str) -> None:
    Path(directory, "file").write_text("bound")
    container.mount("/data", directory, "none", "rbind")
    assert container.sh("cat /data/file") == "bound"


# ---- errors --------------------------------------------------------------------------------------------------------


def test_unknown_file_system_is_an_error(container: Container) -> None:
    container.mount("/data", "x", "nosuchfs").try_create().failed("/data", "no such device")
    assert container.runtime.leftovers() == []


def test_bad_data_option_is_an_error(container: Container) -> None:
    container.mount("/data", "x", "tmpfs", "nosuchoption=1").try_create().failed("/data", "invalid argument")
    assert container.runtime.leftovers() == []


def test_missing_bind_source_is_an_error(container: Container) -> None:
    container.mount("/data", "/no/such/source").try_create().failed(
        "/no/such/source", "no such file or directory"
    )
    assert not os.path.exists(f"{container.bundle.rootfs}/data")


def test_directory_on_a_file_is_an_error(container: Container, directory: str) -> None:
    container.mount("/etc/passwd", directory).try_create().failed("/etc/passwd", "not a directory")


def test_destination_below_a_file_is_an_error(container: Container) -> None:
    container.mount("/etc/passwd/sub", "t", "tmpfs").try_create().failed("not a directory")


@pytest.mark.planc_only("JSON pointers in its errors")
@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"destination": "/data", "type": "nosuchfs", "source": "x"}, ["mounts[6]", "/data", "ENODEV"]),
        (
            {"destination": "/data", "type": "bind", "source": "/nope", "options": ["bind"]},
            ["mounts[6]", "ENOENT"],
        ),
        (
            {"destination": "/data", "type": "tmpfs", "source": "t", "options": ["size=x"]},
            ["mounts[6]", "EINVAL"],
        ),
    ],
)
def test_errors_name_the_entry_and_errno(
    container: Container, entry: dict[str, object], words: list[str]
) -> None:
    container.config["mounts"].append(entry)
    container.try_create().failed(*words)
