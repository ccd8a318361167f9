"""Operations on the process itself, as the payload and /proc see them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from init_harness import Init, Operation, failure, run, shell

import runtime.native as native


def after(operations: list[Operation], script: str, tmp_path: Path, **options: object) -> str:
    """What `script` prints when it is the payload."""
    out = tmp_path / "out"
    assert run([*operations, *shell(f"{{ {script}; }} > {out}")], **options) == 0
    return out.read_text()


def held(operations: list[Operation]) -> dict[str, str]:
    """/proc/PID/status after these operations."""
    with Init([*operations, ("sync", {})]) as init:
        init.expect(native.MSG_SYNC)
        lines = Path(f"/proc/{init.pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_umask() -> None:
    assert held([("umask", {"mask": 0o027})])["Umask"] == "0027"


def test_no_new_privileges() -> None:
    assert held([("no_new_privileges", {})])["NoNewPrivs"] == "1"


def test_oom_score_adj(tmp_path: Path) -> None:
    assert after([("oom_score_adj", {"value": 789})], "cat /proc/self/oom_score_adj", tmp_path) == "789\n"
    failed = failure([("oom_score_adj", {"value": 1001})])
    assert (failed.error, failed.text) == (22, 'write "1001" to /proc/self/oom_score_adj')


def test_negative_numbers_travel(tmp_path: Path) -> None:
    assert failure([("oom_score_adj", {"value": -1001})]).text == 'write "-1001" to /proc/self/oom_score_adj'


def test_dumpable() -> None:
    with Init([("dumpable", {"value": 0}), ("sync", {})]) as init:
        init.expect(native.MSG_SYNC)
        assert os.stat(f"/proc/{init.pid}/auxv").st_uid == 0, "not the caller's, unless that is root"
    failed = failure([("dumpable", {"value": 7})])
    assert (failed.error, failed.text) == (22, "PR_SET_DUMPABLE 7")


def test_scheduler_batch_and_nice() -> None:
    nice = os.getpriority(os.PRIO_PROCESS, 0) + 3
    with Init([("scheduler", {"policy": 3, "nice": nice}), ("sync", {})]) as init:
        init.expect(native.MSG_SYNC)
        assert os.sched_getscheduler(init.pid) == os.SCHED_BATCH
        assert os.getpriority(os.PRIO_PROCESS, init.pid) == nice
    assert failure([("scheduler", {"policy": 99})]).text == "set the scheduler (policy 99)"


def test_io_priority(tmp_path: Path) -> None:
    assert after([("io_priority", {"value": 2 << 13 | 6})], "ionice", tmp_path) == "best-effort: prio 6\n"
    failed = failure([("io_priority", {"value": 7 << 13 | 1})])
    assert (failed.error, failed.text) == (22, "set the I/O priority (class 7, level 1)")


def test_personality(tmp_path: Path) -> None:
    assert after([("personality", {"persona": 8})], "uname -m", tmp_path) != f"{os.uname().machine}\n"


def test_setsid() -> None:
    with Init([("setsid", {}), ("sync", {})]) as init:
        init.expect(native.MSG_SYNC)
        assert os.getsid(init.pid) == init.pid
    assert failure([("setsid", {}), ("setsid", {})]).text == "setsid"


def test_session_keyring(tmp_path: Path) -> None:
    operation: Operation = ("session_keyring", {"name": "_ses.planc-test"})
    if not Path("/proc/keys").exists():
        pytest.skip("a kernel without keyrings")
    with Init([operation, ("sync", {})]) as init:
        init.expect(native.MSG_SYNC)
        keys = [line.split() for line in Path("/proc/keys").read_text().splitlines()]
    found = [words for words in keys if words[7] == "keyring" and words[8].startswith("_ses.planc-test")]
    assert found, "it is there while init is"
    permissions = int(found[0][4], 16)
    assert permissions & 0x00080000, "the user may search"


def test_environment_is_exactly_the_given_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    env = ["PATH=/usr/bin:/bin", "A=1", "EMPTY=", "U=ä"]
    plan = [("environment", {"env": env}), ("find_executable", {"name": "env"}), ("done", {})]
    script = [("exec", {"argv": ["env"]})]
    saved = os.dup(1)
    fd = os.open(out, os.O_WRONLY | os.O_CREAT)
    os.dup2(fd, 1)
    try:
        assert run([*plan, *script]) == 0
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(fd)
    assert out.read_text().splitlines() == env


@pytest.mark.parametrize(
    ("env", "home"), [([], "/"), (["HOME="], "/"), (["HOME=/x"], "/x"), (["HOMES=/y", "HOME=/x"], "/x")]
)
def test_home_is_filled_in_when_missing_or_empty(tmp_path: Path, env: list[str], home: str) -> None:
    """There is no root here, and so no passwd of a container."""
    out = tmp_path / "out"
    plan: list[Operation] = [
        ("environment", {"env": [*env, "PATH=/bin"], "home": 1}),
        ("find_executable", {"name": "sh"}),
        ("done", {}),
        ("exec", {"argv": ["sh", "-c", f'echo "$HOME" > {out}']}),
    ]
    assert run(plan) == 0
    assert out.read_text() == f"{home}\n"


def test_home_is_left_alone_unless_asked_for(tmp_path: Path) -> None:
    assert after([], 'echo "${HOME-unset}"', tmp_path) == "unset\n"


def test_chdir(tmp_path: Path) -> None:
    assert after([("chdir", {"path": str(tmp_path)})], "pwd", tmp_path) == f"{tmp_path}\n"
    assert after([("chdir", {"path": ""})], "pwd", tmp_path) == "/\n"
    failed = failure([("chdir", {"path": "/nope"})])
    assert (failed.error, failed.text) == (2, 'chdir to cwd ("/nope") set in config.json failed')


def test_working_directory_that_was_removed(tmp_path: Path) -> None:
    """What /proc/self/fd/N of a directory outside looks like: no path from the root leads to it."""
    gone = tmp_path / "gone"
    gone.mkdir()
    fd = os.open(gone, os.O_RDONLY | os.O_DIRECTORY)
    gone.rmdir()
    try:
        failed = failure([("chdir", {"path": f"/proc/self/fd/{fd}"})], slots=[fd])
    finally:
        os.close(fd)
    assert failed.error == 2
    assert failed.text == "working directory: not reachable from the container's root"


def test_nothing_of_the_callers_signals_is_left(tmp_path: Path) -> None:
    old = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR2])
    try:
        status = held([])
        again = after([], "exec grep ^Sig /proc/self/status", tmp_path)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGUSR1, old)
    assert (status["SigIgn"], status["SigBlk"], status["SigCgt"]) == ("0" * 16,) * 3
    assert "SigIgn:\t0000000000000000\n" in again
    assert "SigBlk:\t0000000000000000\n" in again


def test_stdio_owner_leaves_dev_null_alone(tmp_path: Path) -> None:
    before = os.stat("/dev/null").st_uid
    script = f"""if True:
        import sys
        sys.path[:0] = {sys.path!r}
        from init_harness import run
        sys.exit(run([("stdio_owner", {{"uid": 1}})]))
    """
    out = tmp_path / "out"
    with out.open("w") as file:
        args = [sys.executable, "-c", script]
        subprocess.run(args, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=True)
    assert out.stat().st_uid == (1 if os.geteuid() == 0 else os.geteuid())
    assert os.stat("/dev/null").st_uid == before


KEEP = f"""if True:
    import os, sys
    sys.path[:0] = {sys.path!r}
    from init_harness import Init, payload
    zero = os.open("/dev/zero", os.O_RDONLY)
    for number in (3, 4, 5, 40, 50):
        os.dup2(zero, number)
        os.set_inheritable(number, True)
    with Init(payload("sleep", "60"), keep_fds=2, fds=[50]) as init:
        init.expect(4)
        init.expect_end()
        print(*sorted(os.listdir(f"/proc/{{init.pid}}/fd"), key=int))
