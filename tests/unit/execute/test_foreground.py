"""Waiting in the foreground: exit codes, signals that are passed on, orphans that are reaped."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

from runtime.execute.foreground import exit_code

BEGIN = """
import os, sys, time
from runtime.execute import interrupt
from runtime.execute.foreground import Foreground

def child(*argv):
    pid = os.fork()
    if pid == 0:
        import signal
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvp(argv[0], argv)
    return pid
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: a Foreground takes all its signals."""
    code = BEGIN + textwrap.dedent(script)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("status", "code"), [(0, 0), (3 << 8, 3), (255 << 8, 255), (9, 137), (15, 143), (139, 139)]
)
def test_exit_codes_are_those_of_a_shell(status: int, code: int) -> None:
    """139: killed by SIGSEGV, and a core dumped."""
    assert exit_code(status) == code


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137)])
def test_wait_gives_the_exit_code(script: str, code: int) -> None:
    assert run(f"sys.exit(Foreground().wait(child('sh', '-c', {script!r})))").returncode == code


def test_end_before_the_wait_is_not_missed() -> None:
    assert (
        run(
            "f = Foreground(); p = child('sh', '-c', 'exit 5'); time.sleep(0.3); sys.exit(f.wait(p))"
        ).returncode
        == 5
    )


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGQUIT"])
@pytest.mark.parametrize("held", [True, False])
def test_signals_are_passed_on(name: str, held: bool) -> None:
    """Those too that came before the wait, and that would have ended the creation a moment earlier."""
    script = f"""
    foreground = Foreground()
    {"interrupt.hold()" if held else ""}
    ready, write = os.pipe()
    os.set_inheritable(write, True)
    pid = child("sh", "-c", f"trap 'exit 7' {name[3:]}; echo >&{{write}}; while :; do sleep 0.01; done")
    os.read(ready, 1)
    os.kill(os.getpid(), {int(getattr(signal, name))})
    sys.exit(foreground.wait(pid))
    """
    assert run(script).returncode == 7


def test_orphans_are_reaped_and_do_not_end_the_wait() -> None:
    script = """
    foreground = Foreground()
    orphan = child("true")
    pid = child("sh", "-c", f"while kill -0 {orphan} 2> /dev/null; do sleep 0.01; done; exit 9")
    code = foreground.wait(pid)
    try:
        os.waitpid(orphan, 0)
    except ChildProcessError:
        sys.exit(code)
    """
    assert run(script).returncode == 9


OWN = ["SIGCHLD", "SIGWINCH", "SIGURG"]
TELLS = (
    "import os, signal, time;"
    f"[signal.signal(getattr(signal, name), lambda number, frame: os._exit(number)) for name in {OWN}];"
    "os.write(int(os.environ['READY']), b'x'); time.sleep(0.5); os._exit(42)"
)


def test_signals_that_are_plancs_own_are_not_passed_on() -> None:
    """SIGCHLD tells of its children, SIGWINCH of its terminal, SIGURG is for sockets."""
    script = f"""
    import signal
    ready, write = os.pipe()
    os.set_inheritable(write, True)
    os.environ["READY"] = str(write)
    foreground = Foreground()
    pid = child(sys.executable, "-c", {TELLS!r})
    os.read(ready, 1)
    for name in {OWN}:
        os.kill(os.getpid(), getattr(signal, name))
    sys.exit(foreground.wait(pid))
    """
    assert run(script).returncode == 42


def test_a_signal_that_came_too_late_to_interrupt_is_passed_on_once() -> None:
    """It was caught, then sent again: it is in the pipe and pending.

    The shell is asked by a signal of a higher number, which it takes after those of lower ones.
    """
    count = "n=40; trap 'n=$((n+1))' TERM; trap 'exit $n' CONT; echo >&{write}; while :; do sleep 0.01; done"
    script = f"""
    import select, threading
    from runtime.linux import posix
    kill = posix.kill
    # two that come at once would arrive as one
    posix.kill = lambda pid, number: (kill(pid, number), time.sleep(0.1))
    foreground = Foreground()
    interrupt.hold()
    ready, write = os.pipe()
    os.set_inheritable(write, True)
    pid = child("sh", "-c", f"{count}")
    select.select([ready], [], [])
    os.kill(os.getpid(), {int(signal.SIGTERM)})
    assert interrupt.readable(ready)
    def later():
        time.sleep(0.3)
        os.kill(os.getpid(), {int(signal.SIGCONT)})
    threading.Thread(target=later).start()
    sys.exit(foreground.wait(pid))
    """
    assert run(script).returncode == 41
