"""`state`: the front prints what Python prints, in every status and to every kind of output."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .by_hand import new_record, save
from .commands import PYTHON, Command

Process = Callable[..., subprocess.Popen[bytes]]


def same(front: Command, reference: Command, directory: Path) -> str:
    """The status both print."""
    done = front("--root", str(directory.parent), "state", directory.name)
    assert done[0] == 0
    assert reference("--root", str(directory.parent), "state", directory.name) == done
    state = json.loads(done[1])
    assert (state["pid"] == 0) == (state["status"] == "stopped")
    return str(state["status"])


def test_created(front: Command, reference: Command, created: Path) -> None:
    assert same(front, reference, created) == "created"


def test_running(front: Command, reference: Command, running: Path) -> None:
    assert same(front, reference, running) == "running"


def test_stopped(front: Command, reference: Command, stopped: Path) -> None:
    assert same(front, reference, stopped) == "stopped"


def test_creating_is_for_python(front: Command, root: Path, process: Process) -> None:
    directory = save(root, new_record("c1", process().pid))
    (directory / "summary").unlink()
    assert front("--root", str(root), "state", "c1")[0] == PYTHON


def test_a_pid_that_somebody_else_has_now(
    front: Command, reference: Command, root: Path, process: Process
) -> None:
    record = new_record("c1", process().pid)
    record.start_time -= 1
    assert same(front, reference, save(root, record)) == "stopped"


def test_a_zombie(front: Command, reference: Command, root: Path, process: Process) -> None:
    init = process()
    directory = save(root, new_record("c1", init.pid))
    init.kill()
    os.waitid(os.P_PID, init.pid, os.WEXITED | os.WNOWAIT)
    assert same(front, reference, directory) == "stopped"


@pytest.mark.parametrize("name", ["x) Z 1 2", "((", ")", ") Z 1 (", " ", "a\nb"])
def test_a_process_with_an_odd_name(
    front: Command, reference: Command, tmp_path: Path, process: Process, name: str
) -> None:
    shutil.copy("/bin/sleep", tmp_path / name)
    init = process(str(tmp_path / name), "1000")
    while Path(f"/proc/{init.pid}/comm").read_text() != f"{name[:15]}\n":
        time.sleep(0.001)
    assert same(front, reference, save(tmp_path / "root", new_record("c1", init.pid))) == "running"


@pytest.mark.parametrize(
    ("controllers", "file", "content", "status"),
    [
        (("freezer",), "freezer.state", "FROZEN\n", "paused"),
        (("freezer",), "freezer.state", " FROZEN", "paused"),
        (("freezer",), "freezer.state", "FREEZING\n", "running"),
        (("freezer",), "freezer.state", "FROZEN1\n", "running"),
        (("freezer",), "freezer.state", "FROZE", "running"),
        (("freezer",), "freezer.state", "", "running"),
        (("freezer",), "cgroup.freeze", "1\n", "running"),
        ((), "cgroup.freeze", "1\n", "paused"),
        ((), "cgroup.freeze", "0\n", "running"),
        ((), "freezer.state", "FROZEN\n", "running"),
    ],
)
def test_paused(
    front: Command,
    reference: Command,
    tmp_path: Path,
    process: Process,
    controllers: tuple[str, ...],
    file: str,
    content: str,
    status: str,
) -> None:
    record = new_record("c1", process().pid)
    record.cgroups = [(("cpu",), str(tmp_path / "cpu")), (controllers, str(tmp_path))]
    (tmp_path / file).write_text(content)
    assert same(front, reference, save(tmp_path / "root", record)) == status


def test_the_v1_freezer_counts_beside_a_unified_cgroup(
    front: Command, reference: Command, tmp_path: Path, process: Process
) -> None:
    record = new_record("c1", process().pid)
    record.cgroups = [((), str(tmp_path)), (("freezer",), str(tmp_path))]
    (tmp_path / "cgroup.freeze").write_text("1")
    (tmp_path / "freezer.state").write_text("THAWED\n")
    assert same(front, reference, save(tmp_path / "root", record)) == "running"


# ---- outputs -------------------------------------------------------------------------------------


def test_an_output_that_nobody_reads_is_for_python(front: Command, stopped: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = front.spawn("--root", str(stopped.parent), "state", "c1", stdout=writer)
    os.close(writer)
    assert process.communicate()[1] == b""
    assert process.returncode == PYTHON


@pytest.mark.parametrize("limit", [1, 60, 100, 190])
@pytest.mark.parametrize("form", ["text", "json"])
def test_an_output_that_takes_a_part(
    front: Command, reference: Command, stopped: Path, tmp_path: Path, limit: int, form: str
) -> None:
    results = []
    for command in (front, reference):
        with open(tmp_path / "out", "w+b") as out:
            code, _, err = command(
                "--log-format", form, "--root", str(stopped.parent), "state", "c1",
                stdout=out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
            )  # fmt: skip
        text = err.decode() if form == "text" else json.loads(err)["msg"]
        results.append((code, text, (tmp_path / "out").read_bytes()))
    assert results[0] == results[1]
    assert results[0][0] == 1 and len(results[0][2]) == limit
    assert results[0][1].strip() == "write to standard output: File too large"


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_standard_descriptors_are_for_python(front: Command, created: Path, closed: int) -> None:
    for argv in (["state"], ["kill"], ["start"], ["delete"]):
        process = front.spawn(
            "--root", str(created.parent), *argv, "c1", stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.close(closed),
        )  # fmt: skip
        process.communicate()
        assert process.returncode == PYTHON
    assert sorted(os.listdir(created)) == ["exec.fifo", "exec.status", "state.json", "summary"]