"""


def test_only_the_descriptors_to_keep_are_left() -> None:
    args = [sys.executable, "-c", KEEP]
    done = subprocess.run(args, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.stdout == "0 1 2 3 4\n"


def test_setgroups_may_be_skipped() -> None:
    assert run([("setgroups", {"gids": [1, 2], "skip": 1})]) == 0
    failed = failure([("setgroups", {"gids": list(range(65537))})])
    assert (failed.error, failed.text) == (22, "set 65537 additional groups")


def test_namespace_path_of_another_type() -> None:
    operation: Operation = ("open_namespace", {"ns": 0, "path": "/proc/self/ns/pid", "type": 0x40000000})
    failed = failure([operation], slots=[-1])
    text = 'namespace path "/proc/self/ns/pid" is a pid namespace, not a network namespace'
    assert (failed.error, failed.text) == (22, text)


def test_namespace_path_that_is_no_namespace(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in ("/etc/passwd", "/dev/null", str(tmp_path / "fifo"), "/"):
        failed = failure([("open_namespace", {"ns": 0, "path": path, "type": 0x20000000})], slots=[-1])
        assert failed.text == f'namespace path "{path}" is no namespace'
    failed = failure([("open_namespace", {"ns": 0, "path": "/nope", "type": 0x20000000})], slots=[-1])
    assert (failed.error, failed.text) == (2, 'open namespace path "/nope"')


@pytest.mark.parametrize("name", ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"])
def test_namespace_path_of_the_right_type(name: str) -> None:
    types = {"cgroup": 0x2000000, "ipc": 0x8000000, "mnt": 0x20000, "net": 0x40000000}
    types |= {"pid": 0x20000000, "time": 0x80, "user": 0x10000000, "uts": 0x4000000}
    path = f"/proc/self/ns/{name}"
    assert run([("open_namespace", {"ns": 0, "path": path, "type": types[name]})], slots=[-1]) == 0


def test_setns_without_a_namespace() -> None:
    failed = failure([("setns", {"ns": 0, "type": 0x20000 | 0x20000000})], slots=[-1])
    assert (failed.error, failed.text) == (9, "join namespaces (mount, pid)")


def test_unshare_names_what_it_was_about() -> None:
    failed = failure([("unshare", {"flags": 0x20000 | 0x1})])
    assert (failed.error, failed.text) == (22, "create namespaces (mount)")


IGNORE = f"""if True:
    import ctypes, struct, sys
    sys.path[:0] = {sys.path!r}
    from init_harness import Init
    ignored = struct.pack("QQQQ", 1, 0, 0, 0)
    for number in (32, 33, 34, 64):
        assert ctypes.CDLL(None).syscall(13, number, ignored, None, 8) == 0
    with Init([("sync", {{}})]) as init:
        init.expect(1)
        status = open(f"/proc/{{init.pid}}/status").read()
    print(status.split("SigIgn:")[1].split()[0])
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="a system call by its number")
def test_signals_that_the_c_library_keeps_for_itself_are_reset_too() -> None:
    """make(1) leaves 32 and 33 ignored, for one; sigaction(2) of a C library refuses to touch them."""
    done = subprocess.run([sys.executable, "-c", IGNORE], check=True, capture_output=True, text=True)
    assert done.stdout == "0000000000000000\n"
