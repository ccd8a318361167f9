"""What managers do to a runtime that its own tests would not think of, replayed call by call."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest

from .machine import poll
from .replay import CONMON_ENV, DENY_ALL_DEVICES, PODMAN_ENV, ConsoleSocket, held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .daemons import Podman
    from .replay import Replay


def log_entries(replay: Replay, name: str) -> list[dict[str, str]]:
    """The lines of the JSON log."""
    if not replay.log(name).exists():
        return []
    return [json.loads(line) for line in replay.log(name).read_text().splitlines()]


def descriptors(replay: Replay, pid: str) -> set[int]:
    return {int(entry.name) for entry in replay.machine.proc(pid, "fd").iterdir()}


def exec_words(replay: Replay, name: str, process: dict[str, Any], number: int = 0) -> list[str]:
    """The shim's words for an exec, and its process file."""
    file = replay.directory / f"process-{number}"
    file.write_text(json.dumps(process))
    pid_file = str(replay.directory / f"exec-{number}.pid")
    return ["exec", "--process", str(file), "--detach", "--pid-file", pid_file, name]


def exec_process(replay: Replay, *args: str, **changes: Any) -> dict[str, Any]:
    """An exec's process JSON of Docker's shape."""
    process: dict[str, Any] = replay.config("any", *args)["process"]
    return process | changes


def await_command(replay: Replay, pid: str, command: str) -> None:
    """Wait until a started process has become its command."""
    poll(lambda: replay.machine.processes().get(int(pid)) == command)


# 1. descriptors


@pytest.fixture
def crowded(replay: Replay) -> Iterator[tuple[dict[int, Path], int]]:
    """Descriptors 3…18 on one FIFO, and the FIFO's reading end."""
    path, reader = replay.fifo("leak")
    yield dict.fromkeys(range(3, 19), path), reader
    os.close(reader)


def test_foreign_descriptors_reach_nobody(replay: Replay, crowded: tuple[dict[int, Path], int]) -> None:
    fds, reader = crowded
    pid = replay.create("c1", fds=fds)
    poll(lambda: not held(reader), what="no process keeps the caller's descriptors after create")
    for verb in (("start", "c1"), ("state", "c1"), ("pause", "c1"), ("resume", "c1")):
        replay.verb(*verb, fds=fds)
        poll(lambda: not held(reader))
    assert descriptors(replay, pid) == {0, 1, 2}
    replay.call(
        *replay.flags("c1"),
        *exec_words(replay, "c1", exec_process(replay, "sleep", "1000")),
        fds=fds,
        inherited=True,
    )
    second = (replay.directory / "exec-0.pid").read_text()
    await_command(replay, second, "sleep 1000")
    assert descriptors(replay, second) == {0, 1, 2}
    poll(lambda: not held(reader))


def test_preserved_descriptors_and_no_others(replay: Replay, crowded: tuple[dict[int, Path], int]) -> None:
    fds, _ = crowded
    bundle = replay.bundle("c1")
    words = [
        "create",
        "--bundle",
        str(bundle),
        "--pid-file",
        str(bundle / "init.pid"),
        "--preserve-fds",
        "2",
        "c1",
    ]
    replay.call(*replay.flags("c1"), *words, fds=fds, inherited=True)
    replay.verb("start", "c1")
    pid = (bundle / "init.pid").read_text()
    await_command(replay, pid, "sleep 1000")
    assert descriptors(replay, pid) == {0, 1, 2, 3, 4}


# 2. output is read to its end


def test_no_command_leaves_its_output_open(replay: Replay) -> None:
    """call() reads to the end of the output and fails if somebody keeps it open while the container runs."""
    replay.create("c1")
    replay.verb("start", "c1", merged=True)
    for verb in ("state", "pause", "resume"):
        replay.verb(verb, "c1", merged=True)
    # as a table it is ps(1)'s, which does not work on every kernel
    replay.call(*replay.flags("c1"), "ps", "--format", "json", "c1", merged=True)
    replay.verb("kill", "c1", "9", merged=True)
    replay.verb("delete", "--force", "c1", merged=True)


