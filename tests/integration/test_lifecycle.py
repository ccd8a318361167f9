"""create, start, state, kill, delete, list, run: the states of a container and who may do what in which."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from . import caller, cgroup, proc
from .harness import Bundle, Container, Runtime, reap

COMMANDS = [
    "create", "delete", "events", "exec", "kill", "list", "pause", "ps", "resume", "run", "spec", "start",
    "state", "update",
]  # fmt: skip
MakeContainer = Callable[..., Container]


# ---- create ----------------------------------------------------------------------------------------------------


def test_create_leaves_the_payload_unstarted(container: Container) -> None:
    container.shell("touch /ran").create()
    assert container.status == "created"
    time.sleep(0.05)
    assert not os.path.exists(f"{container.bundle.rootfs}/ran")
    container.start()
    assert container.wait() == 0
    assert os.path.exists(f"{container.bundle.rootfs}/ran")


def test_create_prints_nothing(container: Container) -> None:
    result = container.try_create().ok()
    assert (result.stdout, result.stderr) == ("", "")


def test_create_uses_current_directory_as_bundle(container: Container) -> None:
    container.bundle.write()
    container.runtime.call(
        "create", "--pid-file", container.pid_file, container.id, cwd=container.bundle.path
    ).ok()
    assert container.runtime.state(container.id)["bundle"] == container.bundle.path


def test_create_takes_a_relative_bundle(container: Container) -> None:
    container.bundle.write()
    parent, name = os.path.split(container.bundle.path)
    container.runtime.call("create", "-b", name, container.id, cwd=parent).ok()
    assert container.runtime.state(container.id)["bundle"] == container.bundle.path


@pytest.mark.parametrize("form", ["--bundle={}", "-bundle={}", "-b={}"])
def test_flag_forms(container: Container, form: str) -> None:
    container.bundle.write()
    container.runtime.call("create", form.format(container.bundle.path), container.id).ok()
    assert container.status == "created"


def test_relative_root_is_relative_to_the_caller(container: Container, directory: str) -> None:
    container.bundle.write()
    container.runtime.root = "relative-root"
    container.runtime.call("create", "--bundle", container.bundle.path, container.id, cwd=directory).ok()
    assert container.id in os.listdir(f"{directory}/relative-root")
    container.runtime.root = f"{directory}/relative-root"
    assert container.status == "created"


def test_create_twice_is_refused_and_harms_nothing(container: Container) -> None:
    container.sleeping()
    before = container.runtime.state(container.id)
    container.try_create().failed("already exists")
    assert container.runtime.state(container.id) == before
    assert proc.is_alive(before["pid"])


def test_editing_config_after_create_changes_nothing(container: Container) -> None:
    container.shell("echo first; hostname").create()
    container.config["hostname"] = "second"
    container.shell("echo second")
    container.bundle.write()
    container.start().wait()
    assert container.output() == "first\ncontainer\n"


def test_removing_config_after_create_changes_nothing(container: Container) -> None:
    container.shell("exit 7").create()
    os.unlink(f"{container.bundle.path}/config.json")
    container.start()
    assert container.wait() == 7
    assert container.status == "stopped"
    container.delete()


def test_init_becomes_a_child_of_the_callers_subreaper(container: Container) -> None:
    container.create()
    assert proc.stat_fields(container.pid)[1] == str(os.getpid())


def test_waiting_init_is_session_leader(container: Container) -> None:
    container.create()
    fields = proc.stat_fields(container.pid)
    assert (fields[2], fields[3]) == (str(container.pid), str(container.pid))


def test_nothing_remains_after_a_failed_create(container: Container) -> None:
    container.args("/nowhere").try_create().failed("no such file or directory")
    assert container.runtime.leftovers() == []
    assert cgroup.find_named(container.id) == []
    assert not os.path.exists(container.pid_file)


def test_same_id_again_right_after_delete(container: Container) -> None:
    for code in (3, 4, 5):
        container.shell(f"exit {code}").up()
        assert container.wait() == code
        container.delete()


def test_one_bundle_serves_two_containers(make_container: MakeContainer, bundle: Bundle) -> None:
    first, second = make_container(bundle=bundle), make_container(bundle=bundle)
    bundle.config["linux"].pop("cgroupsPath")
    first.args("sleep", "100").up()
    second.args("sleep", "100").up()
    assert first.pid != second.pid
    assert first.status == second.status == "running"


# ---- pid file --------------------------------------------------------------------------------------------------


def test_pid_file_holds_the_bare_number(container: Container) -> None:
    container.create()
    content = Path(container.pid_file).read_bytes()
    assert re.fullmatch(rb"[1-9][0-9]*", content)
    assert int(content) == container.runtime.state(container.id)["pid"]


def test_pid_file_is_world_readable_and_alone(container: Container, directory: str) -> None:
    container.pid_file = f"{directory}/pid"
    container.create()
    assert stat.S_IMODE(os.stat(container.pid_file).st_mode) == 0o644
    assert os.listdir(directory) == ["pid"]


def test_pid_file_replaces_an_older_one(container: Container) -> None:
    Path(container.pid_file).write_text("99999999999 old content that is longer")
    container.create()
    assert container.pid == container.runtime.state(container.id)["pid"]


def test_relative_pid_file_is_relative_to_the_caller(container: Container, directory: str) -> None:
    container.bundle.write()
    container.runtime.call(
        "create", "--bundle", container.bundle.path, "--pid-file", "here", container.id, cwd=directory
    ).ok()
    assert int(Path(directory, "here").read_text()) == container.runtime.state(container.id)["pid"]


def test_pid_file_in_a_missing_directory_fails(container: Container, directory: str) -> None:
    container.pid_file = f"{directory}/absent/pid"
    container.try_create().failed("no such file or directory")
    assert container.runtime.leftovers() == []


# ---- start -----------------------------------------------------------------------------------------------------


def test_start_makes_it_running(container: Container) -> None:
    container.sleeping()
    assert container.status == "running"
    assert proc.cmdline(container.pid) == ["sleep", "1000"]


def test_start_prints_nothing(container: Container) -> None:
    container.args("sleep", "1000").create()
    result = container.runtime.call("start", container.id).ok()
    assert (result.stdout, result.stderr) == ("", "")


def test_start_does_not_read_stdin(container: Container) -> None:
    container.args("sleep", "1000").create()
    read, write = os.pipe()
    os.write(write, b"data of the user")
    os.close(write)
    container.runtime.call("start", container.id, stdin=read).ok()
    assert os.read(read, 100) == b"data of the user"
    os.close(read)


def test_start_of_a_running_container_is_refused(container: Container) -> None:
    container.sleeping()
    container.runtime.call("start", container.id).failed("cannot start an already running container")
    assert container.status == "running"


def test_start_of_a_stopped_container_is_refused(container: Container) -> None:
    container.args("true").up().wait()
    container.runtime.call("start", container.id).failed("cannot start a container that has stopped")


def test_start_of_a_killed_created_container_is_refused(container: Container) -> None:
    container.create().kill_and_wait()
    container.runtime.call("start", container.id).failed("cannot start a container that has stopped")


def test_start_without_process_is_refused(container: Container) -> None:
    del container.config["process"]
    result = container.run()
    result.failed("process")
    assert container.runtime.leftovers() == []


# ---- state -----------------------------------------------------------------------------------------------------


def test_state_has_the_properties_of_the_spec(container: Container) -> None:
    container.config["annotations"] = {"org.example.key": "value", "org.example.empty": ""}
    container.create()
    state = container.runtime.state(container.id)
    assert re.fullmatch(r"1\.\d+\.\d+(-\S+)?", state["ociVersion"])
    assert state["id"] == container.id
    assert state["status"] == "created"
    assert state["pid"] == container.pid
    assert state["bundle"] == container.bundle.path
    assert state["rootfs"] == container.bundle.rootfs
    assert state["annotations"] == {"org.example.key": "value", "org.example.empty": ""}
    assert state["owner"] == ""


def test_state_created_is_a_recent_rfc3339_time(container: Container) -> None:
    container.create()
    created = container.runtime.state(container.id)["created"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", created)
    seconds = datetime.fromisoformat(created.split(".")[0].rstrip("Z") + "+00:00").timestamp()
    assert abs(time.time() - seconds) < 120


def test_state_of_a_stopped_container_has_pid_0(container: Container) -> None:
    container.args("true").up().wait()
    state = container.runtime.state(container.id)
    assert (state["status"], state["pid"]) == ("stopped", 0)


def test_state_treats_a_zombie_as_stopped(container: Container) -> None:
    container.args("true").up()
    proc.wait_until(lambda: proc.stat_fields(container.pid)[0] == "Z", "init is a zombie")
    assert container.status == "stopped"


def test_state_of_an_unknown_container(runtime: Runtime) -> None:
    runtime.call("state", "nobody").failed("does not exist")


def test_pid_of_another_process_is_not_the_container(container: Container) -> None:
    """The record is compared with the start time: a reused pid must not count as the container."""
    container.args("true").up().wait()
    container.runtime.call("kill", container.id, "0").failed("container not running")


def test_state_survives_other_callers_environment(container: Container) -> None:
    container.create()
    result = container.runtime.call("state", container.id, env={"XDG_RUNTIME_DIR": ""})
    assert result.json()["status"] == "created"


@pytest.mark.parametrize("env", [{}, {"XDG_RUNTIME_DIR": ""}, {"XDG_RUNTIME_DIR": "/nowhere"}])
def test_kill_and_delete_with_nearly_empty_environment(container: Container, env: dict[str, str]) -> None:
    if caller.ROOTLESS and cgroup.DRIVER == "systemd" and env.get("XDG_RUNTIME_DIR"):
        caller.need_root("a systemd that is not found by XDG_RUNTIME_DIR")
    container.sleeping()
    container.runtime.call("kill", container.id, "9", env=env).ok()
    assert container.wait() == 137
    container.runtime.call("delete", "--force", container.id, env=env).ok()


def test_state_directory_is_closed_to_others(container: Container) -> None:
    container.create()
    for parent, directories, files in os.walk(container.runtime.root):
        for name in directories + files:
            mode = os.lstat(os.path.join(parent, name)).st_mode
            if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
                assert mode & stat.S_IWOTH == 0, name


# ---- kill ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["TERM", "SIGTERM", "15", "term", "sigterm", "Term"])
def test_kill_takes_names_and_numbers(container: Container, name: str) -> None:
    container.shell("trap 'exit 42' TERM; echo ready; while :; do sleep 0.01; done").up()
    proc.wait_until(lambda: "ready" in container.output(), "trap is set")
    container.kill(name)
    assert container.wait() == 42


@pytest.mark.parametrize("number", [1, 2, 3, 10, 12, 14, 15, 18, 28, 34, 64])
def test_kill_delivers_each_number(container: Container, number: int) -> None:
    container.shell(f"trap 'exit 42' {number}; echo ready; while :; do sleep 0.01; done").up()
    proc.wait_until(lambda: "ready" in container.output(), "trap is set")
    container.kill(str(number))
    assert container.wait() == 42


def test_kill_sends_sigterm_by_default(container: Container) -> None:
    container.shell("trap 'exit 15' TERM; echo ready; while :; do sleep 0.01; done").up()
    proc.wait_until(lambda: "ready" in container.output(), "trap is set")
    container.runtime.call("kill", container.id).ok()
    assert container.wait() == 15


def test_kill_0_only_asks(container: Container) -> None:
    container.sleeping().kill("0")
    assert container.status == "running"


@pytest.mark.parametrize("name", ["NOSUCH", "SIGNOSUCH", "999", "-1", "1.5"])
def test_kill_refuses_unknown_signals(container: Container, name: str) -> None:
    container.sleeping()
    words = ["kill", container.id, name] if not name.startswith("-") else ["kill", container.id, "--", name]
    container.runtime.call(*words).failed(*([] if name == "-1" else ["signal"]))
    assert container.status == "running"


def test_kill_a_created_container(container: Container) -> None:
    container.create().kill("KILL")
    assert container.wait() == 137
    assert container.status == "stopped"


def test_kill_a_stopped_container_is_refused(container: Container) -> None:
    container.args("true").up().wait()
    container.runtime.call("kill", container.id, "KILL").failed("container not running")


@pytest.mark.parametrize("flag", ["--all", "-a"])
def test_kill_all_of_a_stopped_container_is_harmless(container: Container, flag: str) -> None:
    container.args("true").up().wait()
    container.runtime.call("kill", flag, container.id, "KILL").ok()


def test_kill_of_an_unknown_container(runtime: Runtime) -> None:
    runtime.call("kill", "nobody", "TERM").failed("does not exist")


def _two_processes(container: Container) -> list[int]:
    container.without_namespace("pid").shell("sleep 1000 & sleep 1001; true").up()
    proc.wait_until(lambda: len(cgroup.process_ids(container.pid, "pids")) == 3, "three processes run")
    return sorted(cgroup.process_ids(container.pid, "pids") - {container.pid})


def _await_end_of(pids: list[int]) -> None:
    proc.wait_until(lambda: not any(proc.is_alive(pid) for pid in pids), "all processes end")


def test_kill_all_reaches_every_process_of_the_cgroup(container: Container) -> None:
    others = _two_processes(container)
    container.runtime.call("kill", "--all", container.id, "KILL").ok()
    assert container.wait() == 137
    _await_end_of(others)


def test_kill_all_with_another_signal(container: Container) -> None:
    others = _two_processes(container)
    container.runtime.call("kill", "--all", container.id, "TERM").ok()
    assert container.wait() == 143
    _await_end_of(others)


def test_kill_with_another_signal_reaches_only_init(container: Container) -> None:
    others = _two_processes(container)
    container.kill("TERM")
    assert container.wait() == 143
    time.sleep(0.05)
    assert all(proc.is_alive(pid) for pid in others)


@pytest.mark.old_runc_lacks("killing the cgroup of a container without a private pid namespace")
def test_sigkill_without_private_pid_namespace_kills_the_cgroup(container: Container) -> None:
    others = _two_processes(container)
    container.kill("KILL")
    assert container.wait() == 137
    _await_end_of(others)


def test_delete_of_a_stopped_container_ends_its_other_processes(container: Container) -> None:
    others = _two_processes(container)
    container.kill("TERM")
    assert container.wait() == 143
    assert any(proc.is_alive(pid) for pid in others)
    container.delete("--force")
    _await_end_of(others)


@pytest.mark.needs_controller("freezer")
def test_sigkill_of_a_paused_container_takes_effect(container: Container) -> None:
    container.sleeping()
    container.runtime.call("pause", container.id).ok()
    container.kill("KILL")
    assert container.wait() == 137
    assert container.status == "stopped"


# ---- delete ----------------------------------------------------------------------------------------------------


def test_delete_a_stopped_container_removes_everything(container: Container) -> None:
    container.args("true").up().wait()
    result = container.runtime.call("delete", container.id).ok()
    assert (result.stdout, result.stderr) == ("", "")
    assert container.runtime.leftovers() == []
    assert cgroup.find_named(container.id) == []
    container.runtime.call("state", container.id).failed("does not exist")


def test_delete_a_running_container_is_refused(container: Container) -> None:
    container.sleeping()
    words = f"cannot delete container {container.id} that is not stopped: running"
    container.runtime.call("delete", container.id).failed(words)
    assert container.status == "running"


@pytest.mark.needs_controller("freezer")
def test_delete_a_paused_container_is_refused(container: Container) -> None:
    container.sleeping()
    container.runtime.call("pause", container.id).ok()
    words = f"cannot delete container {container.id} that is not stopped: paused"
    container.runtime.call("delete", container.id).failed(words)
    assert container.status == "paused"


def test_delete_a_created_container_kills_it(container: Container) -> None:
    container.create()
    pid = container.pid
    container.delete()
    assert reap(pid) == 137
    assert container.runtime.leftovers() == []


@pytest.mark.parametrize("flag", ["--force", "-f"])
def test_delete_force_a_running_container(container: Container, flag: str) -> None:
    container.sleeping()
    pid = container.pid
    container.delete(flag)
    assert reap(pid) == 137
    assert container.runtime.leftovers() == []
    assert cgroup.find_named(container.id) == []


@pytest.mark.needs_controller("freezer")
def test_delete_force_a_paused_container(container: Container) -> None:
    container.sleeping()
    pid = container.pid
    container.runtime.call("pause", container.id).ok()
    container.delete("--force")
    assert reap(pid) == 137


def test_delete_force_a_created_and_a_stopped_container(make_container: MakeContainer) -> None:
    created, stopped = make_container().create(), make_container().args("true").up()
    stopped.wait()
    created.delete("--force")
    stopped.delete("--force")


def test_delete_force_of_an_unknown_container_succeeds(runtime: Runtime) -> None:
    result = runtime.call("delete", "--force", "nobody").ok()
    assert result.stdout == ""


def test_delete_of_an_unknown_container_fails(runtime: Runtime) -> None:
    runtime.call("delete", "nobody").failed("does not exist")


def test_delete_force_removes_a_directory_without_a_record(runtime: Runtime) -> None:
    os.makedirs(f"{runtime.root}/broken")
    runtime.call("delete", "--force", "broken").ok()
    assert runtime.leftovers() == []


def test_delete_does_not_touch_other_containers(make_container: MakeContainer) -> None:
    first, second = make_container().sleeping(), make_container().sleeping()
    first.delete("--force")
    assert second.status == "running"


def test_delete_leaves_the_bundle_alone(container: Container) -> None:
    before = sorted(os.listdir(container.bundle.write().path))
    container.args("true").up().wait()
    container.delete()
    assert sorted(os.listdir(container.bundle.path)) == before


def test_delete_after_the_bundle_is_gone(container: Container) -> None:
    container.args("true").up().wait()
    os.rename(container.bundle.path, container.bundle.path + ".away")
    container.delete()


# ---- list ------------------------------------------------------------------------------------------------------


def test_list_table(make_container: MakeContainer, runtime: Runtime) -> None:
    running, created = make_container().sleeping(), make_container().create()
    lines = runtime.call("list").ok().stdout.splitlines()
    assert lines[0].split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    rows = {line.split()[0]: line.split() for line in lines[1:]}
    assert rows[running.id][1:4] == [str(running.pid), "running", running.bundle.path]
    assert rows[created.id][1:4] == [str(created.pid), "created", created.bundle.path]
    assert rows[created.id][5] == caller.user_name()


def test_list_table_columns_are_aligned(make_container: MakeContainer, runtime: Runtime) -> None:
    one = make_container().create()
    head, row = runtime.call("list").ok().stdout.splitlines()
    for title, value in (("PID", str(one.pid)), ("STATUS", "created"), ("BUNDLE", one.bundle.path)):
        assert head.index(title) == row.index(value)


def test_list_of_nothing_is_a_header(runtime: Runtime) -> None:
    os.mkdir(runtime.root)
    assert len(runtime.call("list").ok().stdout.splitlines()) == 1
    assert runtime.call("list", "--format", "json").json() in (None, [])
    assert runtime.call("list", "-q").ok().stdout == ""


@pytest.mark.parametrize("flag", ["--format", "-f"])
def test_list_json(make_container: MakeContainer, runtime: Runtime, flag: str) -> None:
    one = make_container()
    one.config["annotations"] = {"a": "b"}
    one.create()
    (entry,) = runtime.call("list", flag, "json").json()
    state = runtime.state(one.id)
    for key in ("id", "pid", "status", "bundle", "rootfs", "created", "annotations"):
        assert entry[key] == state[key]
    assert entry["owner"] == caller.user_name()


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
def test_list_quiet(make_container: MakeContainer, runtime: Runtime, flag: str) -> None:
    ids = [make_container().create().id, make_container().create().id]
    assert runtime.call("list", flag).ok().stdout.split() == sorted(ids)


def test_list_refuses_an_unknown_format(runtime: Runtime) -> None:
    os.mkdir(runtime.root)
    runtime.call("list", "--format", "yaml").failed("format")


@pytest.mark.old_runc_lacks("an error for a missing --root")
def test_list_of_a_missing_root_fails(runtime: Runtime) -> None:
    runtime.call("list").failed(runtime.root)


def test_list_goes_on_after_a_broken_container(container: Container) -> None:
    container.create()
    os.mkdir(f"{container.runtime.root}/broken")
    result = container.runtime.call("list", "-q").ok()
    assert container.id in result.stdout.split()
    listed = container.runtime.call("list", "--format", "json").ok()
    assert [entry["id"] for entry in json.loads(listed.stdout)] == [container.id]
    assert "broken" in listed.stderr


def test_list_shows_stopped_with_pid_0(container: Container) -> None:
    container.args("true").up().wait()
    (entry,) = container.runtime.call("list", "--format", "json").json()
    assert (entry["status"], entry["pid"]) == ("stopped", 0)


# ---- run -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 2, 125, 126, 127, 128, 137, 254, 255])
def test_run_exits_with_the_containers_code(container: Container, code: int) -> None:
    assert container.shell(f"exit {code}").run().returncode == code
    assert container.runtime.leftovers() == []


@pytest.mark.parametrize("name", ["KILL", "TERM", "HUP", "SEGV"])
def test_run_exits_with_128_plus_signal(container: Container, name: str) -> None:
    container.without_namespace("pid")
    result = container.shell(f"kill -{name} $$").run()
    assert result.returncode == 128 + signal.Signals[f"SIG{name}"]


def test_run_keeps_stdout_and_stderr_apart(container: Container) -> None:
    result = container.shell("echo out; echo err >&2").run().ok()
    assert (result.stdout, result.stderr) == ("out\n", "err\n")


def test_run_passes_stdin(container: Container) -> None:
    assert container.args("cat").run(stdin=b"some\0bytes\n").ok().stdout == "some\0bytes\n"


def test_run_passes_much_data_both_ways(container: Container) -> None:
    data = bytes(range(256)) * 4096
    process = container.args("md5sum").run(stdin=data).ok()
    import hashlib

    assert process.stdout.split()[0] == hashlib.md5(data).hexdigest()


def test_run_with_closed_stdin_reader_does_not_hang(container: Container) -> None:
    read, write = os.pipe()
    try:
        assert container.args("true").run(stdin=read).returncode == 0
    finally:
        os.close(read)
        os.close(write)


def test_run_deletes_the_container(container: Container) -> None:
    container.args("true").run().ok()
    container.runtime.call("state", container.id).failed("does not exist")


def test_run_keep_leaves_it_stopped(container: Container) -> None:
    assert container.shell("exit 9").run("--keep").returncode == 9
    assert container.status == "stopped"
    container.delete()


@pytest.mark.parametrize("flag", ["--detach", "-d"])
def test_run_detach(container: Container, flag: str) -> None:
    container.args("sleep", "1000").run(flag, "--pid-file", container.pid_file).ok()
    assert container.status == "running"
    assert proc.stat_fields(container.pid)[1] == str(os.getpid())


def test_run_detach_of_a_short_process_leaves_it_stopped(container: Container) -> None:
    container.shell("exit 5").run("--detach", "--pid-file", container.pid_file).ok()
    assert container.wait() == 5
    assert container.status == "stopped"


def test_run_writes_the_pid_file(container: Container) -> None:
    process = container.args("sleep", "1000").run_in_background()
    container.await_exec()
    assert container.pid == container.runtime.state(container.id)["pid"]
    container.kill()
    assert process.wait().returncode == 137


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGCONT"])
def test_run_forwards_signals(container: Container, name: str) -> None:
    container.shell(f"trap 'exit 42' {name[3:]}; echo ready; while :; do sleep 0.01; done")
    process = container.run_in_background()
    proc.wait_until(lambda: "ready" in process.peek().stdout, "trap is set")
    process.signal(signal.Signals[name])
    assert process.wait().returncode == 42


def test_run_does_not_forward_sigchld(container: Container) -> None:
    container.shell("echo ready; sleep 0.3; exit 7")
    process = container.run_in_background()
    proc.wait_until(lambda: "ready" in process.peek().stdout, "payload runs")
    process.signal(signal.SIGCHLD)
    assert process.wait().returncode == 7


def test_run_dies_when_init_dies_though_children_hold_stdout(container: Container) -> None:
    """Children of init die with its pid namespace; `run` must not wait for a pipe to close."""
    process = container.shell("sleep 1000 & echo started").run()
    assert process.returncode == 0


def test_run_reports_a_failed_create(container: Container) -> None:
    result = container.args("/nowhere").run()
    result.failed("no such file or directory", "/nowhere")
    assert result.returncode == 1
    assert container.runtime.leftovers() == []


def test_run_of_an_existing_id_is_refused(container: Container) -> None:
    container.sleeping()
    container.run().failed("already exists")
    assert container.status == "running"


# ---- exit codes, help, version, log -----------------------------------------------------------------------------


def test_no_command_prints_help(runtime: Runtime) -> None:
    result = runtime.call().ok()
    assert "create" in result.stdout and "delete" in result.stdout


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_names_every_command(runtime: Runtime, words: list[str]) -> None:
    text = runtime.call(*words).ok().stdout
    for command in COMMANDS:
        assert command in text


@pytest.mark.parametrize("command", [*COMMANDS, "features"])
def test_each_command_has_help(runtime: Runtime, command: str) -> None:
    result = runtime.call(command, "--help").ok()
    assert command in result.stdout


def test_unknown_command_exits_3(runtime: Runtime) -> None:
    result = runtime.call("nonsense")
    assert result.returncode == 3
    assert "nonsense" in result.stdout + result.stderr


@pytest.mark.parametrize("flag", ["--version", "-v"])
def test_version(runtime: Runtime, flag: str) -> None:
    lines = runtime.call(flag).ok().stdout.splitlines()
    assert re.match(r"\w+ version \S+", lines[0])
    assert any(re.match(r"spec: 1\.", line) for line in lines)


@pytest.mark.parametrize(
    "words",
    [["state"], ["start"], ["kill"], ["delete"], ["create"], ["run"], ["pause"], ["exec"], ["exec", "one"]],
)
def test_missing_arguments_are_refused(runtime: Runtime, words: list[str]) -> None:
    result = runtime.call(*words)
    result.failed()
    assert result.returncode in ((1, 255) if words[0] == "exec" else (1,))


@pytest.mark.parametrize("words", [["state", "a", "b"], ["start", "a", "b"], ["create", "a", "b"]])
def test_extra_arguments_are_refused(runtime: Runtime, words: list[str]) -> None:
    runtime.call(*words).failed()


@pytest.mark.parametrize("words", [["state", "--nonsense", "x"], ["--nonsense", "list"], ["run", "-Z", "x"]])
def test_unknown_flags_are_refused(runtime: Runtime, words: list[str]) -> None:
    result = runtime.call(*words)
    assert result.returncode == 1
    assert "nonsense" in result.stderr + result.stdout or "-Z" in result.stderr + result.stdout


def test_json_log_has_one_object_for_the_error(container: Container, directory: str) -> None:
    log = f"{directory}/log.json"
    container.runtime.global_flags = ["--log", log, "--log-format", "json"]
    container.args("/nowhere").try_create().failed("no such file or directory")
    (line,) = Path(log).read_text().splitlines()
    entry = json.loads(line)
    assert entry["level"] == "error"
    assert "/nowhere" in entry["msg"] and "no such file or directory" in entry["msg"]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", entry["time"])
    container.runtime.global_flags = []


def test_log_is_appended_and_stderr_repeats_the_error(runtime: Runtime, directory: str) -> None:
    log = Path(directory, "log")
    log.write_text("before\n")
    runtime.global_flags = ["--log", str(log)]
    runtime.call("state", "nobody").failed("does not exist")
    runtime.global_flags = []
    assert log.read_text().startswith("before\n")
    assert "does not exist" in log.read_text()


def test_error_is_one_line_on_stderr(runtime: Runtime) -> None:
    result = runtime.call("state", "nobody")
    (line,) = result.stderr.splitlines()
    assert "does not exist" in line and result.stdout == ""


def test_json_errors_on_stderr_without_a_log_file(runtime: Runtime) -> None:
    runtime.global_flags = ["--log-format", "json"]
    entry = json.loads(runtime.call("state", "nobody").stderr.splitlines()[-1])
    runtime.global_flags = []
    assert entry["level"] == "error" and "does not exist" in entry["msg"]


def test_success_writes_nothing_to_the_log(container: Container, directory: str) -> None:
    log = Path(directory, "log")
    container.runtime.global_flags = ["--log", str(log), "--log-format", "json"]
    container.args("true").up().wait()
    container.delete()
    container.runtime.global_flags = []
    assert log.read_text() == ""


def test_unknown_log_format_is_refused(runtime: Runtime) -> None:
    runtime.global_flags = ["--log-format", "xml"]
    runtime.call("list").failed("format", "xml")
    runtime.global_flags = []


def test_debug_says_more(container: Container) -> None:
    container.runtime.global_flags = ["--debug"]
    result = container.try_create().ok()
    container.runtime.global_flags = []
    assert "debug" in result.stderr


def test_works_with_closed_standard_descriptors(container: Container) -> None:
    """A manager may hand over descriptors that are closed or of the wrong direction."""
    prefix = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    container.args("sleep", "1000")
    container.create(prefix=prefix).start(prefix=prefix)
    assert container.status == "running"


def test_works_with_read_only_dev_null_as_output(container: Container) -> None:
    null = os.open("/dev/null", os.O_RDONLY)
    container.shell("echo lost; exit 3")
    try:
        container.try_create(stdout=null, stderr=null).ok()
        container.runtime.call("start", container.id, stdout=null, stderr=null).ok()
    finally:
        os.close(null)
    container.wait()
    assert container.status == "stopped"
