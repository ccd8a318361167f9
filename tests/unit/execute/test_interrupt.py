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
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
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
    print(readable(reader, 0.2), 0.15 < time.monotonic() - began < 2)
    later(0.1, os.write, writer, b"x")
    print(readable(reader, 20), os.read(reader, 1))
    os.close(writer)
    print(readable(reader, 20), os.read(reader, 1))
    """
    assert run(script) == "False True\nTrue b'x'\nTrue b''"
