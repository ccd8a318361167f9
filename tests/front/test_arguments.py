"""Command lines: what the front takes it takes as Python does; whatever is odd goes to Python."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .commands import PYTHON, Command, snapshot

GOOD = [
    "--root ROOT state c1",
    "--root=ROOT state c1",
    "-root ROOT state c1",
    "-root=ROOT state c1",
    "state --root ROOT c1",
    "state c1 --root ROOT",
    "--root /nowhere state c1 --root=ROOT",
    "--systemd-cgroup --root ROOT state c1",
    "--rootless true --root ROOT state c1",
    "--rootless=auto state -rootless false --root ROOT c1",
    "--log LOG --root ROOT state c1",
    "--log=LOG --log-format json --root ROOT state c1",
    "--log LOG -log-format=text --root ROOT state c1",
    "--log= --log-format json --root ROOT state c1",
    "--root ROOT state c1 --log LOG --log-format=json",
]

ODD = [
    "",
    "--root",
    "--root ROOT",
    "--root ROOT state",
    "--root ROOT state c1 c2",
    "--root ROOT state --bogus c1",
    "--root ROOT state -h c1",
    "--root ROOT --debug state c1",
    "--root ROOT state --debug c1",
    "--root ROOT state -- c1",
    "-- --root ROOT state c1",
    "--root ROOT --log-format xml state c1",
    "--root ROOT --rootless maybe state c1",
    "--root ROOT --systemd-cgroup=1 state c1",
    "---root ROOT state c1",
    "--ROOT ROOT state c1",
    "--root ROOT --log",
    "--root ROOT state nobody",
    "--root ROOT state .",
    "--root ROOT state ..",
    "--root ROOT state c/1",
    "--root ROOT list",
    "--root ROOT/ state c1",
    "--root ROOT/. state c1",
    "--root ROOT/../root state c1",
    "--root /./tmp state c1",
    "--root //tmp state c1",
    "--root root state c1",
    "--root / state c1",
    "--root ROOT --log ROOT/no/where state c1",
    "--root ROOT start c1 c2",
    "--root ROOT start --force c1",
    "--root ROOT kill",
    "--root ROOT kill --all c1",
    "--root ROOT kill -a c1 TERM",
    "--root ROOT kill c1 TERM 15",
    "--root ROOT kill c1 -- TERM",
    "--root ROOT kill c1 --log LOG",
    "--root ROOT delete --force=1 c1",
    "--root ROOT delete --f nobody",
    "--root ROOT delete -f=1 nobody",
    "--root ROOT delete --force ..",
]


def words(line: str, root: Path) -> list[str]:
    paths = {"ROOT": str(root), "LOG": str(root.parent / "log")}
    return [re.sub("ROOT|LOG", lambda found: paths[found[0]], word) for word in line.split()]


@pytest.mark.parametrize("line", GOOD)
def test_good_ones(front: Command, reference: Command, stopped: Path, line: str) -> None:
    argv = words(line, stopped.parent)
    done = front(*argv)
    assert done[0] == 0 and json.loads(done[1])["id"] == "c1"
    log = stopped.parent.parent / "log"
    had_log = log.exists()
    assert had_log == ("LOG" in line)
    log.unlink(missing_ok=True)
    assert reference(*argv) == done
    assert log.exists() == had_log


@pytest.mark.parametrize("line", ODD)
def test_odd_ones_are_for_python(front: Command, stopped: Path, line: str) -> None:
    before = snapshot(stopped.parent.parent)
    assert front(*words(line, stopped.parent)) == (PYTHON, b"PYTHON\n", b"")
    assert snapshot(stopped.parent.parent) == before


def test_no_arguments_at_all(front: Command) -> None:
    assert front()[0] == PYTHON


def test_long_words(front: Command, stopped: Path) -> None:
    for argv in (["state", "x" * 256], ["--root", "/" + "x" * 5000, "state", "c1"], ["x" * 100000, "c1"]):
        assert front("--root", str(stopped.parent), *argv)[0] == PYTHON


def test_no_root_that_is_the_root_directory(front: Command, tmp_path: Path) -> None:
    (tmp_path / "top").symlink_to("/")
    assert front("--root", str(tmp_path / "top"), "delete", "--force", "no-such-container")[0] == PYTHON


WORDS = [
    "--root", "-root", "--root=ROOT", "ROOT", "--log", "--log=LOG", "LOG", "--log-format", "text", "xml",
    "--log-format=json", "--rootless", "--rootless=auto", "maybe", "--systemd-cgroup", "--debug", "--", "-",
    "EMPTY", "-f", "--force", "state", "c1", "nobody",
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(st.sampled_from(WORDS), max_size=3),
    behind=st.lists(st.sampled_from(WORDS), max_size=3),
)
def test_never_other_than_python(
    front: Command, reference: Command, stopped: Path, before: list[str], behind: list[str]
) -> None:
    line = ["--root=ROOT", *before, "state", "c1", *behind]
    argv = ["" if word == "EMPTY" else "".join(words(word, stopped.parent)) for word in line]
    cwd = stopped.parent.parent
    done = front(*argv, cwd=cwd)
    if done[0] != PYTHON:
        assert reference(*argv, cwd=cwd) == done


# ---- where containers are without --root ---------------------------------------------------------


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"XDG_RUNTIME_DIR": ""},
        {"XDG_RUNTIME_DIR": "/run/user/0", "USER": "root"},
        {"USER": "joe"},
    ],
)
@pytest.mark.parametrize("root", [[], ["--root", ""]])
def test_the_default_root(front: Command, env: dict[str, str], root: list[str]) -> None:
    """Seen from what --force finds: nothing at /run/planc is a success, and else it would be Python's."""
    if os.geteuid() != 0:
        pytest.skip("for root only")
    assert front(*root, "delete", "--force", "no-such-container", env=env) == (0, b"", b"")


@pytest.mark.parametrize("user", [{"USER": "joe"}, {"USER": ""}, {}])
def test_a_root_that_may_be_none(front: Command, user: dict[str, str]) -> None:
    env = {"XDG_RUNTIME_DIR": "/run/user/0", **user}
    assert front("delete", "--force", "no-such-container", env=env)[0] == PYTHON


def test_the_default_root_of_a_user_is_for_python_to_find(front: Command, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        assert (
            front("delete", "--force", "no-such-container", env={"XDG_RUNTIME_DIR": str(tmp_path)})[0]
            == PYTHON
        )
    else:
        # the sanitized binary lies where only root may go
        binary = os.open(front.words[0], os.O_RDONLY)
        user = Command([f"/proc/self/fd/{binary}"])
        done = user(
            "delete", "--force", "no-such-container", pass_fds=[binary], user=65534, group=65534, env={}
        )
        os.close(binary)
        assert done[0] == PYTHON
