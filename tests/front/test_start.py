"""`start`: the conversation with init, and the message of a failure."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .by_hand import Init, new_record, save
from .commands import LIBRARY, PYTHON, Command, snapshot

Process = Callable[..., subprocess.Popen[bytes]]
FIFOS = ("exec.fifo", "exec.status")
FAILED = 5
TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def message(error: int, text: bytes) -> bytes:
    """A struct message of csrc/native.h."""
    return struct.pack("Iiiiq1000s", FAILED, -1, error, 0, 0, text)


def writes(data: bytes) -> Callable[[int], None]:
    def answer(fd: int) -> None:
        os.write(fd, data)

    return answer


def execs(fd: int) -> None:
    """Success: the descriptor is closed without a word."""


def test_success(front: Command, created: Path) -> None:
    init = Init(created, execs)
    assert front("--root", str(created.parent), "start", "c1") == (0, b"", b"")
    assert init.join() == b"0"
    assert sorted(os.listdir(created)) == ["state.json", "summary"]


def outcome(
    command: Command, root: Path, pid: int, data: bytes, *options: str
) -> tuple[int, bytes, bytes, bytes, list[str]]:
    """Code, output, errors, log and what is left, of a `start` that init answers with `data`."""
    log = root.with_name(root.name + ".log")
    directory = save(root, new_record("c1", pid), FIFOS)
    init = Init(directory, writes(data))
    options = tuple(str(log) if word == "LOG" else word for word in options)
    code, out, err = command("--root", str(root), *options, "start", "c1")
    assert init.join() == b"0"
    written = log.read_bytes() if log.exists() else b""
    return code, out, TIME.sub(b"TIME", err), TIME.sub(b"TIME", written), sorted(os.listdir(directory))


@pytest.mark.parametrize(
    "options", [[], ["--log", "LOG"], ["--log", "LOG", "--log-format=json"], ["--log-format=json"]]
)
@pytest.mark.parametrize(
    "data",
    [
        message(2, b"exec /bin/nothing"),
        message(0, 'startContainer hook: "/bin/h\u00f6\u00f6k"\n\toutput: \\ \x7f \U0001f600'.encode()),
        message(13, b""),
        message(4711, b"x"),
        message(-5, b"\xff\xc3"),
        message(5, b"full" * 250),
        message(5, b"half")[:500],
        b"",
    ],
    ids=["exec", "hook", "no text", "no such errno", "negative", "full", "half a message", "success"],
)
def test_as_python(
    front: Command, reference: Command, tmp_path: Path, process: Process, options: list[str], data: bytes
) -> None:
    pid = process().pid
    mine = outcome(front, tmp_path / "front", pid, data, *options)
    assert mine == outcome(reference, tmp_path / "reference", pid, data, *options)
    assert mine[0] == (1 if len(data) == 1024 else 0)


# ---- the message, by itself ----------------------------------------------------------------------

REFERENCE = f"""
import sys
sys.path[:0] = [{str(LIBRARY)!r}]
from runtime.cli.report import Log
from runtime.errors import KernelError
from runtime.native import MESSAGE_SIZE, parse_message
log = Log(sys.argv[1], sys.argv[2], False)
while data := sys.stdin.buffer.read(MESSAGE_SIZE):
    message = parse_message(data)
    log.error(str(KernelError(message.text or "start the container process", message.error)))
