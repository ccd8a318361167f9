"""Black-box handles on the runtime under test: its command line, a bundle, a container, and what they leave."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from . import caller, cgroup, proc
from .base_config import Config, base_config

PR_SET_CHILD_SUBREAPER = 36
TIMEOUT = 60.0
"""Seconds after which a call of the runtime counts as hung, or a process as one that does not end."""
RUNTIME_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def set_subreaper(on: bool) -> None:
    """Let orphans below this process become its children, as a shim or conmon does."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


class Capture:
    """A file in memory that takes a process's output; closes itself when the last holder forgets it."""

    def __init__(self, content: bytes = b"") -> None:
        self.fd = -1
        self.fd = os.memfd_create("capture")
        if content:
            os.write(self.fd, content)
            os.lseek(self.fd, 0, os.SEEK_SET)

    def text(self) -> str:
        """Everything written so far."""
        return os.pread(self.fd, 1 << 24, 0).decode(errors="replace")

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


class Result:
    """One finished call. `stdout` and `stderr` are read anew each time: a container may still write to them."""

    def __init__(self, argv: list[str], returncode: int, out: Capture, err: Capture) -> None:
        self.argv = argv
        self.returncode = returncode
        self._out = out
        self._err = err

    @property
    def stdout(self) -> str:
        return self._out.text()

    @property
    def stderr(self) -> str:
        return self._err.text()

    def ok(self) -> Result:
        """Fail the test unless the call exited 0."""
        assert self.returncode == 0, f"exit {self.returncode}: {self}"
        return self

    def failed(self, *words: str) -> Result:
        """Fail the test unless the call failed cleanly and its message has all `words` (any case)."""
        assert self.returncode != 0, f"unexpected success: {self}"
        assert self.returncode > 0, f"died of signal {-self.returncode}: {self}"
        assert "Traceback (most recent call last)" not in self.stderr, str(self)
        assert self.stderr.strip(), f"failed without a message: {self}"
        for word in words:
            assert word.lower() in self.stderr.lower(), f"{word!r} is not in the message: {self}"
        return self

    def json(self) -> Any:
        """The JSON on stdout of a call that exited 0."""
        return json.loads(self.ok().stdout)

    def __str__(self) -> str:
        return f"{' '.join(self.argv)}\n-- stdout: {self.stdout[-2000:]!r}\n-- stderr: {self.stderr[-3000:]}"


class Process:
    """A call that runs in the background."""

    def __init__(self, argv: list[str], popen: subprocess.Popen[bytes], out: Capture, err: Capture) -> None:
        self.argv = argv
        self.popen = popen
        self.pid = popen.pid
        self._out = out
        self._err = err

    def wait(self, timeout: float = TIMEOUT) -> Result:
        """Wait for its end; a call that does not end is killed and fails the test."""
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"no end after {timeout} s: {self.peek()}") from None
        return self.peek()

    def peek(self) -> Result:
        """What it has printed so far; `returncode` is meaningless while it runs."""
        code = self.popen.returncode
        return Result(self.argv, -999 if code is None else code, self._out, self._err)

    def signal(self, number: int) -> None:
        """Send a signal to the runtime itself."""
        self.popen.send_signal(number)


class Runtime:
    """The binary under test with its own --root; every method is one call of it.

    Keyword arguments of all methods: stdin (file or bytes), env (complete; default: PATH only), cwd, user (uid to
    run as), pass_fds, timeout, prefix (words before the binary, such as `unshare -m`).
    """

    def __init__(self, binary: str, root: str) -> None:
        self.binary = binary
        self.root = root
        self.driver_flags = ["--systemd-cgroup"] if cgroup.DRIVER == "systemd" else []
        self.global_flags: list[str] = []
        self.defaults: dict[str, Any] = {}
        self.processes: list[Process] = []

    def argv(self, *words: str, prefix: Sequence[str] = ()) -> list[str]:
        """The complete command line of a call."""
        return [*prefix, self.binary, "--root", self.root, *self.driver_flags, *self.global_flags, *words]

    def spawn(self, *words: str, **options: Any) -> Process:
        """Start a call in the background."""
        options = self.defaults | options
        process = spawn(self.argv(*words, prefix=options.pop("prefix", ())), **options)
        self.processes.append(process)
        return process

    def call(self, *words: str, timeout: float = TIMEOUT, **options: Any) -> Result:
        """Make a call and wait for its end."""
        process = self.spawn(*words, **options)
        result = process.wait(timeout)
        self.processes.remove(process)
        return result

    def state(self, container_id: str) -> dict[str, Any]:
        """The state JSON of a container that must exist."""
        state = self.call("state", container_id).json()
        assert isinstance(state, dict)
        return state

    def ids(self) -> list[str]:
        """`list -q`; an absent root is an empty list."""
        if not os.path.isdir(self.root):
            return []
        return self.call("list", "-q").ok().stdout.split()

    def leftovers(self) -> list[str]:
        """Names under --root that belong to a container (not the runtime's own dot files)."""
        if not os.path.isdir(self.root):
            return []
        return [name for name in os.listdir(self.root) if not name.startswith(".")]


