"""exec: every flag, exit codes, the process it makes, and where it is refused."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from . import cgroup, proc
from .base_config import CAPABILITIES
from .harness import Container, reap
from .test_capabilities import NUMBERS


@pytest.fixture
def running(container: Container) -> Container:
    return container.sleeping()


def _detached(container: Container, *flags: str, argv: tuple[str, ...] = ("sleep", "1000")) -> int:
    """exec --detach; returns the host pid."""
    path = container.pid_file + ".exec"
    container.exec(*argv, flags=["--detach", "--pid-file", path, *flags]).ok()
    pid = int(Path(path).read_text())
    proc.wait_until(lambda: proc.cmdline(pid) == list(argv), "exec has become its program")
    return pid


def _process(directory: str, **values: Any) -> str:
    """A process file."""
    path = os.path.join(directory, "process.json")
    content = {"args": ["true"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}} | values
    Path(path).write_text(json.dumps(content))
    return path


def _exec_process(container: Container, directory: str, *flags: str, **values: Any) -> Any:
    return container.runtime.call("exec", *flags, "--process", _process(directory, **values), container.id)


# ---- results -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 42, 127, 128, 255])
def test_exit_code(running: Container, code: int) -> None:
    assert running.exec("sh", "-c", f"exit {code}").returncode == code


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_death_by_signal(running: Container, name: str) -> None:
    result = running.exec("sh", "-c", f"kill -{name} $$")
    assert result.returncode == 128 + signal.Signals[f"SIG{name}"]


def test_streams_are_kept_apart(running: Container) -> None:
    result = running.exec("sh", "-c", "cat; echo err >&2", stdin=b"in")
    assert (result.stdout, result.stderr) == ("in", "err\n")


def test_arguments_are_verbatim(running: Container) -> None:
    assert running.exec("echo", "-n", "a b", "", "--help", "-x").ok().stdout == "a b  --help -x"


def test_flags_of_the_program_are_not_those_of_exec(running: Container) -> None:
    assert running.exec("ls", "-d", "/bin").ok().stdout == "/bin\n"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP"])
def test_signals_are_forwarded(running: Container, name: str) -> None:
    script = f"trap 'exit 42' {name[3:]}; echo ready; while :; do sleep 0.01; done"
    process = running.runtime.spawn("exec", running.id, "sh", "-c", script)
    proc.wait_until(lambda: "ready" in process.peek().stdout, "trap is set")
    process.signal(signal.Signals[name])
    assert process.wait().returncode == 42


def test_many_at_once(running: Container) -> None:
    processes = [
        running.runtime.spawn("exec", running.id, "sh", "-c", f"exit {number}") for number in range(12)
    ]
    assert [process.wait().returncode for process in processes] == list(range(12))


def test_container_that_dies_meanwhile(running: Container) -> None:
    unique = f"1000.{os.getpid()}"
    process = running.runtime.spawn("exec", running.id, "sleep", unique)
    proc.wait_until(lambda: len(proc.pids_with_argument(unique)) == 2, "exec runs, and its process")
    running.kill("KILL")
    assert process.wait().returncode in (137, 255)


# ---- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["--detach"]])
@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("nosuchprogram", ["nosuchprogram", "executable file not found in $PATH"]),
        ("/no/such", ["/no/such", "no such file or directory"]),
        ("/etc/passwd", ["/etc/passwd", "permission denied"]),
    ],
)
def test_missing_program_is_255(running: Container, flags: list[str], program: str, words: list[str]) -> None:
    result = running.exec(program, flags=flags)
    assert result.returncode == 255
    result.failed(*words)


def test_unknown_container_is_255(container: Container) -> None:
    result = container.exec("true")
    assert result.returncode == 255
    result.failed("does not exist")


def test_stopped_container_is_refused(container: Container) -> None:
    container.args("true").up().wait()
    result = container.exec("true")
    assert result.returncode == 255
    result.failed("stopped")


def test_created_container_is_allowed(container: Container) -> None:
    container.create()
    assert container.exec_sh("echo fine") == "fine"
    assert container.status == "created"


def test_no_command_is_refused(running: Container) -> None:
    running.exec().failed()


def test_error_goes_to_the_log(running: Container, directory: str) -> None:
    running.runtime.global_flags = ["--log", f"{directory}/log", "--log-format", "json"]
    running.exec("nosuchprogram", flags=["--detach"]).failed()
    running.runtime.global_flags = []
    (line,) = Path(directory, "log").read_text().splitlines()
    entry = json.loads(line)
    assert entry["level"] == "error" and "executable file not found in $PATH" in entry["msg"]


# ---- the process ---------------------------------------------------------------------------------------------------------


def test_environment_is_the_containers(container: Container) -> None:
    container.process["env"] = ["PATH=/bin", "FROM_CONFIG=1"]
    container.sleeping()
    found = container.exec("env", env={"PATH": os.environ["PATH"], "SECRET": "1"}).ok().stdout.split()
    assert sorted(found) == ["FROM_CONFIG=1", "HOME=/root", "PATH=/bin"]


@pytest.mark.parametrize("flag", ["--env", "-e"])
def test_env_adds_and_overrides(container: Container, flag: str) -> None:
    container.process["env"] = ["PATH=/bin", "A=1", "B=2"]
    container.sleeping()
    output = container.exec_sh("echo $A $B $C", flags=[flag, "B=changed", flag, "C=new,with,commas"])
    assert output == "1 changed new,with,commas"


def test_env_without_value_is_refused(running: Container) -> None:
    running.exec("true", flags=["--env", "NOVALUE"]).failed("env")


def test_cwd_is_the_containers(container: Container) -> None:
    container.process["cwd"] = "/etc"
    container.sleeping()
    assert container.exec_sh("pwd") == "/etc"


def test_cwd_flag(running: Container) -> None:
    assert running.exec_sh("pwd", flags=["--cwd", "/tmp"]) == "/tmp"


def test_missing_cwd_is_refused_or_made(running: Container) -> None:
    """runc refuses it; making it would be fine as well, another directory would not."""
    result = running.exec("pwd", flags=["--cwd", "/no/such"])
    assert result.stdout in ("", "/no/such\n")


def test_relative_cwd_is_refused(running: Container) -> None:
    running.exec("pwd", flags=["--cwd", "tmp"]).failed("absolute")


def test_user_is_the_containers(container: Container) -> None:
    container.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [2000]}
    container.sleeping()
    assert container.exec_sh("id -u; id -g; id -G") == "1000\n1001\n1001 2000"


@pytest.mark.parametrize("flag", ["--user", "-u"])
def test_user_flag(running: Container, flag: str) -> None:
    assert running.exec_sh("id -u; id -g; echo $HOME", flags=[flag, "1000:1001"]) == "1000\n1001\n/home/user"


def test_user_without_group_keeps_the_configs(container: Container) -> None:
    container.process["user"] = {"uid": 0, "gid": 1001, "additionalGids": [2000]}
    container.sleeping()
    assert container.exec_sh("id -u; id -g; id -G", flags=["--user", "1000"]) == "1000\n1001\n1001 2000"


@pytest.mark.parametrize("user", ["nobody", "1000:users", "", "-1", "1:2:3"])
def test_user_must_be_numeric(running: Container, user: str) -> None:
    result = running.exec("id", flags=[f"--user={user}"])
    assert result.returncode != 0 or user == "", result


@pytest.mark.parametrize("flag", ["--additional-gids", "-g"])
def test_additional_gids(running: Container, flag: str) -> None:
    assert (
        running.exec_sh("id -G", flags=["--user", "1000:1000", flag, "2000", flag, "3000"])
        == "1000 2000 3000"
    )


def test_capability_flag_adds(running: Container) -> None:
    pid = _detached(running, "--cap", "CAP_SYS_PTRACE", "--cap", "CAP_NET_ADMIN")
    wanted = {NUMBERS[name] for name in [*CAPABILITIES, "CAP_SYS_PTRACE", "CAP_NET_ADMIN"]}
    for name in ("CapBnd", "CapEff", "CapPrm"):
        assert proc.capability_set(pid, name) == wanted


@pytest.mark.parametrize("name", ["CapBnd", "CapEff", "CapPrm", "CapInh", "CapAmb"])
def test_capabilities_are_the_containers(running: Container, name: str) -> None:
    assert proc.capability_set(_detached(running), name) == proc.capability_set(running.pid, name)


@pytest.mark.old_runc_lacks("the container's umask in exec")
def test_umask_is_the_containers(container: Container) -> None:
    container.process["user"]["umask"] = 0o027
    container.sleeping()
    assert proc.status(_detached(container))["Umask"] == "0027"


@pytest.mark.needs_root("supplementary groups of a caller")
def test_groups_of_the_caller_are_dropped(running: Container) -> None:
    path = running.pid_file + ".exec"
    flags = ["--detach", "--pid-file", path]
    running.exec("sleep", "1000", flags=flags, extra_groups=[4, 24]).ok()
    assert proc.status(int(Path(path).read_text()))["Groups"].split() == []


def test_signals_are_reset(running: Container) -> None:
    """podman's restart calls with SIGUSR1 blocked, conmon with SIGPIPE ignored."""

    def dirty() -> None:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)

    running.runtime.defaults["preexec_fn"] = dirty
    status = proc.status(_detached(running))
    running.runtime.defaults.clear()
    assert int(status["SigIgn"], 16) == 0 and int(status["SigBlk"], 16) == 0