"""


def reported(command: list[str], log: Path, form: str, data: bytes) -> list[bytes]:
    log.unlink(missing_ok=True)
    done = subprocess.run([*command, str(log), form], input=data, capture_output=True, check=True)
    assert done.stdout == b""
    return [TIME.sub(b"TIME", text) for text in (done.stderr, log.read_bytes())]


def compare(front: Command, directory: Path, data: bytes) -> None:
    for form in ("text", "json"):
        mine = reported([*front.words, "--failures"], directory / "mine", form, data)
        theirs = reported(["/usr/bin/python3", "-I", "-c", REFERENCE], directory / "theirs", form, data)
        assert mine == theirs


def test_every_errno(front: Command, tmp_path: Path) -> None:
    compare(front, tmp_path, b"".join(message(number, b"do it") for number in range(-1, 256)))


def test_every_byte_and_many_sequences(front: Command, tmp_path: Path) -> None:
    texts = [bytes([byte]) for byte in range(1, 256)]
    edges = (0x00C1, 0x00C2, 0x00DF, 0x00E0, 0x00E1, 0x00ED, 0x00EF, 0x00F0, 0x00F1, 0x00F4, 0x00F5)
    seconds = (0x20, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0)
    texts += [
        bytes([a, b, *rest]) + b"z"
        for a in edges
        for b in seconds
        for rest in ([], [0x80], [0x80, 0xBF], [0x22])
    ]
    compare(front, tmp_path, b"".join(message(2, text) for text in texts))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=1000) | st.text(max_size=240).map(lambda text: text.encode()), max_size=40)
)
def test_any_text(front: Command, tmp_path: Path, texts: list[bytes]) -> None:
    compare(front, tmp_path, b"".join(message(1, text[:1000]) for text in texts))


def test_a_log_line_is_json(front: Command, tmp_path: Path) -> None:
    data = message(2, bytes(range(1, 256)))
    subprocess.run(
        [*front.words, "--failures", tmp_path / "log", "json"], input=data, capture_output=True, check=True
    )
    (line,) = (tmp_path / "log").read_text().splitlines()
    entry = json.loads(line)
    assert entry["level"] == "error" and entry["msg"].endswith("ENOENT: no such file or directory")
    assert re.fullmatch(TIME.pattern.decode(), entry["time"])


def test_a_log_that_takes_nothing(front: Command, created: Path) -> None:
    """Standard error on /dev/full, and the log too: the exit code tells."""
    init = Init(created, writes(message(2, b"x")))
    with open("/dev/full", "wb") as full:
        done = front("--log", "/dev/full", "--root", str(created.parent), "start", "c1", stderr=full)
    assert (done[0], init.join()) == (1, b"0")


# ---- what is Python's ----------------------------------------------------------------------------


def refused(front: Command, directory: Path, **options: object) -> None:
    init = Init(directory, execs) if (directory / "exec.fifo").exists() else None
    before = snapshot(directory)
    assert front("--root", str(directory.parent), "start", "c1", **options)[0] == PYTHON
    assert snapshot(directory) == before
    assert init is None or init.join() == b""


def test_a_running_one(front: Command, running: Path) -> None:
    refused(front, running)


def test_a_stopped_one(front: Command, stopped: Path) -> None:
    refused(front, stopped)


def test_a_created_one_that_was_killed(front: Command, root: Path) -> None:
    refused(front, save(root, new_record("c1"), FIFOS))


def test_a_paused_one(front: Command, tmp_path: Path, process: Process) -> None:
    record = new_record("c1", process().pid)
    record.cgroups = [((), str(tmp_path))]
    (tmp_path / "cgroup.freeze").write_text("1\n")
    refused(front, save(tmp_path / "root", record, FIFOS))


def test_poststart_hooks(front: Command, root: Path, process: Process) -> None:
    record = new_record("c1", process().pid)
    record.config = {"hooks": {"poststart": [{"path": "/bin/true"}]}}
    refused(front, save(root, record, FIFOS))


def test_a_notify_socket(front: Command, created: Path) -> None:
    (created / "notify").mkdir()
    refused(front, created, env={"NOTIFY_SOCKET": "/run/notify"})


@pytest.mark.parametrize(("directory", "env"), [(False, "/run/notify"), (True, ""), (True, None)])
def test_no_notify_socket(front: Command, created: Path, directory: bool, env: str | None) -> None:
    if directory:
        (created / "notify").mkdir()
    init = Init(created, execs)
    environment = {} if env is None else {"NOTIFY_SOCKET": env}
    assert front("--root", str(created.parent), "start", "c1", env=environment)[0] == 0
    assert init.join() == b"0"


def test_nobody_at_the_fifo(front: Command, created: Path) -> None:
    refused_before = snapshot(created)
    assert front("--root", str(created.parent), "start", "c1")[0] == PYTHON
    assert snapshot(created) == refused_before


def test_no_exec_status(front: Command, root: Path, process: Process) -> None:
    directory = save(root, new_record("c1", process().pid), ["exec.fifo"])
    assert front("--root", str(root), "start", "c1")[0] == PYTHON
    assert (directory / "exec.fifo").exists()


def test_a_log_that_cannot_be_opened(front: Command, created: Path) -> None:
    init = Init(created, execs)
    assert front("--log", str(created), "--root", str(created.parent), "start", "c1")[0] == PYTHON
    assert init.join() == b""


def test_another_command_holds_the_lock(front: Command, created: Path) -> None:
    fd = os.open(created, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    refused(front, created)
    os.close(fd)


# ---- races and signals ---------------------------------------------------------------------------


def test_one_of_two_starts_wins(front: Command, root: Path, process: Process) -> None:
    for number in range(25):
        record = new_record(f"c{number}", process("sleep", "1000").pid)
        directory = save(root, record, FIFOS)
        init = Init(directory, execs)
        both = [front.spawn("--root", str(root), "start", record.id) for _ in range(2)]
        for one in both:
            one.communicate()
        assert sorted(one.returncode for one in both) == [0, PYTHON]
        assert init.join() == b"0"


@pytest.mark.parametrize("options", [[], ["--log", "LOG", "--log-format", "json"]])
def test_interrupted_as_python(
    front: Command, reference: Command, tmp_path: Path, process: Process, options: list[str]
) -> None:
    results = []
    for number, command in enumerate((front, reference)):
        root, log = tmp_path / f"root{number}", tmp_path / f"log{number}"
        directory = save(root, new_record("c1", process().pid), FIFOS)
        woken, finished = threading.Event(), threading.Event()
        init = Init(directory, lambda _, woken=woken, done=finished: (woken.set(), done.wait())[0])  # type: ignore[misc]
        words = [str(log) if word == "LOG" else word for word in options]
        running = command.spawn("--root", str(root), *words, "start", "c1")
        assert woken.wait(60)
        wait_for_read(running.pid)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
        finished.set()
        init.join()
        written = TIME.sub(b"TIME", log.read_bytes()) if log.exists() else b""
        results.append((running.returncode, out, err, written, sorted(os.listdir(directory))))
    assert results[0] == results[1]
    assert results[0][:3] == (130, b"", b"interrupted\n")


READ, POLL, PPOLL = 0, 7, 271


def wait_for_read(pid: int) -> None:
    """Until the process sleeps in a system call, with exec.status open to be read."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        call = Path(f"/proc/{pid}/syscall").read_text().split()[0]
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "S" and call in map(str, (READ, POLL, PPOLL)) and _has_status_open(pid):
            return
        time.sleep(0.002)
    raise AssertionError(f"process {pid} does not wait for exec.status")


def _has_status_open(pid: int) -> bool:
    try:
        return any("/exec.status" in os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return False


def test_an_ignored_interrupt_stays_ignored(front: Command, created: Path) -> None:
    woken, finished = threading.Event(), threading.Event()
    init = Init(created, lambda _: (woken.set(), finished.wait())[0])  # type: ignore[func-returns-value]
    ignore = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)  # noqa: E731
    running = front.spawn("--root", str(created.parent), "start", "c1", preexec_fn=ignore)
    assert woken.wait(60)
    wait_for_read(running.pid)
    running.send_signal(signal.SIGINT)
    finished.set()
    assert running.communicate(timeout=60) == (b"", b"")
    assert (running.returncode, init.join()) == (0, b"0")