def test_create_and_exec_with_a_terminal_close_their_output(replay: Replay) -> None:
    config = replay.config("c1")
    config["process"]["terminal"] = True
    bundle = replay.bundle("c1", config)
    console = ConsoleSocket(replay.directory / "s1")
    words = [
        "--bundle",
        str(bundle),
        "--pid-file",
        str(bundle / "init.pid"),
        "--console-socket",
        str(console.path),
    ]
    replay.call(*replay.flags("c1"), "create", *words, "c1", merged=True)
    assert os.isatty(console.receive())
    replay.verb("start", "c1", merged=True)
    pid = (bundle / "init.pid").read_text()
    assert os.readlink(replay.machine.proc(pid, "fd/1")).startswith("/dev/pts/")
    second = ConsoleSocket(replay.directory / "s2")
    *exec_flags, name = exec_words(
        replay, "c1", exec_process(replay, "sh", "-c", "tty; sleep 1000", terminal=True)
    )
    replay.call(*replay.flags("c1"), *exec_flags, "--console-socket", str(second.path), name, merged=True)
    assert os.read(second.receive(), 100).startswith(b"/dev/pts/")
    replay.verb("delete", "--force", "c1")
    console.close()
    second.close()


# 3. output that can't be written to


def test_output_opened_for_reading_only(replay: Replay) -> None:
    pid = replay.create("c1", null_output=True)
    replay.verb("start", "c1", null_output=True)
    assert os.readlink(replay.machine.proc(pid, "fd/1")) == "/dev/null"
    replay.verb("state", "nosuch", null_output=True, code=1)
    entry = log_entries(replay, "nosuch")[-1]
    assert "does not exist" in entry["msg"]


# 4. inherited signals


def test_dirty_signals_are_reset_for_the_container(replay: Replay, runtime_name: str) -> None:
    dirty: dict[str, Any] = {
        "ignore": [signal.SIGPIPE, signal.SIGTERM],
        "block": [signal.SIGUSR1, signal.SIGCHLD],
    }
    pid = replay.create("c1", **dirty)
    replay.verb("start", "c1", **dirty)
    await_command(replay, pid, "sleep 1000")
    replay.call(
        *replay.flags("c1"),
        *exec_words(replay, "c1", exec_process(replay, "sleep", "1000")),
        inherited=True,
        **dirty,
    )
    second = (replay.directory / "exec-0.pid").read_text()
    await_command(replay, second, "sleep 1000")
    for process in (pid, second):
        ignored = int(replay.machine.status(process, "SigIgn"), 16)
        blocked = int(replay.machine.status(process, "SigBlk"), 16)
        assert ignored == 0
        assert blocked == 0 or runtime_name == "runc", "runc 1.1 passes the mask on"


# 5. hardly any environment


def test_commands_without_environment(replay: Replay) -> None:
    """No --root either: the default state directory must be the same for all."""
    bundle = replay.bundle("replay-c1")
    words = ["create", "--bundle", str(bundle), "--pid-file", str(bundle / "pidfile"), "replay-c1"]
    replay.call(*words, env=CONMON_ENV, inherited=True)
    try:
        replay.call("start", "replay-c1", env=PODMAN_ENV)
        for verb in ("pause", "resume", "state"):
            replay.call(verb, "replay-c1", env=PODMAN_ENV)
        assert json.loads(replay.call("state", "replay-c1", env={}).out)["status"] == "running"
        replay.call("kill", "replay-c1", "9", env=PODMAN_ENV)
    finally:
        replay.call("delete", "--force", "replay-c1", env=PODMAN_ENV)
    assert "does not exist" in replay.call("state", "replay-c1", env={}, code=1).err


# 6. stdin belongs to the user


def test_start_neither_reads_stdin_nor_writes_stdout(replay: Replay) -> None:
    replay.create("c1")
    (replay.directory / "data").write_text("the user's data")
    with open(replay.directory / "data") as data:
        result = replay.verb("start", "c1", stdin=data.fileno())
        assert os.lseek(data.fileno(), 0, os.SEEK_CUR) == 0
    assert (result.out, result.err) == ("", "")


# 7. HOME


