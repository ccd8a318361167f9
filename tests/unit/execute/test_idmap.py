"""Id maps by newuidmap(1) and newgidmap(1), and the comparison with those that are there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.errors import KernelError
from runtime.execute.idmap import check_id_maps, write_id_maps
from runtime.linux import posix
from runtime.plan.ops import Op

UIDS = "0 1000 1\n1 100000 65536\n"
GIDS = "0 1000 1\n1 200000 65536\n"


@pytest.fixture
def bin_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one directory on PATH."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setitem(posix.environ, "PATH", f"/no/such/directory:{directory}")
    return directory


def helper(directory: Path, name: str, script: str = "") -> None:
    """A program that writes its words down."""
    log = directory.parent / "log"
    path = directory / name
    path.write_text(f'#!/bin/sh\necho {name} "$0" "$@" >> {log}\n{script}\n')
    path.chmod(0o755)


def op(**changes: object) -> Op:
    args = {"uid_map": UIDS, "gid_map": GIDS, "setgroups": "", "helpers": 1, **changes}
    return Op("id_map", "/linux/uidMappings", **args)


def test_helpers_are_given_every_range(bin_directory: Path, tmp_path: Path) -> None:
    for name in ("newuidmap", "newgidmap"):
        helper(bin_directory, name)
    write_id_maps(4711, op(), "linux.uidMappings")
    words = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert [line[0] for line in words] == ["newuidmap", "newgidmap"]
    assert words[0][2:] == ["4711", "0", "1000", "1", "1", "100000", "65536"]
    assert words[1][2:] == ["4711", "0", "1000", "1", "1", "200000", "65536"]


def test_words_of_a_helper_that_fails_are_told(bin_directory: Path) -> None:
    helper(bin_directory, "newuidmap", "echo 'uid range not allowed' >&2; exit 1")
    with pytest.raises(KernelError) as caught:
        write_id_maps(4711, op(), "linux.uidMappings")
    assert str(caught.value) == (
        f"linux.uidMappings: newuidmap: {bin_directory}/newuidmap: exit status 1, "
        "output: uid range not allowed"
    )


def test_missing_helper_is_told_with_what_to_install(bin_directory: Path) -> None:
    with pytest.raises(KernelError) as caught:
        write_id_maps(4711, op(), "linux.uidMappings")
    assert str(caught.value) == (
        "linux.uidMappings: find newuidmap: it is not on PATH; install it (Debian: uidmap), or map one id only"
    )


def test_a_file_that_is_no_program_is_passed_over(bin_directory: Path) -> None:
    (bin_directory / "newuidmap").write_text("")
    with pytest.raises(KernelError, match="find newuidmap"):
        write_id_maps(4711, op(), "")


def test_process_that_is_gone() -> None:
    with pytest.raises(KernelError) as caught:
        write_id_maps(2**22 + 1, op(helpers=0), "linux.uidMappings")
    assert str(caught.value) == (
        f"linux.uidMappings: write '0 1000 1, 1 200000 65536' to /proc/{2**22 + 1}/gid_map: "
        "ENOENT: no such file or directory"
    )


def own_map(name: str) -> str:
    return Path(f"/proc/self/{name}").read_text()


def check(**changes: str) -> None:
    args = {"uid_map": own_map("uid_map"), "gid_map": own_map("gid_map"), **changes}
    check_id_maps(os.getpid(), Op("check_id_map", "/linux/uidMappings", **args), "linux.uidMappings")


def test_equal_maps_however_they_are_written() -> None:
    check()
    check(uid_map=" ".join(own_map("uid_map").split()))
    check(uid_map="", gid_map="")


def test_other_maps_are_an_error_with_their_place() -> None:
    shown = " ".join(own_map("uid_map").split())
    with pytest.raises(KernelError) as caught:
        check(uid_map="0 5 1\n")
    assert str(caught.value) == (
        f"linux.uidMappings: join the user namespace: its uid_map is {shown}; leave the mappings out"
    )
    with pytest.raises(KernelError, match=r"^linux\.gidMappings: join the user namespace: its gid_map is "):
        check(gid_map="0 5 1\n")
