"""Ids and capabilities (csrc/identity.c), seen in /proc/PID/status."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .blob import Operation
from .container import CLONE_NEWUSER, Container, failure
from .test_namespace_ops import map_ids, status

CHOWN, KILL, SETGID, SETUID, SETPCAP, NET_BIND, SYS_ADMIN = (1 << n for n in (0, 5, 6, 7, 8, 10, 21))
SOME = CHOWN | KILL | NET_BIND


def sets(pid: int) -> dict[str, int]:
    return {key[3:]: int(value, 16) for key, value in status(pid).items() if key.startswith("Cap")}


def test_bounding_set_keeps_what_it_shall() -> None:
    with Container([("bounding", {"keep": SOME})]) as container:
        assert sets(container.pid)["Bnd"] == SOME
    with Container([("bounding", {"keep": 0})]) as container:
        assert sets(container.pid)["Bnd"] == 0


def test_bounding_set_is_no_matter_of_bits_the_kernel_does_not_know() -> None:
    before = int(status(os.getpid())["CapBnd"], 16)
    with Container([("bounding", {"keep": (1 << 64) - 1})]) as container:
        assert sets(container.pid)["Bnd"] == before


def test_groups() -> None:
    with Container([("setgroups", {"gids": [5, 3, 70000]})]) as container:
        assert status(container.pid)["Groups"].split() == ["3", "5", "70000"]
    with Container([("setgroups", {"gids": []})]) as container:
        assert status(container.pid)["Groups"] == ""
    with Container([("setgroups", {})]) as container:
        assert status(container.pid)["Groups"] == "", "also when none are given"


def test_ids_with_all_capabilities_kept_until_they_are_set() -> None:
    with Container([("setuid", {"uid": 1234, "gid": 4321})]) as container:
        found = status(container.pid)
        assert (found["Uid"].split(), found["Gid"].split()) == (["1234"] * 4, ["4321"] * 4)
        capabilities = sets(container.pid)
        assert capabilities["Eff"] == capabilities["Prm"] != 0


def test_capability_sets() -> None:
    sequence: list[Operation] = [
        ("bounding", {"keep": SOME}),
        ("setuid", {"uid": 1000, "gid": 1000}),
        ("capset", {"effective": KILL, "permitted": SOME, "inheritable": NET_BIND}),
        ("ambient", {"mask": NET_BIND | CHOWN | SYS_ADMIN}),
    ]
    with Container(sequence) as container:
        found = sets(container.pid)
    # CHOWN is not inheritable, SYS_ADMIN not even permitted: refused, and that is no failure
    assert found == {"Eff": KILL, "Prm": SOME, "Inh": NET_BIND, "Bnd": SOME, "Amb": NET_BIND}


def test_no_capability_at_all() -> None:
    with Container([("bounding", {"keep": 0}), ("capset", {})]) as container:
        assert set(sets(container.pid).values()) == {0}


def test_ambient_capabilities_of_the_caller_are_gone() -> None:
    """systemd's AmbientCapabilities=, for example."""
    ambient: list[Operation] = [
        ("capset", {"effective": SOME, "permitted": SOME, "inheritable": SOME}),
        ("ambient", {"mask": SOME}),
    ]
    with Container(ambient) as container:
        assert sets(container.pid)["Amb"] == SOME
    again: Operation = ("capset", {"effective": SOME, "permitted": SOME, "inheritable": SOME})
    with Container([*ambient, again]) as container:
        assert sets(container.pid)["Amb"] == 0


def test_capabilities_that_are_not_permitted() -> None:
    drop: Operation = ("capset", {"effective": KILL, "permitted": KILL})
    failed = failure([drop, ("capset", {"effective": KILL | CHOWN, "permitted": KILL | CHOWN})])
    text = "set capabilities (effective 0x21, permitted 0x21, inheritable 0x0)"
    assert (failed.error, failed.text) == (errno.EPERM, text)


def test_ids_that_are_not_mapped() -> None:
    user: list[Operation] = [("unshare", {"flags": CLONE_NEWUSER}), ("sync", {}), ("become_root", {})]

    def one_range(pid: int) -> None:
        map_ids(pid, "0 100000 1000", "0 100000 1000")

    failed = failure([*user, ("setuid", {"uid": 5000, "gid": 5})], on_sync=[one_range])
    assert (failed.error, failed.text) == (errno.EINVAL, "become uid 5000")
    failed = failure([*user, ("setuid", {"uid": 5, "gid": 5000})], on_sync=[one_range])
    assert (failed.error, failed.text) == (errno.EINVAL, "become gid 5000")
    failed = failure([*user, ("setgroups", {"gids": [5, 5000]})], on_sync=[one_range])
    assert (failed.error, failed.text) == (errno.EINVAL, "set 2 additional groups")
    ids: list[Operation] = [*user, ("setgroups", {"gids": [5]}), ("setuid", {"uid": 7, "gid": 8})]
    with Container(ids, on_sync=[one_range]) as container:
        found = status(container.pid)
        assert (found["Uid"].split()[0], found["Gid"].split()[0]) == ("100007", "100008")
        assert found["Groups"].split() == ["100005"]


def test_chdir_after_the_change_of_uid_has_a_second_try(tmp_path: Path) -> None:
    """A directory of the user's own that root of a user namespace, say, could not enter."""
    directory = tmp_path / "own"
    directory.mkdir(mode=0o700)
    for path in (directory, tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755 if path != directory else 0o700)
    os.chown(directory, 1000, 1000)
    powerless: Operation = ("capset", {"permitted": SETUID | SETGID, "effective": SETUID | SETGID})
    first: Operation = ("chdir", {"path": directory, "may_fail": 1})
    second: Operation = ("chdir", {"path": directory})
    ids: Operation = ("setuid", {"uid": 1000, "gid": 1000})
    assert failure([powerless, second]).error == errno.EACCES
    with Container([powerless, first, ids, second]) as container:
        assert os.readlink(f"/proc/{container.pid}/cwd") == str(directory)
