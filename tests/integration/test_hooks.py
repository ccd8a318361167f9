"""hooks: the six kinds, their order, namespaces, input, environment, timeouts, and what a failure does."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from . import cgroup, proc
from .harness import Container, reap

RUNTIME_KINDS = ["prestart", "createRuntime", "poststart", "poststop"]
ALL_KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
AT_CREATE = ["prestart", "createRuntime", "createContainer"]
POSTSTART_AT_START = pytest.mark.old_runc_lacks("poststart hooks at start instead of create")


class Hooks:
    """Adds hooks to a container; what they write goes to a directory that the container has as /out."""

    def __init__(self, container: Container, directory: str) -> None:
        self.container = container
        self.out = f"{directory}/out"
        os.mkdir(self.out)
        container.bundle.directory("out")
        container.mount("/out", self.out)

    def add(self, kind: str, script: str, **fields: Any) -> Hooks:
        """A shell script; $OUT is where it writes, whichever root it has."""
        out = "/out" if kind == "startContainer" else self.out
        hook = {
            "path": "/bin/sh",
            "args": ["sh", "-c", f"OUT={out}\n{script}"],
            "env": ["PATH=/usr/bin:/bin"],
        }
        self.container.config.setdefault("hooks", {}).setdefault(kind, []).append(hook | fields)
        return self

    def all(self, script: str) -> Hooks:
        """The same script for every kind; {} is the kind."""
        for kind in ALL_KINDS:
            self.add(kind, script.replace("{}", kind))
        return self

    def read(self, name: str) -> str:
        return Path(self.out, name).read_text()

    def exists(self, name: str) -> bool:
        return os.path.exists(f"{self.out}/{name}")


@pytest.fixture
def hooks(container: Container, directory: str) -> Hooks:
    return Hooks(container, directory)


def _whole_life(container: Container) -> int:
    """create, start, wait, delete; returns the pid that init had."""
    container.up()
    pid = container.pid
    container.wait()
    container.delete()
    return pid


# ---- order -----------------------------------------------------------------------------------------------------------


@POSTSTART_AT_START
def test_order_over_a_whole_life(container: Container, hooks: Hooks) -> None:
    for kind in ALL_KINDS:
        hooks.add(kind, f"echo {kind}-1 >> $OUT/order").add(kind, f"echo {kind}-2 >> $OUT/order")
    container.sleeping()
    container.kill_and_wait().delete()
    assert hooks.read("order").split() == [f"{kind}-{number}" for kind in ALL_KINDS for number in (1, 2)]


@POSTSTART_AT_START
def test_when_each_kind_runs(container: Container, hooks: Hooks) -> None:
    hooks.all("touch $OUT/{}")
    container.args("sleep", "1000").create()
    assert sorted(os.listdir(hooks.out)) == sorted(AT_CREATE)
    container.start()
    assert sorted(os.listdir(hooks.out)) == sorted([*AT_CREATE, "startContainer", "poststart"])
    container.kill_and_wait()
    assert not hooks.exists("poststop")
    container.delete()
    assert hooks.exists("poststop")


@POSTSTART_AT_START
def test_run_calls_all_of_them(container: Container, hooks: Hooks) -> None:
    hooks.all("echo {} >> $OUT/order")
    container.shell("sleep 0.2").run().ok()
    assert hooks.read("order").split() == ALL_KINDS


def test_delete_force_calls_poststop(container: Container, hooks: Hooks) -> None:
    hooks.add("poststop", "touch $OUT/called")
    container.sleeping()
    container.delete("--force")
    assert hooks.exists("called")


def test_start_container_precedes_the_payload(container: Container, hooks: Hooks) -> None:
    hooks.add("startContainer", "echo hook >> $OUT/order")
    container.shell("echo payload >> /out/order").up().wait()
    assert hooks.read("order").split() == ["hook", "payload"]


# ---- state on stdin --------------------------------------------------------------------------------------------------

STATUS = {
    "prestart": {"creating", "created"},
    "createRuntime": {"creating", "created"},
    "createContainer": {"creating", "created"},
    "startContainer": {"created", "starting"},
    "poststart": {"running", "stopped"},
    "poststop": {"stopped"},
}


@POSTSTART_AT_START
def test_state_on_stdin(container: Container, hooks: Hooks) -> None:
    container.config["annotations"] = {"org.example": "value"}
    hooks.all("cat > $OUT/{}")
    container.args("sleep", "1000").up()
    pid = container.pid
    container.kill_and_wait().delete()
    for kind in ALL_KINDS:
        state = json.loads(hooks.read(kind))
        assert state["id"] == container.id, kind
        assert state["bundle"] == container.bundle.path, kind
        assert state["status"] in STATUS[kind], kind
        assert state["annotations"] == {"org.example": "value"}, kind
        assert state["ociVersion"].startswith("1."), kind
        if kind in ("prestart", "createRuntime", "poststart"):
            assert state["pid"] == pid, kind


def test_pid_of_the_state_leads_to_the_namespaces(container: Container, hooks: Hooks) -> None:
    """Docker configures the network in this moment."""
    script = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); readlink /proc/$pid/ns/net > $OUT/net"
    hooks.add("prestart", script)
    container.create()
    assert hooks.read("net").strip() == proc.ns(container.pid, "net")


def test_stdin_ends_after_the_state(container: Container, hooks: Hooks) -> None:
    hooks.add("createRuntime", "cat > $OUT/state; cat >> $OUT/state", timeout=60)
    container.create()
    json.loads(hooks.read("state"))


def test_hook_that_does_not_read_stdin(container: Container, hooks: Hooks) -> None:
    container.config["annotations"] = {f"key{number}": "x" * 1000 for number in range(200)}
    hooks.all("true")
    _whole_life(container)


# ---- namespaces, root, cwd -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", RUNTIME_KINDS)
def test_runtime_kinds_run_in_the_runtimes_namespaces(container: Container, hooks: Hooks, kind: str) -> None:
    hooks.add(kind, "for n in mnt pid net ipc uts cgroup user; do readlink /proc/self/ns/$n; done > $OUT/ns")
    container.shell("sleep 0.3")
    _whole_life(container)
    expected = [proc.ns("self", n) for n in ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user")]
    assert hooks.read("ns").split() == expected


@pytest.mark.parametrize("kind", RUNTIME_KINDS)
def test_runtime_kinds_see_the_hosts_files(container: Container, hooks: Hooks, kind: str) -> None:
    hooks.add(kind, f"test -d {container.bundle.path} && echo yes > $OUT/seen")
    container.shell("sleep 0.3")
    _whole_life(container)
    assert hooks.read("seen") == "yes\n"


def test_create_container_runs_in_the_containers_namespaces(container: Container, hooks: Hooks) -> None:
    hooks.add("createContainer", "for n in mnt net ipc uts; do readlink /proc/self/ns/$n; done > $OUT/ns")
    container.create()
    assert hooks.read("ns").split() == [proc.ns(container.pid, n) for n in ("mnt", "net", "ipc", "uts")]


def test_create_container_sees_the_mounts_before_the_pivot(container: Container, hooks: Hooks) -> None:
    """Its path is one of the host, and the container's mounts lie below the rootfs."""
    hooks.add("createContainer", f"grep -c {container.bundle.rootfs}/proc /proc/self/mountinfo > $OUT/count")
    container.create()
    assert int(hooks.read("count")) >= 1


