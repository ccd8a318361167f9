"""Signals while something is half made: only where planc waits, once, and after what is ready."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

BEGIN = """
import os, signal, sys, threading, time
from runtime.execute import interrupt
from runtime.execute.interrupt import Interrupted, hold, readable

reader, writer = os.pipe()
me = os.getpid()

def later(seconds, call, *arguments):
    threading.Timer(seconds, call, arguments).start()
"""


def run(script: str) -> str:
    """What a process of its own prints; it must end well."""
    code = BEGIN + textwrap.dedent(script)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_ends_the_wait(name: str) -> None:
    script = f"""
    hold()
    later(0.2, os.kill, me, signal.{name})
    try:
        readable(reader)
    except Interrupted as err:
        print(err.number)
    """
    assert run(script) == str(int(getattr(signal, name)))


def test_a_signal_between_two_waits_is_kept_for_the_next() -> None:
    script = """
    hold()
    os.kill(me, signal.SIGTERM)
    sum(range(100000))
    print("still here")
    try:
        readable(reader)
    except Interrupted:
        print("interrupted")
    """
    assert run(script) == "still here\ninterrupted"


def test_only_the_first_interrupts() -> None:
    script = """
    hold()
    os.kill(me, signal.SIGTERM)
    os.kill(me, signal.SIGHUP)
    try:
        readable(reader)
    except Interrupted:
        print("interrupted")
    os.kill(me, signal.SIGINT)
    later(0.1, os.kill, me, signal.SIGTERM)
    print(readable(reader, 0.3))
    """
    assert run(script) == "interrupted\nFalse"


def test_what_is_ready_counts_first_and_the_signal_comes_next() -> None:
    script = """
    hold()
    os.write(writer, b"x")
    os.kill(me, signal.SIGTERM)
    print(readable(reader), os.read(reader, 1))
    try:
        readable(reader)
    except Interrupted as err:
        print(err.number)
    """
    assert run(script) == f"True b'x'\n{int(signal.SIGTERM)}"


def test_ignored_signals_stay_ignored() -> None:
    script = """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    hold()
    os.kill(me, signal.SIGHUP)
    print(readable(reader, 0.1), signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)
    """
    assert run(script) == "False True"


def test_without_hold_nothing_is_changed() -> None:
    script = """
    blocked = {signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    os.kill(me, signal.SIGTERM)
    print(readable(reader, 0.1), signal.pthread_sigmask(signal.SIG_BLOCK, ()) == blocked)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    """
    assert run(script) == "False True"


@pytest.mark.parametrize("held", [True, False])
def test_times_and_ends(held: bool) -> None:
    script = f"""
    {"hold()" if held else ""}
    began = time.monotonic()
    print(readable(reader, 0.2), time.monotonic() - began > 0.15)
    later(0.1, os.write, writer, b"x")
    print(readable(reader, 20), os.read(reader, 1))
    os.close(writer)
    print(readable(reader, 20), os.read(reader, 1))
    """
    assert run(script) == "False True\nTrue b'x'\nTrue b''"


CHILD = """
def child():
    \"\"\"Its pid, and what it holds open until its end, which is not soon.\"\"\"
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        time.sleep(1000)
    os.close(theirs)
    return pid, ours

def state(pid):
    return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
"""


def test_an_interrupted_program_is_stopped_and_will_not_run() -> None:
    script = """
    hold()
    pid, fd = child()
    os.kill(me, signal.SIGTERM)
    try:
        interrupt.program(fd, pid)
    except Interrupted as err:
        while state(pid) != "T":
            time.sleep(0.01)
        print(err.number)
    os.kill(pid, signal.SIGKILL)
    """
    assert run(CHILD + textwrap.dedent(script)) == str(int(signal.SIGTERM))


def test_a_program_that_runs_when_the_signal_is_looked_at_goes_on() -> None:
    """`readable` has seen the signal first; the descriptor ends just then."""
    script = """
    hold()
    pid, fd = child()
    other, end = os.pipe()
    os.close(end)
    def interrupted(fd, seconds=None):
        interrupt._interrupt(signal.SIGTERM, None)
    plain, interrupt.readable = interrupt.readable, interrupted
    interrupt.program(other, pid)
    while state(pid) != "S":
        time.sleep(0.01)
    print("runs")
    try:
        plain(reader)
    except Interrupted as err:
        print(err.number)
    os.kill(pid, signal.SIGKILL)
    """
    assert run(CHILD + textwrap.dedent(script)) == f"runs\n{int(signal.SIGTERM)}"


def test_check_raises_only_for_a_signal_that_has_come() -> None:
    script = """
    interrupt.check()
    hold()
    interrupt.check()
    print("nothing")
    os.kill(me, signal.SIGHUP)
    try:
        interrupt.check()
    except Interrupted as err:
        print(err.number)
    """
    assert run(script) == f"nothing\n{int(signal.SIGHUP)}"


def test_aside_is_handled_while_waiting_for_another() -> None:
    script = """
    more, sender = os.pipe()
    interrupt.aside(more, lambda: print(os.read(more, 1)))
    later(0.1, os.write, sender, b"1")
    later(0.2, os.write, sender, b"2")
    began = time.monotonic()
    print(readable(reader, 3), time.monotonic() - began > 2.95)
    later(0.1, os.write, writer, b"x")
    print(readable(reader))
    interrupt.aside(more, None)
    os.write(sender, b"3")
    print(readable(reader))
    """
    assert run(script) == "b'1'\nb'2'\nFalse True\nTrue\nTrue"