@pytest.mark.parametrize(("uid", "home"), [(0, "/root"), (1000, "/home/app"), (4321, "/")])
def test_home_is_added_from_the_containers_passwd(replay: Replay, uid: int, home: str) -> None:
    config = replay.config("c1")
    config["process"]["user"] = {"uid": uid, "gid": 0}
    pid = replay.run("c1", config)
    await_command(replay, pid, "sleep 1000")
    assert f"HOME={home}" in replay.machine.environ(pid)
    process = exec_process(replay, "sleep", "1000", user={"uid": uid, "gid": 0})
    replay.call(*replay.flags("c1"), *exec_words(replay, "c1", process), inherited=True)
    second = (replay.directory / "exec-0.pid").read_text()
    await_command(replay, second, "sleep 1000")
    assert f"HOME={home}" in replay.machine.environ(second)


# 8. update


def test_update_takes_zeros_for_unchanged_and_ignores_devices(replay: Replay) -> None:
    config = replay.config("c1")
    config["linux"]["resources"]["memory"] = {"limit": 64 << 20, "reservation": 32 << 20}
    config["linux"]["resources"]["cpu"] = {"shares": 512, "quota": 50000, "period": 100000}
    config["linux"]["resources"]["pids"] = {"limit": 50}
    pid = replay.run("c1", config)
    change = {
        "devices": DENY_ALL_DEVICES,
        "memory": {"limit": 48 << 20, "reservation": 0, "swap": 0, "kernel": 0, "kernelTCP": 0},
        "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
        "blockIO": {"weight": 0},
    }
    file = replay.directory / "resources"
    file.write_text(json.dumps(change))
    with open(file) as stdin:
        replay.call(*replay.flags("c1"), "update", "--resources", "-", "c1", stdin=stdin.fileno())
    files = replay.machine.cgroup(pid)
    assert (files.memory, files.memory_reservation) == (48 << 20, 32 << 20)
    assert (files.cpu, files.pids) == ((50000, 100000), 50)
    assert files.has_shares(512)
    replay.call(*replay.flags("c1"), "exec", "c1", "sh", "-c", "echo x > /dev/null")


def test_update_from_a_file_with_an_equals_sign(replay: Replay) -> None:
    pid = replay.run("c1")
    file = replay.directory / "podman-resources"
    file.write_text(json.dumps({"memory": {"limit": 32 << 20, "swap": 64 << 20}, "cpu": {"shares": 128}}))
    replay.call("--root", str(replay.root), "update", f"--resources={file}", "c1", env=PODMAN_ENV)
    files = replay.machine.cgroup(pid)
    assert files.memory == 32 << 20
    assert files.has_shares(128)


# 9. devices


def test_standard_devices_although_all_are_denied(replay: Replay) -> None:
    pid = replay.run("c1")
    rules = set(replay.machine.cgroup(pid).read("devices.list").splitlines())
    usual = {
        "c 1:3 rwm",
        "c 1:5 rwm",
        "c 1:7 rwm",
        "c 1:8 rwm",
        "c 1:9 rwm",
        "c 5:0 rwm",
        "c 5:2 rwm",
        "c 136:* rwm",
    }
    assert usual <= rules
    assert not any(rule.startswith("a ") for rule in rules)
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        assert replay.machine.proc(pid, f"root/dev/{name}").is_char_device()


# 10. the prestart hook


def test_prestart_hook_with_another_name_in_args(replay: Replay) -> None:
    """busybox goes by args[0], so the hook runs only if the runtime honours it."""
    script = "cat > state; readlink /proc/self/cwd > where; env > environment"
    hook = {
        "path": "/bin/busybox",
        "args": ["sh", "-c", f"cd {replay.directory} && {script}"],
        "env": ["ONLY=this"],
    }
    config = replay.config("c1") | {"hooks": {"prestart": [hook]}}
    pid = replay.create("c1", config)
    state = json.loads((replay.directory / "state").read_text())
    assert state["id"] == "c1"
    assert str(state["pid"]) == pid
    assert state["status"] in ("creating", "created")
    assert state["bundle"] == str(replay.directory / "c1")
    assert "ONLY=this" in (replay.directory / "environment").read_text().splitlines()