def test_create_container_can_add_a_mount(container: Container, hooks: Hooks, directory: str) -> None:
    """What GPU hooks do."""
    Path(directory, "driver").write_text("library")
    container.bundle.file("lib/driver")
    hooks.add("createContainer", f"mount --bind {directory}/driver {container.bundle.rootfs}/lib/driver")
    assert container.sh("cat /lib/driver") == "library"
    assert Path(container.bundle.rootfs, "lib/driver").read_text() == ""


def test_create_container_cwd_is_the_rootfs(container: Container, hooks: Hooks) -> None:
    hooks.add("createContainer", "/bin/pwd -P > $OUT/cwd")
    container.create()
    assert hooks.read("cwd").strip() == os.path.realpath(container.bundle.rootfs)


def test_start_container_runs_inside(container: Container, hooks: Hooks) -> None:
    hooks.add(
        "startContainer",
        "ls -d /bin/busybox > $OUT/root; hostname > $OUT/name; readlink /proc/self/ns/mnt > $OUT/mnt",
    )
    container.args("sleep", "1000").up()
    assert hooks.read("root") == "/bin/busybox\n"
    assert hooks.read("name") == "container\n"
    assert hooks.read("mnt").strip() == proc.ns(container.pid, "mnt")


def test_start_container_path_is_one_of_the_container(container: Container, hooks: Hooks) -> None:
    container.bundle.file("opt/hook", "#!/bin/sh\necho called > /out/called\n", 0o755)
    container.config["hooks"] = {"startContainer": [{"path": "/opt/hook"}]}
    container.args("true").up().wait()
    assert hooks.read("called") == "called\n"


def test_prestart_happens_before_the_pivot(container: Container, hooks: Hooks) -> None:
    """The init's root is still the host's."""
    script = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); ls -d /proc/$pid/root$OUT > $OUT/seen"
    hooks.add("prestart", script)
    container.create()
    assert hooks.out in hooks.read("seen")