def spawn(
    argv: list[str],
    stdin: bytes | int | None = None,
    env: dict[str, str] | None = None,
    user: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    **options: Any,
) -> Process:
    """Start any command with its output in files, so that a surviving child never blocks the test."""
    out, err = Capture(), Capture()
    source = Capture(stdin) if isinstance(stdin, bytes) else None
    if user is not None and user != os.geteuid():
        options |= {"user": user, "group": user, "extra_groups": []}
    popen = subprocess.Popen(
        argv,
        stdin=source.fd if source else subprocess.DEVNULL if stdin is None else stdin,
        stdout=out.fd if stdout is None else stdout,
        stderr=err.fd if stderr is None else stderr,
        env={"PATH": RUNTIME_PATH} if env is None else env,
        **options,
    )
    return Process(argv, popen, out, err)


class Bundle:
    """A directory with a busybox rootfs of its own; `config` becomes config.json at `write()`."""

    def __init__(self, path: str, template: str) -> None:
        self.path = path
        self.rootfs = os.path.join(path, "rootfs")
        self.config: Config = base_config()
        os.mkdir(path, 0o755)
        shutil.copytree(template, self.rootfs, symlinks=True)

    def write(self) -> Bundle:
        """Write config.json."""
        with open(os.path.join(self.path, "config.json"), "w") as file:
            json.dump(self.config, file)
        return self

    def file(self, name: str, content: str = "", mode: int = 0o644) -> str:
        """Make a file in the rootfs; returns its path on the host."""
        path = os.path.join(self.rootfs, name.lstrip("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(content)
        os.chmod(path, mode)
        return path

    def directory(self, name: str, mode: int = 0o755) -> str:
        """Make a directory in the rootfs; returns its path on the host."""
        path = os.path.join(self.rootfs, name.lstrip("/"))
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        return path

    def symlink(self, name: str, target: str) -> str:
        """Make a symlink in the rootfs; returns its path on the host."""
        path = os.path.join(self.rootfs, name.lstrip("/"))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)
        return path


class Container:
    """One id with its bundle. `config` may be edited until `create` or `run` writes it."""

    def __init__(self, runtime: Runtime, bundle: Bundle, container_id: str) -> None:
        self.runtime = runtime
        self.bundle = bundle
        self.id = container_id
        self.pid_file = os.path.join(os.path.dirname(bundle.path), container_id + ".pid")
        self.created: Result | None = None
        self.config.setdefault("linux", {}).setdefault("cgroupsPath", cgroup.path_for(container_id))

    @property
    def config(self) -> Config:
        return self.bundle.config

    @property
    def process(self) -> Config:
        """config.process"""
        process = self.config["process"]
        assert isinstance(process, dict)
        return process

    @property
    def linux(self) -> Config:
        """config.linux"""
        linux = self.config["linux"]
        assert isinstance(linux, dict)
        return linux

    @property
    def pid(self) -> int:
        """The init process, from the pid file."""
        with open(self.pid_file) as file:
            return int(file.read())

    @property
    def status(self) -> str:
        """`status` of the state JSON."""
        return str(self.runtime.state(self.id)["status"])

    @property
    def root(self) -> str:
        """The container's / as a host path, through /proc; needs a live init."""
        return f"/proc/{self.pid}/root"

    def args(self, *argv: str) -> Container:
        """Set process.args."""
        self.process["args"] = list(argv)
        return self

    def shell(self, script: str) -> Container:
        """Make the payload a shell script."""
        return self.args("sh", "-c", script)

    def mount(self, destination: str, source: str, kind: str = "bind", *options: str) -> Container:
        """Append a mount; a bind gets the option `bind` when it has neither `bind` nor `rbind`."""
        words = list(options)
        if kind == "bind" and not {"bind", "rbind"} & set(words):
            words.insert(0, "bind")
        self.config["mounts"].append(
            {"destination": destination, "type": kind, "source": source, "options": words}
        )
        return self

    def without_namespace(self, *kinds: str) -> Container:
        """Share these namespaces with the runtime."""
        kept = [item for item in self.linux["namespaces"] if item["type"] not in kinds]
        self.linux["namespaces"] = kept
        if "uts" in kinds:
            self.config.pop("hostname", None)
        if caller.ROOTLESS:
            caller.share_mounts(self.config, kinds)
        return self

    def namespace(self, kind: str, path: str | None = None) -> Container:
        """Ask for a namespace, new or by path, in place of an earlier entry of that type."""
        kept = [item for item in self.linux["namespaces"] if item["type"] != kind]
        kept.append({"type": kind} if path is None else {"type": kind, "path": path})
        self.linux["namespaces"] = kept
        if kind == "user" and path is not None:
            for mappings in ("uidMappings", "gidMappings"):
                self.linux.pop(mappings, None)
        return self

    def without_mount(self, *destinations: str) -> Container:
        """Drop mounts of the base configuration."""
        kept = [item for item in self.config["mounts"] if item["destination"] not in destinations]
        self.config["mounts"] = kept
        return self

    def resources(self, **values: Any) -> Container:
        """Merge into linux.resources."""
        self.linux.setdefault("resources", {}).update(values)
        return self

    def try_create(self, *flags: str, **options: Any) -> Result:
        """`create`, whatever comes of it."""
        self.bundle.write()
        words = ("create", "--bundle", self.bundle.path, "--pid-file", self.pid_file, *flags, self.id)
        return self.runtime.call(*words, **options)

    def create(self, *flags: str, **options: Any) -> Container:
        """`create`, which must succeed."""
        self.created = self.try_create(*flags, **options).ok()
        return self

    def start(self, **options: Any) -> Container:
        """`start`, which must succeed."""
        self.runtime.call("start", self.id, **options).ok()
        return self

    def up(self, *flags: str, **options: Any) -> Container:
        """`create` and `start`."""
        return self.create(*flags, **options).start()

    def sleeping(self, *flags: str, **options: Any) -> Container:
        """A running container whose init is `sleep`."""
        self.args("sleep", "1000").up(*flags, **options)
        self.await_exec()
        return self

    def await_exec(self) -> None:
        """Wait until init has become the payload: `start` may return a moment before the exec."""
        argv = list(self.process["args"])
        proc.wait_until(lambda: proc.cmdline(self.pid) == argv, f"init becomes {argv}")

    def run(self, *flags: str, **options: Any) -> Result:
        """`run` in the foreground, whatever its exit code."""
        self.bundle.write()
        return self.runtime.call("run", "--bundle", self.bundle.path, *flags, self.id, **options)

    def run_in_background(self, *flags: str, **options: Any) -> Process:
        """`run` in the foreground of a process of its own; returns once the pid file is there."""
        self.bundle.write()
        words = ("run", "--bundle", self.bundle.path, "--pid-file", self.pid_file, *flags, self.id)
        process = self.runtime.spawn(*words, **options)
        proc.wait_until(
            lambda: os.path.exists(self.pid_file) or process.popen.poll() is not None,
            "run writes its pid file",
        )
        return process

    def sh(self, script: str, *flags: str, **options: Any) -> str:
        """`run` a shell script that must exit 0; returns its stdout without the final newline."""
        return self.shell(script).run(*flags, **options).ok().stdout.rstrip("\n")

    def exec(self, *argv: str, flags: Sequence[str] = (), **options: Any) -> Result:
        """`exec`, whatever its exit code."""
        return self.runtime.call("exec", *flags, self.id, *argv, **options)

    def exec_sh(self, script: str, flags: Sequence[str] = (), **options: Any) -> str:
        """`exec` a shell script that must exit 0; returns its stdout without the final newline."""
        return self.exec("sh", "-c", script, flags=flags, **options).ok().stdout.rstrip("\n")

    def kill(self, sig: str = "KILL") -> Container:
        """`kill`, which must succeed."""
        self.runtime.call("kill", self.id, sig).ok()
        return self

    def delete(self, *flags: str) -> Container:
        """`delete`, which must succeed."""
        self.runtime.call("delete", *flags, self.id).ok()
        return self

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Reap init, which has become our child; returns its exit code, or 128 + signal."""
        return reap(self.pid, timeout)

    def output(self) -> str:
        """What a created container has written to its stdout and stderr (that of `create`)."""
        assert self.created is not None
        return self.created.stdout + self.created.stderr

    def kill_and_wait(self) -> Container:
        """SIGKILL init and reap it."""
        self.kill("KILL")
        self.wait()
        return self

    def await_status(self, wanted: str, timeout: float = TIMEOUT) -> Container:
        """Poll `state` until it says `wanted`."""
        proc.wait_until(lambda: self.status == wanted, f"status {wanted}", timeout)
        return self

    def exists(self) -> bool:
        """Whether the runtime knows the container."""
        return self.runtime.call("state", self.id).returncode == 0


def reap(pid: int, timeout: float = TIMEOUT) -> int:
    """Wait for a process that is or becomes our child; returns its exit code, or 128 + signal."""
    deadline = time.monotonic() + timeout
    while True:
        with contextlib.suppress(ChildProcessError):
            done, code = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.WEXITSTATUS(code) if os.WIFEXITED(code) else 128 + os.WTERMSIG(code)
        assert time.monotonic() < deadline, f"process {pid} did not end within {timeout} s"
        time.sleep(0.002)


class Tracker:
    """What one test has made, and the check that nothing of it stays."""

    def __init__(self, directory: str, id_prefix: str) -> None:
        self.directory = directory
        self.id_prefix = id_prefix
        self.containers: list[Container] = []
        self.runtimes: list[Runtime] = []
        self._count = 0
        self._strangers = set(live_children())

    def new_id(self) -> str:
        """An id that occurs nowhere else on the machine."""
        self._count += 1
        return f"{self.id_prefix}-{self._count}"

    def mount_points(self) -> list[str]:
        """Of the whole machine, but not those of tests that run beside this one."""
        points = [mount.mount_point for mount in proc.mountinfo()]
        return [point for point in points if self.directory in point or "/planc-it-" not in point]

    def delete_all(self) -> list[str]:
        """Force-delete what the test left on purpose; returns complaints."""
        complaints = []
        for runtime in self.runtimes:
            for container_id in runtime.leftovers():
                result = self._wait_as_shim(runtime.spawn("delete", "--force", container_id))
                if result.returncode != 0:
                    complaints.append(f"delete --force failed: {result}")
        return complaints

    def _wait_as_shim(self, process: Process) -> Result:
        """Wait for a call while reaping our other children: a zombie can keep a pid namespace from ending."""
        deadline = time.monotonic() + TIMEOUT
        while process.popen.poll() is None and time.monotonic() < deadline:
            live_children({*self._strangers, process.pid})
            time.sleep(0.005)
        return process.wait(0.1)

    def leaks(self) -> Iterator[str]:
        """Everything that should not be there any more, one line each."""
        for runtime in self.runtimes:
            for name in runtime.leftovers():
                yield f"state of {name} in {runtime.root}"
        for mount in proc.mountinfo():
            if (
                self.directory in (mount.mount_point, mount.source)
                or self.directory + "/" in mount.mount_point
            ):
                yield f"mount on {mount.mount_point}"
        for path in cgroup.find_named(self.id_prefix + "-"):
            yield f"cgroup {path}"
        for pid in live_children(self._strangers):
            with contextlib.suppress(OSError):
                yield f"process {pid} {proc.cmdline(pid)}"

    def settle(self, timeout: float = 20.0) -> list[str]:
        """The leaks that are still there after `timeout` seconds (killed processes take a moment to go)."""
        deadline = time.monotonic() + timeout
        while True:
            found = list(self.leaks())
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.01)

    def clean_up(self) -> None:
        """Remove by force what a failed test left, so that the next one starts clean."""
        for pid in live_children(self._strangers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        proc_mounts = [m.mount_point for m in proc.mountinfo() if self.directory + "/" in m.mount_point]
        for point in reversed(proc_mounts):
            subprocess.run(["umount", "-l", point], check=False, stderr=subprocess.DEVNULL)
        for path in cgroup.find_named(self.id_prefix + "-"):
            with contextlib.suppress(OSError), open(f"{path}/freezer.state", "w") as file:
                file.write("THAWED")
        cgroup.remove_tree(self.id_prefix + "-")
        for runtime in self.runtimes:
            for process in runtime.processes:
                process.popen.kill()
                process.popen.wait()
            shutil.rmtree(runtime.root, ignore_errors=True)


def live_children(besides: Iterable[int] = ()) -> list[int]:
    """Children of this process that still run, except some; the dead ones are reaped on the way."""
    alive = []
    for pid in proc.children(os.getpid()):
        if pid in besides:
            continue
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                alive.append(pid)
    return alive