def test_prestart_hook_sees_the_new_network_namespace(replay: Replay) -> None:
    script = """read state; pid=${state##*\\"pid\\":}; pid=${pid%%,*}; readlink /proc/$((pid))/ns/net"""
    hook = {"path": "/bin/busybox", "args": ["sh", "-c", f"{{ {script}; }} > {replay.directory}/net"]}
    pid = replay.create("c1", replay.config("c1") | {"hooks": {"prestart": [hook]}})
    assert (replay.directory / "net").read_text().strip() == replay.machine.namespace(pid, "net")
    assert replay.machine.namespace(pid, "net") != replay.machine.namespace(1, "net")


def test_failing_prestart_hook_fails_create_and_leaves_nothing(replay: Replay) -> None:
    hook = {"path": "/bin/busybox", "args": ["sh", "-c", "echo why it failed >&2; exit 4"]}
    bundle = replay.bundle("c1", replay.config("c1") | {"hooks": {"prestart": [hook]}})
    result = replay.call(*replay.flags("c1"), "create", "--bundle", str(bundle), "c1", code=None)
    assert result.code != 0
    message = log_entries(replay, "c1")[-1]["msg"]
    assert "hook" in message and "4" in message
    assert "does not exist" in replay.verb("state", "c1", code=1).err


# 11. deletion from the saved state alone


def test_forced_delete_needs_nothing_but_the_state(replay: Replay) -> None:
    pid = replay.run("c1")
    cgroup = replay.machine.cgroup(pid).directory("memory")
    shutil.rmtree(replay.directory / "c1")
    replay.call("--root", str(replay.root), "delete", "--force", "c1", env={}, cwd=replay.machine.dir)
    poll(lambda: not replay.machine.proc(pid, "stat").exists())
    assert not cgroup.exists()


def test_forced_delete_of_an_unknown_container_succeeds(replay: Replay) -> None:
    replay.verb("delete", "--force", "unknown")
    assert "does not exist" in replay.verb("delete", "unknown", code=1).err


# 12. and 13. exec


def test_failure_of_a_detached_exec_is_known_when_it_returns(replay: Replay) -> None:
    replay.run("c1")
    words = exec_words(replay, "c1", exec_process(replay, "/no/such"))
    result = replay.call(*replay.flags("c1"), *words, code=None)
    assert result.code == 255
    assert not (replay.directory / "exec-0.pid").exists()
    [entry] = log_entries(replay, "c1")
    assert entry["level"] == "error"
    assert re.search(r"exec failed.*/no/such.*no such file or directory", entry["msg"])


def test_process_file_may_vanish_as_soon_as_exec_returns(replay: Replay) -> None:
    replay.run("c1")
    for number in range(4):
        words = exec_words(replay, "c1", exec_process(replay, "sleep", f"10{number}"), number)
        replay.call(*replay.flags("c1"), *words, inherited=True)
        os.unlink(replay.directory / f"process-{number}")
        await_command(replay, (replay.directory / f"exec-{number}.pid").read_text(), f"sleep 10{number}")


# 14. ids


def test_the_same_id_again_and_again(replay: Replay) -> None:
    pids = []
    for _ in range(4):
        pids.append(replay.run("c1"))
        replay.verb("kill", "c1", "9")
        poll(lambda: replay.state("c1")["status"] == "stopped")
        replay.verb("delete", "c1")
    assert len(set(pids)) == 4


def test_different_ids_at_the_same_time(replay: Replay) -> None:
    names = [f"p{number}" for number in range(5)]
    script = (
        'set -e; "$@" create --bundle $d/$n --pid-file $d/$n/pid $n; "$@" start $n; "$@" delete --force $n'
    )
    runtime = [replay.machine.runtime, "--root", str(replay.root)]
    jobs = []
    for name in names:
        replay.bundle(name)
        variables = {"d": str(replay.directory), "n": name}
        jobs.append(replay.machine.popen(["sh", "-c", script, "sh", *runtime], env=variables))
    for job in jobs:
        out, err = job.communicate(timeout=120)
        assert job.returncode == 0, (out, err)


def test_the_same_id_twice_is_refused(replay: Replay) -> None:
    pid = replay.run("c1")
    result = replay.call(
        *replay.flags("c1"), "create", "--bundle", str(replay.directory / "c1"), "c1", code=1
    )
    assert "exist" in result.err
    assert replay.state("c1")["pid"] == int(pid)


# 16. what is written to the log and to stderr