def test_it_is_in_the_containers_cgroup(running: Container) -> None:
    assert cgroup.membership(_detached(running)) == cgroup.membership(running.pid)


def test_it_has_only_three_descriptors(running: Container) -> None:
    assert set(proc.fds(_detached(running))) == {0, 1, 2}


def test_it_is_not_a_child_of_init(running: Container) -> None:
    """A manager reaps it, so it must become a child of the caller's subreaper."""
    assert proc.stat_fields(_detached(running))[1] == str(os.getpid())


# ---- detach, pid file --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--detach", "-d"])
def test_detach(running: Container, flag: str) -> None:
    path = running.pid_file + ".exec"
    running.exec("sh", "-c", "sleep 0.1; exit 7", flags=[flag, "--pid-file", path]).ok()
    assert reap(int(Path(path).read_text())) == 7


def test_pid_file_is_exact(running: Container) -> None:
    path = running.pid_file + ".exec"
    running.exec("sleep", "1000", flags=["--detach", "--pid-file", path]).ok()
    assert re.fullmatch(rb"[1-9][0-9]*", Path(path).read_bytes())


def test_pid_file_in_the_foreground(running: Container) -> None:
    path = running.pid_file + ".exec"
    running.exec("true", flags=["--pid-file", path]).ok()
    assert int(Path(path).read_text()) > 0