def test_prestart_happens_when_the_cgroup_is_there(container: Container, hooks: Hooks) -> None:
    script = "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); cat /proc/$pid/cgroup > $OUT/cgroup"
    hooks.add("prestart", script)
    container.create()
    assert container.id in hooks.read("cgroup")


# ---- arguments, environment, descriptors -------------------------------------------------------------------------------


def test_args_are_the_whole_argv(container: Container, hooks: Hooks) -> None:
    """Docker passes args[0] that is not the path."""
    script = f"tr '\\0' '\\n' < /proc/$$/cmdline > {hooks.out}/argv"
    container.config["hooks"] = {
        "createRuntime": [{"path": "/bin/sh", "args": ["another-name", "-c", script, "a b", ""]}]
    }
    container.create()
    assert hooks.read("argv").split("\n") == ["another-name", "-c", script, "a b", "", ""]


def test_without_args_argv_is_the_path(container: Container, directory: str) -> None:
    path = Path(directory, "hook")
    path.write_text(f"#!/bin/sh\necho $# > {directory}/count\n")
    path.chmod(0o755)
    container.config["hooks"] = {"createRuntime": [{"path": str(path)}]}
    container.create()
    assert Path(directory, "count").read_text() == "0\n"


def test_hook_path_may_be_a_proc_exe_link(container: Container, hooks: Hooks) -> None:
    """Docker: /proc/<pid of dockerd>/exe."""
    hooks.add("prestart", "", path=f"/proc/{os.getpid()}/exe")
    code = f"open({hooks.out + '/called'!r}, 'w').close()"
    container.config["hooks"]["prestart"][0] |= {"args": ["python3", "-I", "-c", code]}
    container.create()
    assert hooks.exists("called")


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_environment_is_exactly_the_given_one(container: Container, hooks: Hooks, kind: str) -> None:
    out = "/out" if kind == "startContainer" else hooks.out
    args = ["dd", "if=/proc/self/environ", f"of={out}/env"]
    environ = ["PATH=/usr/bin:/bin", "KEY=value", "EMPTY=", "SPACE=a b"]
    container.config["hooks"] = {kind: [{"path": "/bin/dd", "args": args, "env": environ}]}
    container.shell("sleep 0.2").up(env={"PATH": os.environ["PATH"], "SECRET": "1"})
    container.wait()
    container.delete()
    assert hooks.read("env").rstrip("\0").split("\0") == environ


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "poststart", "poststop"])
def test_no_descriptor_of_the_runtime_leaks_into_a_hook(
    container: Container, hooks: Hooks, kind: str
) -> None:
    code = f"import os; open({hooks.out + '/fds'!r}, 'w').write(' '.join(os.listdir('/proc/self/fd')))"
    hook = {"path": "/usr/bin/python3", "args": ["python3", "-ISc", code], "env": ["PATH=/usr/bin"]}
    container.config["hooks"] = {kind: [hook]}
    read, write = os.pipe()
    try:
        container.shell("sleep 0.2").up(pass_fds=[read, write])
    finally:
        os.close(read)
        os.close(write)
    container.wait()
    container.delete()
    # 3 is the file that Python opens, 4 the directory that it lists
    assert set(hooks.read("fds").split()) <= {"0", "1", "2", "3", "4"}


def test_hook_output_does_not_reach_stdout(container: Container, hooks: Hooks) -> None:
    hooks.add("prestart", "echo noise; echo noise >&2").add("poststart", "echo noise")
    result = container.args("sleep", "1000").try_create().ok()
    assert result.stdout == ""
    assert container.runtime.call("start", container.id).ok().stdout == ""


# ---- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", AT_CREATE)
def test_failure_at_create_undoes_everything(container: Container, hooks: Hooks, kind: str) -> None:
    hooks.add(kind, "echo told-you >&2; exit 3").add(kind, "touch $OUT/second").add(
        "poststop", "touch $OUT/poststop"
    )
    result = container.args("sleep", "1000").try_create()
    result.failed("hook")
    assert result.returncode == 1
    assert container.runtime.leftovers() == []
    assert cgroup.find_named(container.id) == []
    assert not hooks.exists("second")


@pytest.mark.planc_only("the kind and number of a hook in its errors")
@pytest.mark.parametrize("kind", AT_CREATE)
def test_failure_names_hook_code_and_stderr(container: Container, hooks: Hooks, kind: str) -> None:
    hooks.add(kind, "true").add(kind, "echo told-you >&2; exit 3")
    container.try_create().failed(f"hooks.{kind}[1]", "/bin/sh", "3", "told-you")