@pytest.mark.parametrize("podman", ["runc"], indirect=True)
def test_podman_shows_the_message_alone(podman: Podman) -> None:
    error = podman("run", "--rm", "--network", "none", "--memory", "64m", "bb", "/no/such", code=127).err
    assert "level=error" not in error
    assert "/no/such" in error


def test_an_error_is_one_line_of_json(replay: Replay) -> None:
    config = replay.config("c1", "/no/such")
    bundle = replay.bundle("c1", config)
    result = replay.call(*replay.flags("c1"), "create", "--bundle", str(bundle), "c1", code=1)
    [entry] = log_entries(replay, "c1")
    assert set(entry) == {"level", "msg", "time"}
    assert entry["level"] == "error"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", entry["time"])
    assert "/no/such" in entry["msg"] and "no such file or directory" in entry["msg"]
    assert entry["msg"] in result.err


def test_success_logs_nothing(replay: Replay, runtime_name: str) -> None:
    config = replay.config("c1")
    config["linux"]["resources"]["memory"] = {"limit": 64 << 20, "kernel": 50 << 20}
    replay.run("c1", config)
    replay.verb("state", "c1")
    replay.verb("kill", "c1", "9")
    poll(lambda: replay.state("c1")["status"] == "stopped")
    replay.verb("delete", "c1")
    entries = log_entries(replay, "c1")
    if runtime_name == "runc":
        entries = [entry for entry in entries if "Kernel memory settings are ignored" not in entry["msg"]]
    assert entries == []


# 17. kill


@pytest.mark.parametrize("word", ["9", "15", "10", "SIGKILL", "KILL", "TERM"])
def test_signals_by_number_and_name(replay: Replay, word: str) -> None:
    number = int(word) if word.isdigit() else signal.Signals[f"SIG{word.removeprefix('SIG')}"].value
    script = "trap 'exit 1' TERM USR1; echo ready > /dev/shm/ready; while :; do sleep 0.05; done"
    pid = replay.run("c1", replay.config("c1", "sh", "-c", script))
    poll(lambda: replay.machine.proc(pid, "root/dev/shm/ready").exists())
    replay.verb("kill", "c1", word)
    poll(lambda: replay.state("c1")["status"] == "stopped", what=f"signal {number} ends the container")


@pytest.mark.parametrize("word", ["18", "28"])
def test_harmless_signals(replay: Replay, word: str) -> None:
    replay.run("c1")
    replay.verb("kill", "c1", word)
    assert replay.state("c1")["status"] == "running"


def test_kill_of_a_stopped_container(replay: Replay) -> None:
    pid = replay.run("c1")
    replay.verb("kill", "c1", "9")
    poll(lambda: replay.state("c1")["status"] == "stopped")
    message = replay.verb("kill", "c1", "9", code=1).err.lower()
    assert any(text in message for text in ("process already finished", "not running", "no such process"))
    replay.verb("kill", "--all", "c1", "9")
    assert replay.state("c1")["pid"] == 0
    assert not replay.machine.proc(pid, "stat").exists()


def test_kill_ends_a_paused_container(replay: Replay) -> None:
    pid = replay.run("c1")
    replay.verb("pause", "c1")
    assert replay.state("c1")["status"] == "paused"
    replay.verb("kill", "c1", "9")
    poll(lambda: not replay.machine.proc(pid, "stat").exists())
    assert "not paused" in replay.verb("resume", "c1", code=1).err


def test_kill_all_without_a_pid_namespace(replay: Replay) -> None:
    config = replay.config("c1", "sh", "-c", "sleep 4750 & exec sleep 4751")
    config["linux"]["namespaces"] = [{"type": kind} for kind in ("mount", "uts", "ipc")]
    replay.run("c1", config)
    poll(lambda: {"sleep 4750", "sleep 4751"} <= set(replay.machine.processes().values()))
    replay.verb("kill", "--all", "c1", "9")
    poll(lambda: not {"sleep 4750", "sleep 4751"} & set(replay.machine.processes().values()))


# 19. rootless


