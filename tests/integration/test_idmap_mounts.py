"""Id-mapped mounts: `idmap`, `ridmap`, uidMappings and gidMappings of a mount (mount_setattr(2), MOUNT_ATTR_IDMAP)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import Container

pytestmark = [
    pytest.mark.old_runc_lacks("id-mapped mounts", strict=False),
    pytest.mark.needs_root("id-mapped mounts of a file system of root's"),
]


@pytest.fixture
def source(directory: str) -> str:
    """Files of uid 0, 1000 and 5000 on the file system of the test directory."""
    for uid in (0, 1000, 5000):
        path = Path(directory, str(uid))
        path.write_text(f"file of {uid}")
        os.chown(path, uid, uid)
    return directory


def _mapping(*ranges: tuple[int, int, int]) -> list[dict[str, int]]:
    return [{"containerID": inside, "hostID": outside, "size": size} for inside, outside, size in ranges]


def _idmap(
    container: Container, source: str, *ranges: tuple[int, int, int], word: str = "idmap"
) -> Container:
    container.mount("/data", source, "bind", "rbind", word)
    container.config["mounts"][-1] |= {"uidMappings": _mapping(*ranges), "gidMappings": _mapping(*ranges)}
    return container


def _owners(container: Container, where: str = "/data") -> str:
    return container.sh(f"cd {where} && stat -c %u:%g 0 1000 5000").replace("\n", " ")


def test_ids_on_disk_appear_mapped(container: Container, source: str) -> None:
    """containerID is the id on disk, hostID the id that the mount shows."""
    assert (
        _owners(_idmap(container, source, (0, 100000, 65536))) == "100000:100000 101000:101000 105000:105000"
    )


def test_unmapped_ids_appear_as_the_overflow_id(container: Container, source: str) -> None:
    assert _owners(_idmap(container, source, (1000, 2000, 1))) == "65534:65534 2000:2000 65534:65534"


def test_several_ranges(container: Container, source: str) -> None:
    assert _owners(_idmap(container, source, (0, 10, 1), (1000, 2000, 1), (5000, 6000, 1))) == (
        "10:10 2000:2000 6000:6000"
    )


def test_uid_and_gid_mappings_may_differ(container: Container, source: str) -> None:
    _idmap(container, source, (0, 100, 6000))
    container.config["mounts"][-1]["gidMappings"] = _mapping((0, 200, 6000))
    assert _owners(container) == "100:200 1100:1200 5100:5200"


def test_new_files_get_the_id_on_disk(container: Container, source: str) -> None:
    _idmap(container, source, (1000, 0, 1))
    os.chown(source, 1000, 1000)
    container.sh("touch /data/new")
    status = os.stat(f"{source}/new")
    assert (status.st_uid, status.st_gid) == (1000, 1000)


def test_with_a_user_namespace_and_its_own_mapping(container: Container, source: str) -> None:
    container.namespace("user")
    container.linux["uidMappings"] = container.linux["gidMappings"] = _mapping((0, 100000, 65536))
    container.bundle.directory("data")
    _idmap(container, source, (0, 100000, 65536))
    assert _owners(container) == "0:0 1000:1000 5000:5000"


def test_without_mappings_the_user_namespace_is_used(container: Container, source: str) -> None:
    container.namespace("user")
    container.linux["uidMappings"] = container.linux["gidMappings"] = _mapping((0, 100000, 65536))
    container.bundle.directory("data")
    container.mount("/data", source, "bind", "bind", "idmap")
    assert _owners(container) == "0:0 1000:1000 5000:5000"


def test_the_source_stays_as_it_is(container: Container, source: str) -> None:
    _idmap(container, source, (0, 100000, 65536)).sleeping()
    assert os.stat(f"{source}/1000").st_uid == 1000


def test_together_with_flags(container: Container, source: str) -> None:
    _idmap(container, source, (0, 100000, 65536))
    container.config["mounts"][-1]["options"] += ["ro", "nosuid"]
    assert "Read-only" in container.shell("touch /data/new").run().stderr


def test_file_as_source(container: Container, source: str) -> None:
    container.mount("/file", f"{source}/1000", "bind", "bind", "idmap")
    container.config["mounts"][-1] |= {
        "uidMappings": _mapping((1000, 77, 1)),
        "gidMappings": _mapping((1000, 78, 1)),
    }
    assert container.sh("stat -c %u:%g /file") == "77:78"


@pytest.fixture
def tree(source: str) -> Iterator[str]:
    """The source with a second file system of the same content mounted below it."""
    os.mkdir(f"{source}/sub")
    os.mkdir(f"{source}/other")
    for uid in (0, 1000, 5000):
        path = Path(source, "other", str(uid))
        path.write_text("")
        os.chown(path, uid, uid)
    subprocess.run(["mount", "--bind", f"{source}/other", f"{source}/sub"], check=True)
    yield source
    subprocess.run(["umount", f"{source}/sub"], check=True)


def test_idmap_maps_only_the_top_mount(container: Container, tree: str) -> None:
    assert _owners(_idmap(container, tree, (0, 100000, 65536)), "/data/sub") == "0:0 1000:1000 5000:5000"


def test_ridmap_maps_submounts_too(container: Container, tree: str) -> None:
    _idmap(container, tree, (0, 100000, 65536), word="ridmap")
    assert _owners(container, "/data/sub") == "100000:100000 101000:101000 105000:105000"


# ---- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["uidMappings", "gidMappings"])
def test_one_mapping_alone_is_refused(container: Container, source: str, missing: str) -> None:
    _idmap(container, source, (0, 100000, 65536))
    del container.config["mounts"][-1][missing]
    container.try_create().failed("mapping")


def test_idmap_without_any_mapping_is_refused(container: Container, source: str) -> None:
    container.mount("/data", source, "bind", "bind", "idmap").try_create().failed("idmap")


def test_idmap_of_a_file_system_without_support_is_refused(container: Container) -> None:
    container.mount("/data", "/proc/sys", "bind", "bind", "idmap")
    container.config["mounts"][-1] |= {"uidMappings": _mapping((0, 1, 1)), "gidMappings": _mapping((0, 1, 1))}
    container.try_create().failed("/proc/sys")


@pytest.mark.parametrize("size", [0, -1])
def test_empty_range_is_refused(container: Container, source: str, size: int) -> None:
    _idmap(container, source, (0, 100000, size)).try_create().failed("size" if size else "")
