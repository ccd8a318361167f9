"""`delete`: what goes, and what is left to Python."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .by_hand import new_record, save
from .commands import PYTHON, Command, snapshot

Process = Callable[..., subprocess.Popen[bytes]]
FIFOS = ("exec.fifo", "exec.status")


def refused(front: Command, directory: Path, *flags: str) -> None:
    before = snapshot(directory)
    assert front("--root", str(directory.parent), "delete", *flags, "c1") == (PYTHON, b"PYTHON\n", b"")
    assert snapshot(directory) == before


def test_a_stopped_one(front: Command, tmp_path: Path) -> None:
    record = new_record("c1")
    record.cgroups = [
        (("cpu",), str(tmp_path / "cpu")),
        (("pids",), str(tmp_path / "gone")),
        ((), str(tmp_path / "u")),
    ]
    for name in ("cpu", "u"):
        (tmp_path / name).mkdir()
    directory = save(tmp_path / "root", record, FIFOS)
    (directory / "seccomp.bpf").write_bytes(b"filter")
    assert front("--root", str(tmp_path / "root"), "delete", "c1") == (0, b"", b"")
    assert sorted(os.listdir(tmp_path)) == ["root"] and os.listdir(tmp_path / "root") == []


@pytest.mark.parametrize("flag", ["-f", "--force", "-force"])
def test_with_force(front: Command, stopped: Path, flag: str) -> None:
    assert front("--root", str(stopped.parent), "delete", flag, "c1") == (0, b"", b"")
    assert not stopped.exists()


def test_a_created_one_is_killed(front: Command, root: Path, process: Process) -> None:
    init = process()
    directory = save(root, new_record("c1", init.pid), FIFOS)
    assert front("--root", str(root), "delete", "c1") == (0, b"", b"")
    assert init.wait() == -signal.SIGKILL
    assert not directory.exists()


def test_a_running_one_with_force(front: Command, root: Path, process: Process) -> None:
    init = process()
    directory = save(root, new_record("c1", init.pid))
    refused(front, directory)
    assert init.poll() is None
    assert front("--root", str(root), "delete", "c1", "--force") == (0, b"", b"")
    assert init.wait() == -signal.SIGKILL
    assert not directory.exists()


def test_nobody_else_is_killed(front: Command, root: Path, process: Process) -> None:
    other = process()
    record = new_record("c1", other.pid)
    record.start_time += 1
    save(root, record, FIFOS)
    assert front("--root", str(root), "delete", "--force", "c1")[0] == 0
    assert other.poll() is None


# ---- a container that is not there ---------------------------------------------------------------


def test_nothing_there_with_force(front: Command, reference: Command, tmp_path: Path) -> None:
    for root in (tmp_path / "no/root", tmp_path):
        argv = ["--root", str(root), "delete", "--force", "nobody"]
        assert front(*argv) == reference(*argv) == (0, b"", b"")
    (tmp_path / "file").write_text("")
    argv = ["--root", str(tmp_path), "delete", "--force", "file"]
    assert front(*argv) == reference(*argv) == (0, b"", b"")


def test_nothing_there_with_force_and_a_log(front: Command, tmp_path: Path) -> None:
    argv = ["--log", str(tmp_path / "log"), "--root", str(tmp_path), "delete", "-f", "nobody"]
    assert front(*argv) == (0, b"", b"")
    assert (tmp_path / "log").read_text() == ""


def test_nothing_there_and_a_log_that_cannot_be_opened(front: Command, tmp_path: Path) -> None:
    argv = ["--log", str(tmp_path / "no/log"), "--root", str(tmp_path), "delete", "-f", "nobody"]
    assert front(*argv)[0] == PYTHON


def test_nothing_there_without_force(front: Command, tmp_path: Path) -> None:
    assert front("--root", str(tmp_path), "delete", "nobody")[0] == PYTHON


# ---- what is Python's ----------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["--force"]])
@pytest.mark.parametrize("what", ["poststop", "systemd", "no pid namespace"])
def test_special_ones(front: Command, root: Path, process: Process, what: str, flags: list[str]) -> None:
    init = process()
    record = new_record("c1", init.pid)
    if what == "poststop":
        record.config["hooks"] = {"poststop": [{"path": "/bin/true"}]}
    elif what == "systemd":
        record.systemd_cgroup = True
    else:
        record.config = {"linux": {"namespaces": [{"type": "pid", "path": "/proc/1/ns/pid"}]}}
    refused(front, save(root, record, FIFOS), *flags)
    assert init.poll() is None


@pytest.mark.parametrize("flags", [[], ["--force"]])
def test_a_paused_one(front: Command, tmp_path: Path, process: Process, flags: list[str]) -> None:
    init = process()
    record = new_record("c1", init.pid)
    record.cgroups = [((), str(tmp_path))]
    (tmp_path / "cgroup.freeze").write_text("1\n")
    refused(front, save(tmp_path / "root", record), *flags)
    assert init.poll() is None


@pytest.mark.parametrize("name", [".state.json.123", "notes", "summary2", "notify"])
def test_unknown_files(front: Command, created: Path, name: str) -> None:
    if name == "notify":
        (created / name).mkdir()
    else:
        (created / name).write_text("")
    refused(front, created)


def test_many_unknown_files(front: Command, stopped: Path) -> None:
    for number in range(200):
        (stopped / f"{number:03}{'x' * 200}").write_text("")
    refused(front, stopped)


def test_a_directory_with_a_known_name(front: Command, reference: Command, stopped: Path) -> None:
    (stopped / "seccomp.bpf").mkdir()
    argv = ["--root", str(stopped.parent), "delete", "c1"]
    assert front(*argv)[0] == PYTHON
    assert (stopped / "state.json").exists()
    assert reference(*argv)[0] == 0 and not stopped.exists()


def test_a_log_that_cannot_be_opened(front: Command, created: Path) -> None:
    before = snapshot(created)
    assert front("--log", str(created), "--root", str(created.parent), "delete", "c1")[0] == PYTHON
    assert snapshot(created) == before


def test_another_command_holds_the_lock(front: Command, stopped: Path) -> None:
    fd = os.open(stopped, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    refused(front, stopped, "--force")
    os.close(fd)


@pytest.mark.parametrize(("flags", "code"), [(["--force"], 0), ([], 1)])
def test_another_command_deletes_it_meanwhile(
    reference: Command, stopped: Path, flags: list[str], code: int
) -> None:
    """With --force it is gone as wanted, whoever did it."""
    fd = os.open(stopped, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    waiting = reference.spawn("--root", str(stopped.parent), "delete", *flags, "c1")
    end = time.monotonic() + 60
    while str(stopped) not in _open_files(waiting.pid):
        assert time.monotonic() < end and waiting.poll() is None
        time.sleep(0.002)
    shutil.rmtree(stopped)
    os.close(fd)
    err = waiting.communicate(timeout=60)[1]
    assert (waiting.returncode, b"container does not exist" in err) == (code, code == 1)


def _open_files(pid: int) -> set[str]:
    found = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(path))
    return found


def test_a_cgroup_that_cannot_be_removed(front: Command, reference: Command, tmp_path: Path) -> None:
    """What is not empty stays with its record, and Python's command goes on from there."""
    record = new_record("c1")
    record.cgroups = [(("cpu",), str(tmp_path / "first")), (("pids",), str(tmp_path / "second"))]
    (tmp_path / "first").mkdir()
    (tmp_path / "second/below").mkdir(parents=True)
    directory = save(tmp_path / "root", record)
    argv = ["--root", str(tmp_path / "root"), "delete", "c1"]
    assert front(*argv)[0] == PYTHON
    assert sorted(os.listdir(directory)) == ["state.json", "summary"]
    assert reference(*argv) == (0, b"", b"")
    assert os.listdir(tmp_path) == ["root"] and not directory.exists()
