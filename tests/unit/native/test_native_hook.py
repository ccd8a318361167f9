"""OP_HOOK: what a hook gets, and what is said when it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from init_harness import Init, Operation, failure, run

import runtime.native as native


def hook(script: str, **args: object) -> Operation:
    return ("hook", {"path": "/bin/sh", "argv": ["sh", "-c", script], **args})


def test_standard_input_is_head_pid_tail(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Init([hook(f"cat > {out}", head='{"pid":', tail=', "x": "ö"}\n')]) as init:
        init.expect_end()
        assert init.wait() == 0
    assert out.read_text() == f'{{"pid":{init.pid}, "x": "ö"}}\n'


@pytest.mark.parametrize("size", [0, 65535, 65536, 1000000])
def test_standard_input_of_any_size(tmp_path: Path, size: int) -> None:
    out = tmp_path / "out"
    with Init([hook(f"sleep 0.05; wc -c > {out}", head="x" * size)]) as init:
        init.expect_end()
        assert init.wait() == 0
    assert int(out.read_text()) == size + len(str(init.pid))


def test_a_hook_need_not_read_its_input() -> None:
    assert run([hook("exit 0", head="x" * 1000000)]) == 0
    assert run([hook("exec 0<&-; sleep 0.05", head="x" * 1000000)]) == 0


def test_input_and_output_at_the_same_time() -> None:
    """cat would wait for its reader, and the reader for cat, were they served one after the other."""
    assert run([hook("cat", head="x" * 3000000)]) == 0


def test_arguments_and_exactly_the_given_environment(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = f'printf \'%s\\n\' "$0" "$@" > {out}; /usr/bin/env >> {out}'
    op: Operation = (
        "hook",
        {"path": "/bin/bash", "argv": ["name", "-c", script, "zero", "a b", ""], "env": ["A=1", "B="]},
    )
    assert run([op]) == 0
    lines = out.read_text().splitlines()
    assert lines[:3] == ["zero", "a b", ""]
    # bash adds these itself
    assert {line for line in lines[3:] if not line.startswith(("PWD=", "SHLVL=", "_="))} == {"A=1", "B="}


def test_no_argv_means_the_path(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\necho "$0 $#" > {tmp_path}/out\n')
    script.chmod(0o755)
    assert run([("hook", {"path": str(script)})]) == 0
    assert (tmp_path / "out").read_text() == f"{script} 0\n"


def test_no_descriptor_but_the_standard_ones() -> None:
    directory = os.open("/", os.O_RDONLY)
    arguments = ["ls", "-l", "/proc/self/fd", "/nope"]  # /nope: fail, so that the output is to be seen
    try:
        failed = failure(
            [("hook", {"path": "/bin/ls", "argv": arguments})], fds=[directory], slots=[directory]
        )
    finally:
        os.close(directory)
    links = [line.split()[8:] for line in failed.text.splitlines() if " -> " in line]
    assert [number for number, _, to in links if not to.endswith("/fd")] == ["0", "1", "2"]


KEEP = f"""if True:
    import os, sys
    sys.path[:0] = {sys.path!r}
    from init_harness import failure
    zero = os.open("/dev/zero", os.O_RDONLY)
    for number in (3, 4):
        os.dup2(zero, number)
        os.set_inheritable(number, True)
    arguments = ["ls", "-l", "/proc/self/fd", "/nope"]
    print(failure([("hook", {{"path": "/bin/ls", "argv": arguments}})], keep_fds=2).text)
"""


def test_descriptors_to_keep_are_the_payloads_not_a_hooks() -> None:
    args = [sys.executable, "-c", KEEP]
    done = subprocess.run(args, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert "exit status" in done.stdout
    assert "/dev/zero" not in done.stdout


def test_signals_are_as_a_program_expects_them(tmp_path: Path) -> None:
    path = tmp_path / "out"
    op: Operation = (
        "hook",
        {"path": "/bin/grep", "argv": ["grep", "-E", "^Sig(Blk|Ign)|^Name", "/proc/self/status"]},
    )
    assert run([op]) == 0
    assert run([hook(f"grep -E '^Sig(Blk|Ign)' /proc/self/status > {path}")]) == 0
    assert {line.split()[1] for line in path.read_text().splitlines()} == {"0" * 16}


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("exit 3", "hook /bin/sh: exit status 3"),
        ("echo out; echo err >&2; exit 255", "hook /bin/sh: exit status 255, output: out\nerr"),
        ("printf ' \\n\\n'; exit 1", "hook /bin/sh: exit status 1"),
        ("echo bye; kill -9 $$", "hook /bin/sh: killed by signal 9, output: bye"),
    ],
)
def test_failure_says_status_and_output(script: str, text: str) -> None:
    failed = failure([hook(script)])
    assert (failed.text, failed.error) == (text, 0)


def test_only_the_last_bytes_of_the_output() -> None:
    failed = failure([hook("seq 1 100000; echo the end; exit 1")])
    _, output = failed.text.split("output: ")
    assert output.endswith("99999\n100000\nthe end")
    assert 480 <= len(output) <= 500


@pytest.mark.parametrize(
    ("path", "error"), [("/nope", "ENOENT"), ("/etc/passwd", "EACCES"), ("/etc", "EACCES"), ("sh", "ENOENT")]
)
def test_hook_that_cannot_be_executed(path: str, error: str) -> None:
    import errno

    failed = failure([("hook", {"path": path, "argv": ["x"]})])
    assert failed.text == f"hook {path}: exec"
    assert errno.errorcode[failed.error] == error


def test_without_a_path() -> None:
    assert failure([("hook", {})]).text == "hook without a path"


def test_timeout_kills_the_whole_process_group(tmp_path: Path) -> None:
    script = f"sleep 1000 & echo $! $$ > {tmp_path}/pids; echo waiting; wait"
    begin = time.monotonic()
    failed = failure([hook(script, timeout=2)])
    took = time.monotonic() - begin
    assert failed.text == "hook /bin/sh: killed after 2 s, output: waiting"
    assert failed.error == 110
    assert took >= 2.0
    for pid in (tmp_path / "pids").read_text().split():
        deadline = time.monotonic() + 60
        while is_alive(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not is_alive(pid)


def is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def test_a_grandchild_that_keeps_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    assert run([hook(f"sleep 1000 & echo $! > {tmp_path}/pid", timeout=60)]) == 0
    pid = (tmp_path / "pid").read_text().strip()
    assert is_alive(pid)
    os.kill(int(pid), signal.SIGKILL)


def test_a_hook_in_time_is_no_failure() -> None:
    assert run([hook("sleep 0.1", timeout=60), hook("true", timeout=1 << 40)]) == 0


def test_hooks_run_one_after_the_other_until_one_fails(tmp_path: Path) -> None:
    out = tmp_path / "out"
    failed = failure([hook(f"echo 1 >> {out}"), hook(f"echo 2 >> {out}; exit 1"), hook(f"echo 3 >> {out}")])
    assert failed.op == 1
    assert out.read_text() == "1\n2\n"


def test_init_is_killed_with_planc_not_left_behind_a_hook(tmp_path: Path) -> None:
    with Init([hook("exit 0"), ("sync", {})]) as init:
        init.expect(native.MSG_SYNC)
        children = Path(f"/proc/{init.pid}/task/{init.pid}/children").read_text()
        assert children == "", "the hook is reaped"
