"""The conversation between planc and init, and what happens when one side is gone."""

from __future__ import annotations

import os
import signal
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from init_harness import Blob, Init, payload, shell

import runtime.native as native


def test_sync_waits_for_continue(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    with Init([("umask", {}), ("sync", {}), *shell(f"touch {marker}")]) as init:
        assert init.expect(native.MSG_SYNC).op == 1
        assert not marker.exists()
        init.proceed()
        init.expect(native.MSG_DONE)
        init.expect_end()
        assert init.wait() == 0
    assert marker.exists()


def test_any_other_answer_is_a_failure() -> None:
    with Init([("sync", {})]) as init:
        init.expect(native.MSG_SYNC)
        init.socket.send(bytes(native.MESSAGE_SIZE))
        assert init.expect(native.MSG_FAILED).text == "planc answered out of turn"
        assert init.wait() == 1


def test_init_ends_when_planc_is_gone(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    touch = ("hook", {"path": "/usr/bin/touch", "argv": ["touch", str(marker)]})
    with Init([("sync", {}), touch]) as init:
        init.expect(native.MSG_SYNC)
        init.socket.close()
        assert init.wait() == 1
    assert not marker.exists()


def test_no_message_after_planc_is_gone(tmp_path: Path) -> None:
    marker, go = tmp_path / "marker", tmp_path / "go"
    script = f"while [ ! -e {go} ]; do sleep 0.01; done"
    waits = ("hook", {"path": "/bin/sh", "argv": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]})
    with Init([waits, *shell(f"touch {marker}")]) as init:
        init.socket.close()
        go.touch()
        assert init.wait() in (1, -signal.SIGPIPE)
    assert not marker.exists()


def test_fork_announces_a_child_of_planc_before_it_speaks() -> None:
    with Init([("fork", {}), ("sync", {}), *payload("true")]) as init:
        forked = init.expect(native.MSG_FORKED)
        assert init.wait() == 0, "the stage is gone"
        assert init.expect(native.MSG_SYNC).op == 1
        status = Path(f"/proc/{forked.value}/status").read_text()
        assert f"\nPPid:\t{os.getpid()}\n" in status
        assert status.startswith("Name:\tplanc:[2:INIT]\n")
        init.proceed()
        init.expect(native.MSG_DONE)
        init.expect_end()
        assert os.waitpid(forked.value, 0)[1] == 0


def test_names_and_empty_environment() -> None:
    with Init([("sync", {})]) as init:
        init.expect(native.MSG_SYNC)
        assert Path(f"/proc/{init.pid}/comm").read_text() == "planc:[1:STAGE]\n"
        assert Path(f"/proc/{init.pid}/environ").read_bytes() == b""


def test_plan_that_ends_early_is_no_failure() -> None:
    with Init([("umask", {"mask": 0})]) as init:
        init.expect_end()
        assert init.wait() == 0


class Waiting:
    """An init in OP_WAIT_START, with the two FIFOs of a created container."""

    def __init__(
        self, directory: Path, operations: list[tuple[str, dict[str, object]]], slots: Sequence[int] = ()
    ) -> None:
        os.mkfifo(directory / "exec.fifo")
        os.mkfifo(directory / "exec.status")
        self.fifo = os.open(directory / "exec.fifo", os.O_RDWR | os.O_CLOEXEC)
        status = os.open(directory / "exec.status", os.O_RDWR | os.O_CLOEXEC)
        self.reader = os.open(directory / "exec.status", os.O_RDONLY | os.O_CLOEXEC)
        self.init = Init(operations, slots=[self.fifo, status, *slots])
        self.init.__enter__()
        os.close(status)

    def __enter__(self) -> Waiting:
        return self

    def ready(self) -> None:
        self.init.expect(native.MSG_DONE)
        self.init.expect_end()  # nothing more on the socket, and init does not hold it

    def start(self) -> native.Message | None:
        os.write(self.fifo, b"0")
        data = os.read(self.reader, native.MESSAGE_SIZE)
        return native.parse_message(data) if data else None

    def __exit__(self, *_: object) -> None:
        self.init.__exit__()
        os.close(self.fifo)
        os.close(self.reader)


WAIT = ("wait_start", {"fifo": 0, "status": 1})


def test_start_wakes_init_and_end_of_file_is_success(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    *begin, end = shell(f"touch {marker}")
    with Waiting(tmp_path, [*begin, WAIT, end]) as waiting:  # type: ignore[list-item]
        waiting.ready()
        assert not marker.exists()
        assert waiting.start() is None
        assert waiting.init.wait() == 0
    assert marker.exists()


def test_failure_after_done_goes_to_the_status_fifo(tmp_path: Path) -> None:
    *begin, end = shell("exit 0")
    hook = ("hook", {"path": "/bin/sh", "argv": ["sh", "-c", "echo why; exit 3"]})
    with Waiting(tmp_path, [*begin, WAIT, hook, end]) as waiting:  # type: ignore[list-item]
        waiting.ready()
        message = waiting.start()
        assert message is not None
        assert (message.type, message.op) == (native.MSG_FAILED, 4)
        assert message.text == "hook /bin/sh: exit status 3, output: why"
        assert waiting.init.wait() == 1


def test_waiting_init_holds_nothing_but_its_fifos(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    *begin, end = shell("exit 0")
    with Waiting(tmp_path, [*begin, WAIT, end], [directory]) as waiting:  # type: ignore[list-item]
        waiting.ready()
        assert held(waiting.init.pid) == {str(tmp_path / "exec.fifo"), str(tmp_path / "exec.status")}
    os.close(directory)


def held(pid: int) -> set[str]:
    """What the descriptors but the standard ones are."""
    directory = Path(f"/proc/{pid}/fd")
    return {os.readlink(fd) for fd in directory.iterdir() if int(fd.name) > 2}


def test_waiting_init_ends_on_sigterm_even_without_a_handler_in_the_payload(tmp_path: Path) -> None:
    *begin, end = shell("exit 0")
    with Waiting(tmp_path, [("fork", {}), *begin, WAIT, end]) as waiting:  # type: ignore[list-item]
        pid = waiting.init.expect(native.MSG_FORKED).value
        waiting.init.expect(native.MSG_DONE)
        os.kill(pid, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 128 + signal.SIGTERM


def test_failure_after_done_without_a_wait_goes_to_the_socket() -> None:
    *begin, end = shell("exit 0")
    with Init([*begin, ("find_executable", {"name": "/nope"}), end]) as init:
        init.expect(native.MSG_DONE)
        assert init.expect(native.MSG_FAILED).text.startswith('exec: "/nope"')


# --- the parent's functions ------------------------------------------------------


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def raw(type: int, op: int, error: int, value: int, text: bytes) -> bytes:
    return struct.pack("<IiiiQ1000s", type, op, error, 0, value, text)


def test_receive_takes_every_field() -> None:
    ours, theirs = pair()
    with ours, theirs:
        theirs.send(raw(native.MSG_FORKED, 12, 13, 1 << 33, "größe".encode()))
        message = native.receive(ours.fileno())
    assert message is not None
    fields = (message.type, message.op, message.error, message.value, message.text, message.fd)
    assert fields == (native.MSG_FORKED, 12, 13, 1 << 33, "größe", -1)


def test_receive_takes_a_descriptor_close_on_exec() -> None:
    ours, theirs = pair()
    with ours, theirs, open("/dev/null") as null, open("/dev/zero") as zero:
        before = set(os.listdir("/proc/self/fd"))
        data = raw(native.MSG_SECCOMP_FD, 1, 0, 0, b"")
        socket.send_fds(theirs, [data], [null.fileno(), zero.fileno()])
        message = native.receive(ours.fileno())
        assert message is not None
        assert os.readlink(f"/proc/self/fd/{message.fd}") == "/dev/null"
        assert not os.get_inheritable(message.fd)
        os.close(message.fd)
        assert set(os.listdir("/proc/self/fd")) == before, "a second one is closed, not kept"


def test_receive_knows_the_end() -> None:
    ours, theirs = pair()
    with ours:
        theirs.close()
        assert native.receive(ours.fileno()) is None


def test_receive_refuses_half_a_message() -> None:
    ours, theirs = pair()
    with ours, theirs:
        theirs.send(b"x" * 100)
        with pytest.raises(OSError, match="Protocol error"):
            native.receive(ours.fileno())


def test_send_continue_to_nobody_is_an_error_not_a_signal() -> None:
    ours, theirs = pair()
    with ours:
        theirs.close()
        with pytest.raises(BrokenPipeError):
            native.send_continue(ours.fileno())


def test_parse_message() -> None:
    message = native.parse_message(raw(native.MSG_FAILED, 3, 2, 0, b"x" * 1000))
    assert (message.type, message.op, message.error) == (native.MSG_FAILED, 3, 2)
    assert message.text == "x" * 999
    with pytest.raises(ValueError, match="a message has 1024 bytes, not 3"):
        native.parse_message(b"abc")


def test_text_of_a_failure_is_cut_not_overrun() -> None:
    name = "/" + "n" * 3000
    with Init(Blob([("find_executable", {"name": name})])) as init:
        text = init.expect(native.MSG_FAILED).text
    assert len(text) == 999
    assert text.startswith('exec: "/nnn')