@pytest.mark.planc_only("poststop hooks after a failed create")
@pytest.mark.parametrize("kind", AT_CREATE)
def test_failure_at_create_still_calls_poststop(container: Container, hooks: Hooks, kind: str) -> None:
    hooks.add(kind, "exit 3").add("poststop", "touch $OUT/poststop")
    container.try_create().failed()
    assert hooks.exists("poststop")


def test_failure_of_start_container_keeps_the_payload_from_running(
    container: Container, hooks: Hooks
) -> None:
    hooks.add("startContainer", "exit 3")
    container.shell("touch /out/ran").create()
    container.runtime.call("start", container.id)
    container.wait()
    assert container.status == "stopped"
    assert not hooks.exists("ran")


@pytest.mark.old_runc_lacks("an error of start for a failed startContainer hook")
def test_failure_of_start_container_fails_start(container: Container, hooks: Hooks) -> None:
    hooks.add("startContainer", "exit 3")
    container.args("sleep", "1000").create()
    container.runtime.call("start", container.id).failed("hook")


@POSTSTART_AT_START
def test_failure_of_poststart_fails_start_and_stops(container: Container, hooks: Hooks) -> None:
    hooks.add("poststart", "exit 3")
    container.args("sleep", "1000").create()
    pid = container.pid
    container.runtime.call("start", container.id).failed("hook")
    assert reap(pid) == 137


@pytest.mark.old_runc_lacks("going on after a failed poststop hook")
def test_failure_of_poststop_is_only_a_warning(container: Container, hooks: Hooks) -> None:
    hooks.add("poststop", "touch $OUT/first; exit 3").add("poststop", "touch $OUT/second")
    container.args("true").up().wait()
    container.delete()
    assert hooks.exists("first") and hooks.exists("second")
    assert container.runtime.leftovers() == []


@pytest.mark.parametrize("kind", AT_CREATE)
def test_missing_program_is_an_error(container: Container, kind: str) -> None:
    container.config["hooks"] = {kind: [{"path": "/no/such/hook"}]}
    container.try_create().failed("/no/such/hook", "no such file or directory")
    assert container.runtime.leftovers() == []


def test_program_killed_by_a_signal_is_an_error(container: Container, hooks: Hooks) -> None:
    hooks.add("createRuntime", "kill -9 $$")
    container.try_create().failed("hook")


@pytest.mark.planc_only("JSON pointers in its errors")
@pytest.mark.parametrize(
    ("hook", "word"),
    [
        ({"path": "relative"}, "hooks.createRuntime[0].path"),
        ({}, "hooks.createRuntime[0].path"),
        ({"path": "/bin/true", "timeout": 0}, "hooks.createRuntime[0].timeout"),
        ({"path": "/bin/true", "timeout": -1}, "hooks.createRuntime[0].timeout"),
        ({"path": "/bin/true", "args": "x"}, "hooks.createRuntime[0].args"),
        ({"path": "/bin/true", "env": ["NOVALUE"]}, "hooks.createRuntime[0].env[0]"),
    ],
)
def test_bad_hooks_are_named(container: Container, hook: dict[str, object], word: str) -> None:
    container.config["hooks"] = {"createRuntime": [hook]}
    container.try_create().failed(word)


# ---- timeouts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["prestart", "createContainer"])
def test_timeout_fails_create(container: Container, hooks: Hooks, kind: str) -> None:
    hooks.add(kind, "exec sleep 1000", timeout=1)
    began = time.monotonic()
    container.try_create().failed()
    assert time.monotonic() - began > 0.9
    assert container.runtime.leftovers() == []


@pytest.mark.old_runc_lacks("killing the process group of a hook")
def test_timeout_kills_the_whole_group(container: Container, hooks: Hooks) -> None:
    unique = f"1000.{os.getpid()}"
    hooks.add("createRuntime", f"sleep {unique} & sleep {unique}", timeout=1)
    container.try_create().failed()
    proc.wait_until(lambda: not proc.pids_with_argument(unique), "both end")


def test_timeout_that_is_not_reached(container: Container, hooks: Hooks) -> None:
    hooks.add("createRuntime", "sleep 0.1; touch $OUT/done", timeout=60)
    container.create()
    assert hooks.exists("done")


def test_background_child_does_not_hold_create_up(container: Container, hooks: Hooks) -> None:
    """A daemon that a hook leaves behind must not make create wait for a pipe."""
    hooks.add("createRuntime", f"sleep 1000 > /dev/null 2>&1 < /dev/null & echo $! > {hooks.out}/pid")
    container.create()
    pid = int(hooks.read("pid"))
    assert proc.is_alive(pid)
    os.kill(pid, signal.SIGKILL)
    reap(pid)
