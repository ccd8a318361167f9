"""Every bundle of bundles/, made and run as its README says, its effect looked at from outside.

The runtime is $PLANC, else the one that `make` builds. The bundles are copied first: making them writes root
file systems, and the rootless one writes ids into its config.
"""

from __future__ import annotations

import json
import os
import pty
import pwd
import re
import select
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PLANC = os.environ.get("PLANC") or str(REPOSITORY / "build/prefix/bin/planc")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE_SECONDS = 60
WEB_PORT = "8473"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: cgroups, and other users")


class Container:
    """One container of one bundle, run by root or by another user, with a state directory of its own."""

    def __init__(self, bundle: Path, state: Path, user: pwd.struct_passwd | None = None) -> None:
        self.bundle, self._state, self._user = bundle, state, user
        self.name = f"bundle-{bundle.name}-{os.getpid()}"

    def argv(self, verb: str, *words: str) -> list[str]:
        """Return `planc --root ... verb words name`."""
        return [PLANC, "--root", str(self._state), verb, *words, self.name]

    def call(self, verb: str, *words: str, after: tuple[str, ...] = ()) -> str:
        """Run a command that must succeed and return its output.

        The output goes through a file: a container inherits these descriptors, and would hold a pipe open.
        """
        with tempfile.TemporaryFile("w+") as out:
            result = subprocess.run(
                [*self.argv(verb, *words), *after],
                cwd=self.bundle,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=120,
                check=False,
                **self._identity(),
            )
            out.seek(0)
            text = out.read()
        assert result.returncode == 0, f"{verb}: {text}"
        return text

    def begin(self, *words: str, output: Path) -> None:
        """Run a command that leaves a container behind, whose output goes to a file too."""
        with output.open("w") as out:
            subprocess.run(
                self.argv(*words),
                cwd=self.bundle,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=120,
                check=True,
            )

    def script(self, path: str) -> None:
        """Run a program of the bundle directory, such as rootfs.sh, as the container's user."""
        subprocess.run([path], cwd=self.bundle, check=True, timeout=120, **self._identity())

    def state(self) -> dict[str, Any]:
        """Return what `state` prints."""
        answer: dict[str, Any] = json.loads(self.call("state"))
        return answer

    def pid(self) -> int:
        """Return the process id of the container's init."""
        return int(self.state()["pid"])

    def wait_stopped(self) -> None:
        """Wait until `state` says stopped."""
        wait_until(lambda: self.state()["status"] == "stopped", "the container to stop")

    def clean(self) -> None:
        """Delete the container if it is still there."""
        subprocess.run(
            self.argv("delete", "--force"), capture_output=True, timeout=120, check=False, **self._identity()
        )

    def _identity(self) -> dict[str, Any]:
        env = {"PATH": PATH, "TERM": "xterm", "HOME": "/"}
        if self._user is None:
            return {"env": env}
        env["XDG_RUNTIME_DIR"] = str(self._state.parent)
        return {"env": env, "user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as the condition holds; fail the test if it does not within PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_SECONDS} s for {what}"
        time.sleep(0.05)


def status_of(pid: int) -> dict[str, str]:
    """Return /proc/PID/status as a mapping, values stripped."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def cgroup_value(pid: int, controller: str, v1_file: str, v2_file: str) -> str:
    """Return the content of a cgroup file of the process, from whichever hierarchy has the controller."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return Path(f"/sys/fs/cgroup/{controller}{path}/{v1_file}").read_text().strip()
    path = Path(f"/proc/{pid}/cgroup").read_text().splitlines()[-1].split(":", 2)[2]
    return Path(f"/sys/fs/cgroup{path}/{v2_file}").read_text().strip()


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    """A copy of bundles/ that every user may enter."""
    directory = Path(tempfile.mkdtemp(prefix="planc-bundles-"))
    directory.chmod(0o755)
    shutil.copytree(REPOSITORY / "bundles", directory / "bundles", ignore=shutil.ignore_patterns("rootfs"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def make(tree: Path) -> Iterator[Callable[[str], Container]]:
    """Return a function that makes the named bundle and gives its container, not created yet."""
    assert os.access(PLANC, os.X_OK), f"no runtime at {PLANC}"
    made: list[Container] = []

    def build(name: str) -> Container:
        container = Container(tree / "bundles" / name, tree / "state")
        made.append(container)
        container.script("./rootfs.sh")
        return container

    yield build
    for container in made:
        container.clean()


def test_every_bundle_is_tested() -> None:
    present = {path.parent.name for path in (REPOSITORY / "bundles").glob("*/config.json")}
    tested = {"shell", "web-server", "limits", "rootless", "hooks", "seccomp", "read-only-service"}
    assert present == tested
    for name in present:
        assert (REPOSITORY / "bundles" / name / "README.md").exists()


def test_shell(make: Callable[[str], Container]) -> None:
    container = make("shell")
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(container.bundle)
        os.execve(PLANC, container.argv("run"), {"PATH": PATH, "TERM": "xterm"})
    os.write(terminal, b"echo $((6 * 7)) in $(tty); echo ready\n")
    output = read_until(terminal, rb"\nready")
    assert re.search(rb"\n42 in /dev/(pts/0|console)", output), output
    pid = container.pid()
    assert os.readlink(f"/proc/{pid}/fd/0").startswith("/dev/pts/")
    assert os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid")
    assert Path(f"/proc/{pid}/root").samefile(container.bundle / "rootfs")
    os.write(terminal, b"exit 7\n")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 7
    assert not Path(f"/proc/{pid}").exists()


def read_until(terminal: int, pattern: bytes) -> bytes:
    """Return what the terminal has shown once it matches the pattern."""
    output = b""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not re.search(pattern, output):
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"no {pattern!r} in {output!r}"
        output += os.read(terminal, 4096)
    return output


def test_web_server(make: Callable[[str], Container]) -> None:
    container = make("web-server")
    port = free_port()
    config = container.bundle / "config.json"
    assert WEB_PORT in config.read_text()
    config.write_text(config.read_text().replace(WEB_PORT, str(port)))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    container.call("run", "--detach")
    page = fetch(f"http://127.0.0.1:{port}/")
    assert page == (container.bundle / "index.html").read_bytes()
    pid = container.pid()
    status = status_of(pid)
    assert (status["Uid"].split()[0], status["CapEff"]) == ("65534", "0" * 16)
    assert os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    container.call("kill", after=("KILL",))
    container.wait_stopped()
    container.call("delete")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def free_port() -> int:
    """Return the number of a port that nobody listens on, for the bundle's own may be in use here."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def fetch(url: str) -> bytes:
    """Return the page, as soon as the server listens."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with opener.open(url, timeout=5) as response:
                content: bytes = response.read()
                return content
        except OSError as error:
            assert time.monotonic() < deadline, f"{url}: {error}"
            time.sleep(0.05)


def test_limits(make: Callable[[str], Container]) -> None:
    container = make("limits")
    output = container.bundle / "output"
    container.begin("create", output=output)
    pid = container.pid()
    assert cgroup_value(pid, "memory", "memory.limit_in_bytes", "memory.max") == str(32 << 20)
    assert cgroup_value(pid, "pids", "pids.max", "pids.max") == "16"
    assert cgroup_value(pid, "cpu", "cpu.cfs_quota_us", "cpu.max") in ("20000", "20000 100000")
    container.call("start")
    container.wait_stopped()
    container.call("delete")
    memory, cpu, pids = output.read_text().splitlines()
    assert memory == "memory: dd, wanting 64 MiB, was ended by 9"
    percent = re.fullmatch(r"cpu: a busy loop got (\d+) % of one CPU", cpu)
    assert percent and int(percent[1]) <= 35, cpu
    started = re.fullmatch(r"pids: (\d+) of 32 processes could be started", pids)
    assert started and 12 <= int(started[1]) <= 15, pids


@pytest.fixture(params=["subordinate ids", "own id only"])
def user(request: pytest.FixtureRequest) -> Iterator[pwd.struct_passwd]:
    """A new unprivileged user, with or without entries in /etc/subuid and /etc/subgid."""
    name = f"planc-test-{os.getpid()}"
    count = "65536" if request.param == "subordinate ids" else "0"
    ranges = ["-K", f"SUB_UID_COUNT={count}", "-K", f"SUB_GID_COUNT={count}"]
    subprocess.run(["useradd", "--no-create-home", *ranges, name], check=True)
    yield pwd.getpwnam(name)
    # it refuses while a process of the user is a zombie
    wait_until(lambda: subprocess.run(["userdel", name], capture_output=True).returncode == 0, "userdel")


def test_rootless(tree: Path, user: pwd.struct_passwd, request: pytest.FixtureRequest) -> None:
    home = tree / user.pw_name
    shutil.copytree(REPOSITORY / "bundles", home, ignore=shutil.ignore_patterns("rootfs"))
    for path in (home, *home.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    container = Container(home / "rootless", home / "state", user)
    request.addfinalizer(lambda: shutil.rmtree(home))
    request.addfinalizer(container.clean)
    container.script("./rootfs.sh")
    several = user.pw_name in Path("/etc/subuid").read_text()
    container.call("create")
    check_mapped(container.pid(), user, several)
    container.call("start")
    container.wait_stopped()
    container.call("delete")
    rootfs = container.bundle / "rootfs"
    assert (rootfs / "made-by-root").stat().st_uid == user.pw_uid
    owner = first_subuid(user) + 999 if several else user.pw_uid
    assert (rootfs / "made-by-1000").stat().st_uid == owner


def check_mapped(pid: int, user: pwd.struct_passwd, several: bool) -> None:
    """Check from outside that the init is the user's, in a user namespace that maps the user's ids."""
    assert status_of(pid)["Uid"].split() == [str(user.pw_uid)] * 4
    maps = [line.split() for line in Path(f"/proc/{pid}/uid_map").read_text().splitlines()]
    expected = [["0", str(user.pw_uid), "1"]]
    if several:
        expected.append(["1", str(first_subuid(user)), "65536"])
    assert maps == expected
    assert os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user")


def first_subuid(user: pwd.struct_passwd) -> int:
    """Return the start of the user's range in /etc/subuid."""
    lines = [line.split(":") for line in Path("/etc/subuid").read_text().splitlines()]
    return next(int(start) for name, start, _ in lines if name == user.pw_name)


def test_hooks(make: Callable[[str], Container]) -> None:
    container = make("hooks")
    log = container.bundle / "rootfs/hooks.log"
    container.call("create")
    early = [name for name in log.read_text().split() if name != "poststart"]
    assert early == ["prestart", "createRuntime", "createContainer"]
    container.call("start")
    container.wait_stopped()
    container.call("delete")
    ran = log.read_text().split()
    assert [name for name in ran if name != "poststart"] == [
        "prestart",
        "createRuntime",
        "createContainer",
        "startContainer",
        "process",
        "poststop",
    ]
    assert ran.count("poststart") == 1


def test_seccomp(make: Callable[[str], Container]) -> None:
    container = make("seccomp")
    output = container.bundle / "output"
    with (container.bundle / "rootfs/try.sh").open("a") as script:
        script.write("exec sleep 1000\n")  # to be looked at as long as it takes
    container.begin("run", "--detach", output=output)
    wait_until(lambda: "sethostname" in output.read_text(), "the last line of try.sh")
    assert status_of(container.pid())["Seccomp"] == "2"
    assert output.read_text().splitlines() == [
        "mkdir: mkdir: can't create directory '/tmp/dir': Operation not permitted",
        "symlink: ln: /tmp/link: Function not implemented",
        "kill with signal 10: sh: can't kill pid 1: Permission denied",
        "kill with signal 18: allowed",
        "sethostname: ended by signal 31",
    ]
    assert not (container.bundle / "rootfs/tmp/dir").exists()
    container.call("kill", after=("KILL",))
    container.wait_stopped()
    container.call("delete")


def test_read_only_service(make: Callable[[str], Container]) -> None:
    container = make("read-only-service")
    container.call("run", "--detach")
    pid = container.pid()
    heartbeat = Path(f"/proc/{pid}/root/run/heartbeat")
    wait_until(heartbeat.exists, "the service's heartbeat")
    assert heartbeat.stat().st_uid == 65534
    assert heartbeat.stat().st_mode & 0o777 == 0o600
    mounts = {line.split()[4]: line.split()[5].split(",") for line in mountinfo(pid)}
    assert "ro" in mounts["/"]
    assert {"rw", "nosuid", "nodev", "noexec"} <= set(mounts["/run"])
    assert Path(f"/proc/{pid}/root/var/lib/service/greeting").read_text() == "from the image\n"
    assert not (container.bundle / "rootfs/run/heartbeat").exists()
    status = status_of(pid)
    assert (status["CapEff"], status["CapBnd"], status["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")
    assert container.call("exec", after=("cat", "/run/heartbeat")).strip().isdigit()
    container.call("kill", after=("TERM",))
    container.wait_stopped()
    container.call("delete")


def mountinfo(pid: int) -> list[str]:
    """Return the lines of /proc/PID/mountinfo (proc_pid_mountinfo(5))."""
    return Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