def test_config_of_rootless_podman(rootless: Podman, runtime: str, runtime_name: str) -> None:
    """uid 0 of a user namespace made by the caller, none in the config, no cgroupsPath, no usable cgroups."""
    home = rootless.env["HOME"]
    config = rootless_config(f"{home}/rootfs-{runtime_name}")
    script = f"""
        set -e; mkdir -p b; cp -a {rootless.machine.dir}/rootfs {config["root"]["path"]}
        cat > b/config.json
        run="{runtime} --root {home}/state"
        $run create --bundle b r1 > out 2> err < /dev/null
        $run start r1
        $run state r1 | grep -q running
        if $run update --memory 67108864 r1 2> update-error; then exit 9; fi
        $run kill r1 9
        $run delete --force r1
        cat update-error; rm -rf b {config["root"]["path"]}
    """
    result = rootless("unshare", "sh", "-c", script, stdin=json.dumps(config), cwd=home)
    assert "cgroup" in result.out


def rootless_config(rootfs: str) -> dict[str, Any]:
    bind = {
        "destination": "/sys",
        "type": "bind",
        "source": "/sys",
        "options": ["rprivate", "nosuid", "noexec", "nodev", "ro", "rbind"],
    }
    return {
        "ociVersion": "1.0.2-dev",
        "process": {
            "user": {"uid": 0, "gid": 0, "umask": 18},
            "args": ["sleep", "1000"],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": {kind: ["CAP_KILL"] for kind in ("bounding", "effective", "permitted")},
        },
        "root": {"path": rootfs},
        "hostname": "rootless",
        "mounts": [
            {
                "destination": "/proc",
                "type": "proc",
                "source": "proc",
                "options": ["nosuid", "noexec", "nodev"],
            },
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            bind,
        ],
        "linux": {
            "resources": {"devices": DENY_ALL_DEVICES},
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
        },
    }


# 20. values


def test_mount_options_of_podman(replay: Replay) -> None:
    config = replay.config("c1")
    options = ["rprivate", "noexec", "nosuid", "nodev", "tmpcopyup", "size=1m"]
    config["mounts"].append({"destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": options})
    config["process"]["oomScoreAdj"] = 0
    pid = replay.run("c1", config)
    root = replay.machine.proc(pid, "root")
    assert (root / "etc/passwd").read_text().startswith("root:")
    [line] = [
        line for line in replay.machine.proc(pid, "mountinfo").read_text().splitlines() if " /etc " in line
    ]
    assert "noexec" in line and "size=1024k" in line and "shared:" not in line
    assert replay.machine.proc(pid, "oom_score_adj").read_text().strip() == "0"


def test_umask(replay: Replay) -> None:
    config = replay.config("c1")
    config["process"]["user"]["umask"] = 0o77
    pid = replay.run("c1", config)
    await_command(replay, pid, "sleep 1000")
    assert replay.machine.status(pid, "Umask") == "0077"


def test_personality(replay: Replay, runtime_name: str) -> None:
    config = replay.config("c1")
    config["linux"]["personality"] = {"domain": "LINUX32"}
    pid = replay.run("c1", config)
    await_command(replay, pid, "sleep 1000")
    domain = int(replay.machine.proc(pid, "personality").read_text(), 16) & 0xFF
    assert domain == 8 or runtime_name == "runc", "runc before 1.2 ignores linux.personality"


def test_seccomp_of_docker_and_podman(replay: Replay) -> None:
    """errno of the default action, masked comparison, names that nobody knows."""
    config = replay.config("c1", "sh", "-c", SECCOMP_PROBE)
    names = ["mkdir", "mkdirat", "a_system_call_of_the_future"]
    config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [
            {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
            {"names": ["only_in_the_future"], "action": "SCMP_ACT_ERRNO"},
            {
                "names": ["unshare"],
                "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 0, "value": 0x4000000, "valueTwo": 0x4000000, "op": "SCMP_CMP_MASKED_EQ"}],
            },
        ],
    }
    config["process"]["capabilities"] = {
        kind: ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"] for kind in ("bounding", "effective", "permitted")
    }
    pid = replay.run("c1", config)
    shown = replay.machine.proc(pid, "root/dev/shm/shown")
    poll(lambda: shown.exists() and "end" in shown.read_text())
    text = shown.read_text()
    assert "Function not implemented" in text
    assert "unshare(0x4000000): Operation not permitted" in text
    assert "ipc ok" in text


