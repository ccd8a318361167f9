"""Real containers, made by Python's `create` and then in the hands of the front."""

from __future__ import annotations

import ctypes
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .commands import PYTHON, Command

pytestmark = pytest.mark.real
PR_SET_CHILD_SUBREAPER = 36
BUSYBOX = "/bin/busybox"
NAMESPACES = ("pid", "mount", "network", "ipc", "uts")


class Container:
    """A bundle with a static busybox, and the two commands to deal with it."""

    def __init__(self, directory: Path, container_id: str, front: Command, reference: Command) -> None:
        self.id = container_id
        self.root = directory / "state"
        self.bundle = directory / container_id
        self._front, self._reference = front, reference
        (self.bundle / "rootfs/bin").mkdir(parents=True)
        (self.bundle / "rootfs/proc").mkdir()
        self.program = self.bundle / "rootfs/bin/busybox"
        shutil.copy(shutil.which("busybox") or BUSYBOX, self.program)
        self.config: dict[str, Any] = {
            "ociVersion": "1.0.2",
            "process": {"user": {"uid": 0, "gid": 0}, "args": [BUSYBOX, "sleep", "1000"], "cwd": "/"},
            "root": {"path": "rootfs"},
            "linux": {
                "cgroupsPath": f"/{container_id}",
                "namespaces": [{"type": kind} for kind in NAMESPACES],
            },
        }

    def front(self, verb: str, *words: str, **options: Any) -> tuple[int, bytes, bytes]:
        return self._front("--root", str(self.root), verb, self.id, *words, **options)

    def python(self, verb: str, *words: str, **options: Any) -> tuple[int, bytes, bytes]:
        return self._reference("--root", str(self.root), verb, self.id, *words, **options)

    def create(self) -> Container:
        (self.bundle / "config.json").write_text(json.dumps(self.config))
        nothing = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        assert self.python("create", "--bundle", str(self.bundle), **nothing)[0] == 0
        assert (self.root / self.id / "summary").exists()
        return self

    @property
    def state(self) -> dict[str, Any]:
        """What both print."""
        done = self.front("state")
        assert done == self.python("state")
        state = json.loads(done[1])
        assert isinstance(state, dict)
        return state

    @property
    def cgroups(self) -> list[str]:
        return glob.glob(f"/sys/fs/cgroup/*/{self.id}") + glob.glob(f"/sys/fs/cgroup/{self.id}")

    def await_status(self, wanted: str) -> None:
        end = time.monotonic() + 60
        while self.state["status"] != wanted:
            assert time.monotonic() < end
            time.sleep(0.005)

    def is_gone(self) -> bool:
        return not (self.root / self.id).exists() and not self.cgroups


