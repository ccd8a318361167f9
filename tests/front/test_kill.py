"""`kill`: names, numbers, and who gets the signal."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.errors import UsageError
from runtime.linux.signals import SIGNALS, parse_signal

from .by_hand import new_record, save
from .commands import PYTHON, Command

Process = Callable[..., subprocess.Popen[bytes]]

LISTEN = """
import signal, sys
everything = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
signal.pthread_sigmask(signal.SIG_BLOCK, everything)
print("ready", flush=True)
while True:
    print(signal.sigwait(everything) + 0, flush=True)
"""


@pytest.fixture(scope="module")
def listener() -> Iterator[subprocess.Popen[str]]:
    """A process that prints the number of every signal it gets."""
    process = subprocess.Popen(["/usr/bin/python3", "-IS", "-c", LISTEN], stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


NAMES = [name for name in SIGNALS if name not in ("SIGKILL", "SIGSTOP")]
GOOD = [
    *NAMES, *[name.removeprefix("SIG") for name in NAMES], "term", "sigterm", "sIgUsR1", "hup",
    *[str(number) for number in (1, 2, 10, 15, 31, 34, 50, 64)], "015", "000000001",
    "RTMIN", "SIGRTMIN", "rtmin+1", "SIGRTMIN+30", "RTMAX", "SIGRTMAX-30", "rtmax-1", "RTMIN+007", "RTMAX-0",
]  # fmt: skip
BAD = [
    "65", "100", "-1", "+1", "1 ", " 1", "1x", "TERMX", "SIG", "SIGSIGTERM", "SIGTERM ", "T", "x" * 3000,
    "RTMIN+31", "RTMAX-31", "RTMIN-1", "RTMAX+1", "RTMIN+", "RTMINUS", "RTMIN+1x", "RTMIN+-1", "RTMIN 1",
    "RTMI", "ter\u0131m", "9999999999999999999999",
]  # fmt: skip


def test_good_names(front: Command, root: Path, listener: subprocess.Popen[str]) -> None:
    save(root, new_record("c1", listener.pid))
    assert listener.stdout
    for name in GOOD:
        assert front("--root", str(root), "kill", "c1", name) == (0, b"", b""), name
        assert int(listener.stdout.readline()) == parse_signal(name), name


@pytest.mark.parametrize("argv", [[], [""]])
def test_term_is_the_default(
    front: Command, root: Path, listener: subprocess.Popen[str], argv: list[str]
) -> None:
    save(root, new_record("c1", listener.pid))
    assert front("--root", str(root), "kill", "c1", *argv) == (0, b"", b"")
    assert listener.stdout and int(listener.stdout.readline()) == signal.SIGTERM


def test_bad_names_are_for_python(front: Command, root: Path, process: Process) -> None:
    save(root, new_record("c1", process().pid))
    for name in BAD:
        with pytest.raises(UsageError):
            parse_signal(name)
        assert front("--root", str(root), "kill", "c1", name)[0] == PYTHON, name


def test_numbers_of_more_digits_than_anybody_writes_are_for_python(front: Command, running: Path) -> None:
    assert front("--root", str(running.parent), "kill", "c1", "0000000001")[0] == PYTHON


def test_signal_0_sends_nothing(front: Command, root: Path, process: Process) -> None:
    init = process()
    save(root, new_record("c1", init.pid))
    assert front("--root", str(root), "kill", "c1", "0") == (0, b"", b"")
    assert init.poll() is None


def test_kill_and_stop(front: Command, root: Path, process: Process) -> None:
    init = process()
    save(root, new_record("c1", init.pid))
    assert front("--root", str(root), "kill", "c1", "STOP") == (0, b"", b"")
    while f"{init.pid} (sleep) T " not in Path(f"/proc/{init.pid}/stat").read_text():
        time.sleep(0.001)
    assert front("--root", str(root), "kill", "c1", "KILL") == (0, b"", b"")
    assert init.wait() == -signal.SIGKILL


def test_sigkill_without_a_pid_namespace_is_for_python(front: Command, root: Path, process: Process) -> None:
    init = process()
    record = new_record("c1", init.pid)
    record.config = {}
    save(root, record)
    assert front("--root", str(root), "kill", "c1", "KILL")[0] == PYTHON
    assert init.poll() is None
    assert front("--root", str(root), "kill", "c1", "TERM")[0] == 0
    assert init.wait() == -signal.SIGTERM


def test_sigkill_of_a_paused_one_is_for_python(front: Command, tmp_path: Path, process: Process) -> None:
    init = process()
    record = new_record("c1", init.pid)
    record.cgroups = [((), str(tmp_path))]
    (tmp_path / "cgroup.freeze").write_text("1\n")
    save(tmp_path / "root", record)
    assert front("--root", str(tmp_path / "root"), "kill", "c1", "9")[0] == PYTHON
    assert init.poll() is None
    assert front("--root", str(tmp_path / "root"), "kill", "c1", "TERM")[0] == 0


def test_nobody_else_gets_it(front: Command, root: Path, process: Process) -> None:
    other = process()
    record = new_record("c1", other.pid)
    record.start_time += 1
    save(root, record)
    assert front("--root", str(root), "kill", "c1", "KILL")[0] == PYTHON
    assert other.poll() is None


def test_a_stopped_one_is_for_python(front: Command, stopped: Path) -> None:
    assert front("--root", str(stopped.parent), "kill", "c1")[0] == PYTHON


def test_a_lock_does_not_keep_it_alive(front: Command, root: Path, process: Process) -> None:
    import fcntl
    import os

    init = process()
    fd = os.open(save(root, new_record("c1", init.pid)), os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert front("--root", str(root), "kill", "c1", "KILL")[0] == 0
    os.close(fd)
    assert init.wait() == -signal.SIGKILL
