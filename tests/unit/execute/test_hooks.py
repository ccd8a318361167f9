"""Hooks in the runtime's namespaces: what they get, how they fail, what becomes of one that hangs."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.errors import KernelError
from runtime.execute.hooks import OUTPUT_SHOWN, run_hook
from runtime.execute.recorded_hooks import run_recorded

STATE = '{"id":"c1"}'


def shell(
    script: str, *arguments: str, env: list[str] | None = None, timeout: int = 0, state: str = STATE
) -> None:
    argv = ["sh", "-c", script, "sh", *arguments]
    run_hook("createRuntime hook", "/bin/sh", argv, env, timeout, state, "hooks.createRuntime[0]")


def failure(script: str, timeout: int = 0) -> KernelError:
    with pytest.raises(KernelError) as caught:
        shell(script, timeout=timeout)
    return caught.value


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def test_state_is_the_whole_of_standard_input(tmp_path: Path) -> None:
    state = json.dumps({"id": "c1", "annotations": {"long": "x" * 200000}})
    shell('cat > "$1"', str(tmp_path / "state"), state=state)
    assert (tmp_path / "state").read_text() == state


def test_arguments_are_given_as_they_are(tmp_path: Path) -> None:
    """args[0] is the name of the program, and not its path."""
    script = (
        "import sys; open(sys.argv[1], 'w').write(repr(sys.argv[1:]) + open('/proc/self/cmdline').read())"
    )
    out = str(tmp_path / "out")
    run_hook("x hook", sys.executable, ["a name", "-c", script, out, "", "a b"], None, 0, STATE, "")
    text = (tmp_path / "out").read_text()
    assert text.startswith(repr([out, "", "a b"]) + "a name\0")


def test_without_args_the_path_is_the_only_one() -> None:
    run_hook("x hook", "/bin/true", None, None, 0, STATE, "")


def test_env_is_exactly_that_of_the_config(tmp_path: Path) -> None:
    out = tmp_path / "out"
    shell(
        'tr "\\0" "\\n" < /proc/self/environ > "$1"', str(out), env=["PATH=/usr/bin:/bin", "A=b=c", "EMPTY="]
    )
    assert sorted(out.read_text().split("\n")) == ["", "A=b=c", "EMPTY=", "PATH=/usr/bin:/bin"]
    shell('/usr/bin/tr "\\0" "\\n" < /proc/self/environ > "$1"', str(out), env=[])
    assert out.read_text() == ""


def test_without_env_it_is_that_of_planc(tmp_path: Path) -> None:
    script = (
        "from runtime.execute.hooks import run_hook; import sys;"
        "run_hook('x', '/bin/sh', ['sh', '-c', 'echo $MARK > $0', sys.argv[1]], None, 0, '', '')"
    )
    environment = {**os.environ, "MARK": "planc's"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "out")], env=environment, check=True)
    assert (tmp_path / "out").read_text() == "planc's\n"


def test_descriptors_of_the_runtime_stay_with_it(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        shell('ls -l /proc/self/fd > "$1"', str(tmp_path / "fds"))
    finally:
        os.close(reader)
        os.close(writer)
    assert "pipe:" not in (tmp_path / "fds").read_text()


def test_signals_are_as_at_the_start_of_a_program(tmp_path: Path) -> None:
    """Neither what planc ignores nor what it blocks is the hook's."""
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        shell('grep "^Sig[BI]" /proc/self/status > "$1"', str(tmp_path / "signals"))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGUSR1, before)
    masks = dict(line.split(":\t") for line in (tmp_path / "signals").read_text().splitlines())
    # signals 32 and 33 belong to the C library, which lets nobody change them
    found = {name: int(mask, 16) & ~(3 << 31) for name, mask in masks.items()}
    assert found == {"SigBlk": 0, "SigIgn": 0}


def test_output_is_not_for_the_callers_eyes(capfd: pytest.CaptureFixture[str]) -> None:
    shell("echo out; echo error >&2")
    assert capfd.readouterr() == ("", "")


def test_exit_status_and_output_are_told() -> None:
    error = failure("echo out; echo error >&2; exit 3")
    text = "hooks.createRuntime[0]: createRuntime hook: /bin/sh: exit status 3, output: out\nerror"
    assert str(error) == text


def test_only_the_end_of_much_output_is_told() -> None:
    error = failure("seq 100000; exit 1")
    shown = error.detail.partition("output: ")[2]
    assert shown.endswith("99999\n100000") and len(shown) <= OUTPUT_SHOWN


def test_signal_that_ended_it_is_told() -> None:
    assert failure("kill -9 $$").detail == "/bin/sh: killed by signal 9"


@pytest.mark.parametrize(
    ("path", "number"), [("/no/such/hook", errno.ENOENT), ("/etc/passwd", errno.EACCES), ("/", errno.EACCES)]
)
def test_what_cannot_be_executed(path: str, number: int) -> None:
    with pytest.raises(KernelError) as caught:
        run_hook("poststop hook", path, None, None, 0, STATE, "hooks.poststop[1]")
    assert caught.value.errno == number
    assert str(caught.value).startswith(f"hooks.poststop[1]: poststop hook: {path}: E")


def test_timeout_kills_the_whole_group(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    began = time.monotonic()
    with pytest.raises(KernelError) as caught:
        shell('sleep 1000 & echo $$ $! > "$1.new"; mv "$1.new" "$1"; wait', str(pids), timeout=2)
    assert time.monotonic() - began >= 2
    assert caught.value.errno == errno.ETIMEDOUT
    assert caught.value.detail == "/bin/sh: no end after 2 s, killed"
    numbers = [int(text) for text in pids.read_text().split()]
    assert len(numbers) == 2
    deadline = time.monotonic() + 60
    while any(is_alive(pid) for pid in numbers):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_left_behind_does_not_hold_it_up(tmp_path: Path) -> None:
    """It may keep the output open as long as it likes."""
    shell('sleep 1000 & echo $! > "$1"', str(tmp_path / "pid"), timeout=60)
    pid = int((tmp_path / "pid").read_text())
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_no_descriptor_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    shell("true")
    failure("false")
    failure("sleep 1000", timeout=1)
    assert os.listdir("/proc/self/fd") == before


def test_recorded_hooks_are_those_of_the_config(tmp_path: Path) -> None:
    hook = {
        "path": "/bin/sh",
        "args": ["sh", "-c", 'cat > "$OUT"; exit 4'],
        "env": [f"OUT={tmp_path}/out", "PATH=/bin:/usr/bin"],
        "timeout": 5,
    }
    with pytest.raises(KernelError, match=r"^hooks\.poststart\[2\]: poststart hook: /bin/sh: exit status 4"):
        run_recorded("poststart", 2, hook, {"id": "c1", "pid": 7})
    # as Go writes it: scripts search it for "pid":7
    assert (tmp_path / "out").read_text() == '{"id":"c1","pid":7}'