def test_no_pid_file_after_a_failure(running: Container) -> None:
    path = running.pid_file + ".exec"
    running.exec("nosuchprogram", flags=["--detach", "--pid-file", path]).failed()
    assert not os.path.exists(path)


def test_detached_output_goes_to_the_callers_descriptors(running: Container) -> None:
    result = running.exec("sh", "-c", "sleep 0.1; echo later", flags=["--detach"]).ok()
    proc.wait_until(lambda: result.stdout == "later\n", "output arrives")


# ---- process file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--process", "-p"])
def test_process_file(running: Container, directory: str, flag: str) -> None:
    path = _process(
        directory,
        args=["sh", "-c", "pwd; id -u; id -g; id -G; echo $A; echo $HOME; exit 9"],
        cwd="/tmp",
        env=["PATH=/bin", "A=from-file"],
        user={"uid": 1000, "gid": 1001, "additionalGids": [2000]},
    )
    result = running.runtime.call("exec", flag, path, running.id)
    assert result.returncode == 9
    assert result.stdout == "/tmp\n1000\n1001\n1001 2000\nfrom-file\n/home/user\n"


def test_process_file_may_be_deleted_at_once(running: Container, directory: str) -> None:
    path = _process(directory, args=["sleep", "1000"])
    pid_file = running.pid_file + ".exec"
    running.runtime.call("exec", "--process", path, "--detach", "--pid-file", pid_file, running.id).ok()
    os.unlink(path)
    assert proc.is_alive(int(Path(pid_file).read_text()))


def test_process_file_replaces_the_environment(container: Container, directory: str) -> None:
    container.process["env"] = ["PATH=/bin", "FROM_CONFIG=1"]
    container.sleeping()
    result = _exec_process(container, directory, args=["env"], env=["PATH=/bin", "X=1"])
    assert sorted(result.ok().stdout.split()) == ["HOME=/root", "PATH=/bin", "X=1"]


def test_process_file_capabilities(running: Container, directory: str) -> None:
    sets = {kind: ["CAP_KILL"] for kind in ("bounding", "effective", "permitted")}
    result = _exec_process(running, directory, args=["grep", "^Cap", "/proc/self/status"], capabilities=sets)
    found = dict(line.split() for line in result.ok().stdout.splitlines())
    assert found["CapBnd:"] == found["CapEff:"] == found["CapPrm:"] == f"{1 << 5:016x}"


@pytest.mark.old_runc_lacks("oomScoreAdj in exec")
def test_process_file_oom_score(running: Container, directory: str) -> None:
    result = _exec_process(running, directory, args=["cat", "/proc/self/oom_score_adj"], oomScoreAdj=555)
    assert result.ok().stdout == "555\n"


@pytest.mark.old_runc_lacks("umask in exec")
def test_process_file_umask(running: Container, directory: str) -> None:
    result = _exec_process(
        running, directory, args=["sh", "-c", "umask"], user={"uid": 0, "gid": 0, "umask": 63}
    )
    assert result.ok().stdout == "0077\n"