COMMON_SYSCALLS = """
    access arch_prctl brk capget capset chdir clone close dup2 dup3 epoll_ctl epoll_pwait execve exit
    exit_group faccessat faccessat2 fcntl fstat fstatfs futex getcwd getdents64 getegid geteuid getgid
    getpgrp getpid getppid getuid getrandom ioctl lseek mmap mprotect munmap nanosleep clock_nanosleep
    newfstatat open openat openat2 pipe pipe2 prctl pread64 prlimit64 read readlink readlinkat rseq
    rt_sigaction rt_sigprocmask rt_sigreturn set_robust_list set_tid_address setgid setgroups setuid
    setresuid setresgid sigaltstack stat lstat statfs statx tgkill unshare vfork wait4 write writev
    umask fork poll ppoll setsid getsid close_range getgroups getresuid getresgid uname setpgid getpgid
    gettid madvise sched_yield sendmsg recvmsg sendto recvfrom select pselect6 seccomp personality
    clock_gettime getrlimit sched_getaffinity
"""
SECCOMP_PROBE = """
exec > /dev/shm/shown 2>&1
mkdir /dev/shm/d
unshare -u true
unshare -i true && echo ipc ok
echo end
exec sleep 1000
"""


def test_default_errno(replay: Replay) -> None:
    """Podman's profiles answer ENOSYS to unknown system calls, Docker's EPERM."""
    config = replay.config("c1", "sh", "-c", SECCOMP_PROBE)
    config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": COMMON_SYSCALLS.split(), "action": "SCMP_ACT_ALLOW"}],
    }
    pid = replay.run("c1", config)
    shown = replay.machine.proc(pid, "root/dev/shm/shown")
    poll(lambda: shown.exists() and "end" in shown.read_text())
    assert "Function not implemented" in shown.read_text()


# and what the callers rely on all the time


def test_pid_file_and_parent(replay: Replay) -> None:
    """The text is a number and nothing else, the process a child of whoever adopts the caller's orphans."""
    pid = replay.create("c1")
    assert re.fullmatch(r"\d+", pid)
    assert replay.machine.status(pid, "PPid") == "1"


def test_state_through_life(replay: Replay) -> None:
    pid = replay.create("c1")
    state = replay.state("c1")
    assert (state["id"], state["status"], state["pid"]) == ("c1", "created", int(pid))
    assert state["bundle"] == str(replay.directory / "c1")
    replay.verb("start", "c1")
    assert replay.state("c1")["status"] == "running"
    replay.verb("kill", "c1", "9")
    poll(lambda: replay.state("c1")["status"] == "stopped")
    assert replay.state("c1")["pid"] == 0


def test_ps_as_json(replay: Replay) -> None:
    pid = replay.run("c1")
    result = replay.call(*replay.flags("c1"), "ps", "--format", "json", "c1")
    assert json.loads(result.out) == [int(pid)]


def test_delete_of_a_running_and_of_a_created_container(replay: Replay) -> None:
    replay.create("c1")
    replay.verb("delete", "c1")
    replay.run("c1")
    assert "not stopped" in replay.verb("delete", "c1", code=1).err


def test_version(replay: Replay) -> None:
    lines = replay.call("--version").out.splitlines()
    assert "version" in lines[0]
    assert any(line.startswith("spec: ") for line in lines)


def test_failed_create_leaves_nothing(replay: Replay) -> None:
    """Buildah doesn't clean up after a failed create."""
    before = replay.machine.cgroups()
    bundle = replay.bundle("c1", replay.config("c1", "/no/such"))
    replay.call(
        *replay.flags("c1"),
        "create",
        "--bundle",
        str(bundle),
        "--pid-file",
        str(bundle / "pid"),
        "c1",
        code=1,
    )
    assert not (replay.root / "c1").exists()
    assert {name for name in replay.machine.cgroups() - before if name.endswith("/c1")} == set()
    assert not (bundle / "pid").exists()


def test_unknown_container(replay: Replay) -> None:
    for verb in (("state", "nosuch"), ("kill", "nosuch", "9"), ("start", "nosuch"), ("pause", "nosuch")):
        assert "does not exist" in replay.verb(*verb, code=1).err