@pytest.fixture
def make_container(tmp_path: Path, front: Command, reference: Command) -> Iterator[Callable[[], Container]]:
    """Makes containers; their inits are children of the test, and reaped by it."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    made: list[Container] = []

    def make() -> Container:
        made.append(Container(tmp_path, f"front{os.getpid()}-{len(made)}", front, reference))
        return made[-1]

    yield make
    for one in made:
        one.python("delete", "--force")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    reap()
    assert all(one.is_gone() for one in made)


@pytest.fixture
def container(make_container: Callable[[], Container]) -> Container:
    return make_container()


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def test_a_life(container: Container) -> None:
    container.create()
    state = container.state
    assert (state["status"], state["bundle"]) == ("created", str(container.bundle))
    assert os.path.exists(f"/proc/{state['pid']}") and len(container.cgroups) > 0
    assert container.front("start") == (0, b"", b"")
    assert container.state == state | {"status": "running"}
    assert container.front("delete")[0] == PYTHON
    assert container.front("kill", "KILL") == (0, b"", b"")
    assert os.waitstatus_to_exitcode(os.waitpid(state["pid"], 0)[1]) == -signal.SIGKILL
    assert container.state == state | {"status": "stopped", "pid": 0}
    assert container.front("delete") == (0, b"", b"")
    assert container.is_gone()
    assert container.front("delete", "--force") == (0, b"", b"")


def test_pause(container: Container) -> None:
    container.create().front("start")
    assert container.python("pause")[0] == 0
    assert container.state["status"] == "paused"
    assert container.front("start")[0] == container.front("delete", "--force")[0] == PYTHON
    assert container.front("kill", "KILL")[0] == PYTHON
    assert container.python("resume")[0] == 0
    assert container.state["status"] == "running"


def test_delete_of_a_created_one(container: Container) -> None:
    pid = container.create().state["pid"]
    assert container.front("delete") == (0, b"", b"")
    assert container.is_gone()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("first", [["KILL"], []])
def test_delete_at_once(container: Container, first: list[str]) -> None:
    """Init and its children die and leave their cgroups while we look: no error, and nothing left."""
    script = "for i in 1 2 3 4 5 6 7 8; do /bin/busybox sleep 1000 & done; wait"
    container.config["process"]["args"] = [BUSYBOX, "sh", "-c", script]
    container.create().front("start")
    time.sleep(0.05)
    if first:
        assert container.front("kill", *first)[0] == 0
    code = container.front("delete", "--force")[0]
    assert code in (0, PYTHON)
    if code == PYTHON:
        assert container.python("delete", "--force")[0] == 0
    assert container.is_gone()


def failures(make_container: Callable[[], Container], prepare: Callable[[Container], None]) -> None:
    """`start` of two such containers, one by each: the same words."""
    texts = []
    for name in ("front", "python"):
        container = make_container()
        container.config["process"]["args"][0] = "/bin/busybox"
        prepare(container)
        code, out, err = getattr(container, name)("start")
        assert (code, out) == (1, b"") and err.count(b"\n") == 1
        assert sorted(os.listdir(container.root / container.id)) == ["exec.status", "state.json", "summary"]
        texts.append(re.sub(rb"front\d+-\d", b"ID", err))
    assert texts[0] == texts[1]


def test_a_start_container_hook_that_fails(make_container: Callable[[], Container]) -> None:
    def prepare(container: Container) -> None:
        script = 'echo "no \\"thanks\\" -- \u043d\u0435\u0442" >&2; exit 7'
        container.config["hooks"] = {
            "startContainer": [{"path": BUSYBOX, "args": ["busybox", "sh", "-c", script]}]
        }
        container.create()

    failures(make_container, prepare)


def test_a_poststart_hook_is_for_python(container: Container, tmp_path: Path) -> None:
    container.config["hooks"] = {
        "poststart": [{"path": "/bin/touch", "args": ["touch", str(tmp_path / "poststart")]}],
        "poststop": [{"path": "/bin/touch", "args": ["touch", str(tmp_path / "poststop")]}],
    }
    container.create()
    assert container.front("start")[0] == PYTHON
    assert container.state["status"] == "created"
    assert container.python("start")[0] == 0 and (tmp_path / "poststart").exists()
    assert container.front("delete", "--force")[0] == PYTHON
    assert container.state["status"] == "running"
    assert container.python("delete", "--force")[0] == 0 and (tmp_path / "poststop").exists()


@pytest.mark.parametrize("status", ["created", "stopped"])
def test_a_stranger_in_the_cgroups(
    container: Container, process: Callable[..., subprocess.Popen[bytes]], status: str
) -> None:
    """A process that somebody moved there is not left behind: Python kills it as ever."""
    stranger = process()
    pid = container.create().state["pid"]
    if status == "stopped":
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    for path in container.cgroups:
        Path(path, "cgroup.procs").write_text(str(stranger.pid))
    assert container.front("delete")[0] == PYTHON
    assert stranger.poll() is None
    assert sorted(os.listdir(container.root / container.id)) == [
        "exec.fifo",
        "exec.status",
        "state.json",
        "summary",
    ]
    assert container.python("delete") == (0, b"", b"")
    assert container.is_gone() and stranger.wait() == -signal.SIGKILL


def test_cgroups_below(container: Container) -> None:
    pid = container.create().state["pid"]
    for path in container.cgroups:
        os.makedirs(f"{path}/below/it")
    assert container.front("delete")[0] == PYTHON
    os.waitpid(pid, 0)
    assert len(container.cgroups) > 0
    assert container.python("delete") == (0, b"", b"")
    assert container.is_gone()


def test_start_against_delete(make_container: Callable[[], Container]) -> None:
    """Whoever comes first, no command hangs, and one more delete leaves nothing."""
    for number in range(8):
        container = make_container().create()
        root = str(container.root)
        both = [
            container._front.spawn("--root", root, "start", container.id),
            container._front.spawn("--root", root, "delete", "--force", container.id),
        ]
        if number % 2:
            both.reverse()
        for one in both:
            assert one.communicate(timeout=60)[1] == b""
            assert one.returncode in (0, PYTHON)
        assert container.python("delete", "--force") == (0, b"", b"")
        assert container.is_gone()


def test_a_container_without_a_pid_namespace(container: Container) -> None:
    container.config["linux"]["namespaces"] = [{"type": "mount"}]
    script = "/bin/busybox sleep 1000 & wait"
    container.config["process"]["args"] = [BUSYBOX, "sh", "-c", script]
    container.create()
    assert container.front("start")[0] == 0
    assert container.front("kill", "KILL")[0] == container.front("delete", "--force")[0] == PYTHON
    assert container.state["status"] == "running"
    assert container.python("delete", "--force")[0] == 0
    assert container.is_gone()