def test_process_file_rlimits_and_flags(running: Container, directory: str) -> None:
    result = _exec_process(
        running,
        directory,
        args=["sh", "-c", "ulimit -n; grep NoNewPrivs /proc/self/status"],
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 77}],
        noNewPrivileges=True,
    )
    assert result.ok().stdout.split() == ["77", "NoNewPrivs:", "1"]


@pytest.mark.parametrize(
    "content", ["", "not json", "[]", '{"args": []}', '{"args": ["true"]}', '{"args": "true", "cwd": "/"}']
)
def test_broken_process_file(running: Container, directory: str, content: str) -> None:
    path = Path(directory, "broken.json")
    path.write_text(content)
    result = running.runtime.call("exec", "--process", str(path), running.id)
    result.failed()
    assert result.returncode in (1, 255)


def test_missing_process_file(running: Container) -> None:
    running.runtime.call("exec", "--process", "/no/such/file", running.id).failed("/no/such/file")


def test_apparmor_and_selinux_are_refused_where_there_is_none(running: Container, directory: str) -> None:
    if os.path.isdir("/sys/kernel/security/apparmor"):
        pytest.skip("this kernel has AppArmor")
    running.exec("true", flags=["--apparmor", "some-profile"]).failed("apparmor")


# ---- cgroup --------------------------------------------------------------------------------------------------------------


def _inner(container: Container, name: str = "inner") -> None:
    for path in cgroup.directories(container.pid):
        os.makedirs(f"{path}/{name}", exist_ok=True)
    if "cpuset" in cgroup.v1_controllers():
        top = cgroup.directory(container.pid, "cpuset")
        for file in ("cpuset.cpus", "cpuset.mems"):
            Path(top, name, file).write_text(Path(top, file).read_text())


@pytest.mark.needs_cgroup_v2
def test_cgroup_flag_on_v2(running: Container) -> None:
    _inner(running)
    pid = _detached(running, "--cgroup", "inner")
    assert cgroup.membership(pid)[""] == cgroup.membership(running.pid)[""] + "/inner"


@pytest.mark.needs_cgroup_v1
def test_cgroup_flag_on_v1_names_a_controller(running: Container) -> None:
    controllers = sorted(cgroup.v1_controllers() - {"cpuset"})[:2]
    _inner(running)
    pid = _detached(running, "--cgroup", f"{controllers[0]}:inner")
    own, found = cgroup.membership(running.pid), cgroup.membership(pid)
    assert found[controllers[0]] == own[controllers[0]] + "/inner"
    assert found[controllers[1]] == own[controllers[1]]


def test_cgroup_flag_slash_is_the_containers_own(running: Container) -> None:
    assert cgroup.membership(_detached(running, "--cgroup", "/")) == cgroup.membership(running.pid)


@pytest.mark.parametrize("path", ["nosuch", "../..", "/../../"])
def test_cgroup_that_is_not_below_is_refused(running: Container, path: str) -> None:
    before = cgroup.membership("self")
    result = running.exec("cat", "/proc/self/cgroup", flags=["--cgroup", path])
    if result.returncode == 0:
        assert running.id in result.stdout
    assert cgroup.membership("self") == before


@pytest.mark.needs_cgroup_v1
def test_cgroup_of_an_unknown_controller_is_refused(running: Container) -> None:
    running.exec("true", flags=["--cgroup", "nosuch:inner"]).failed("nosuch")


# ---- rootfs, mounts --------------------------------------------------------------------------------------------------------


def test_it_sees_the_containers_mounts(container: Container, directory: str) -> None:
    Path(directory, "file").write_text("content")
    container.mount("/data", directory).sleeping()
    assert container.exec_sh("cat /data/file") == "content"


def test_it_works_on_a_read_only_root(container: Container) -> None:
    container.config["root"]["readonly"] = True
    container.sleeping()
    assert container.exec_sh("touch /new 2>&1; echo fine").endswith("fine")


def test_program_that_was_added_after_create(running: Container) -> None:
    running.bundle.file("opt/late", "#!/bin/sh\necho late\n", 0o755)
    assert running.exec("/opt/late").ok().stdout == "late\n"


def test_init_that_has_changed_its_mounts(container: Container) -> None:
    for kind in ("bounding", "effective", "permitted"):
        container.process["capabilities"][kind].append("CAP_SYS_ADMIN")
    container.shell("mount -t tmpfs late /tmp && touch /tmp/in-tmpfs && echo ready; sleep 1000").up()
    proc.wait_until(lambda: "ready" in container.output(), "the payload has mounted")
    assert container.exec_sh("ls /tmp") == "in-tmpfs"
