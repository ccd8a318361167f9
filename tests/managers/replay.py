"""Single calls of the runtime as managers make them, without the manager."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import as_manager
from .daemons import assert_nothing_left
from .machine import Machine, Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SHIM_ENV = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LD_LIBRARY_PATH": "/opt/containerd/lib:",
}
SHIM_ENV |= {"TTRPC_ADDRESS": "/run/containerd/containerd.sock.ttrpc", "GOMAXPROCS": "4"}
CONMON_ENV = {"_OCI_SYNCPIPE": "3", "_OCI_STARTPIPE": "4", "PATH": SHIM_ENV["PATH"], "HOME": "/root"}
CONMON_ENV |= {"XDG_RUNTIME_DIR": "", "_CONTAINERS_USERNS_CONFIGURED": "", "_CONTAINERS_ROOTLESS_UID": ""}
PODMAN_ENV = {"XDG_RUNTIME_DIR": ""}
DOCKER_CAPABILITIES = """CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP
    NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE"""
DENY_ALL_DEVICES = [{"allow": False, "access": "rwm"}]


def docker_config(rootfs: Path, cgroup: str, args: Sequence[str]) -> dict[str, Any]:
    """A config.json of Docker's shape: no HOME, no terminal, all devices denied, zeros for "no limit"."""
    nosuid = ["nosuid", "noexec", "nodev"]
    capabilities = [f"CAP_{name}" for name in DOCKER_CAPABILITIES.split()]
    return {
        "ociVersion": "1.0.2-dev",
        "process": {
            "user": {"uid": 0, "gid": 0, "additionalGids": [0, 10]},
            "args": list(args),
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=replay"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "oomScoreAdj": 0,
        },
        "root": {"path": str(rootfs)},
        "hostname": "replay",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc", "options": nosuid},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "mode=755", "size=65536k"],
            },
            {
                "destination": "/dev/pts",
                "type": "devpts",
                "source": "devpts",
                "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
            },
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*nosuid, "ro"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": [*nosuid, "mode=1777"]},
        ],
        "linux": {
            "resources": {
                "devices": DENY_ALL_DEVICES,
                "memory": {"disableOOMKiller": False},
                "cpu": {"shares": 0},
                "blockIO": {"weight": 0},
            },
            "cgroupsPath": cgroup,
            "namespaces": [{"type": kind} for kind in ("mount", "network", "uts", "pid", "ipc")],
            "maskedPaths": ["/proc/acpi", "/proc/keys", "/proc/timer_list"],
            "readonlyPaths": ["/proc/bus", "/proc/sys"],
        },
    }


class Replay:
    """A state root and bundles below one directory of the machine."""

    def __init__(self, machine: Machine, directory: Path) -> None:
        self.machine = machine
        self.directory = directory
        self.root = directory / "root"
        self.ids: set[str] = set()

    def config(self, name: str, *args: str) -> dict[str, Any]:
        """Docker's config for a container NAME whose cgroup is /replay/NAME; the default command sleeps."""
        return docker_config(self.machine.dir / "rootfs", f"/replay/{name}", args or ("sleep", "1000"))

    def bundle(self, name: str, config: Mapping[str, Any] | None = None) -> Path:
        """Write (or overwrite) the bundle of a container and return it."""
        path = self.directory / name
        path.mkdir(exist_ok=True)
        (path / "config.json").write_text(json.dumps(config or self.config(name)))
        self.ids.add(name)
        return path

    def flags(self, name: str) -> list[str]:
        """The global flags of containerd's shim."""
        return ["--root", str(self.root), "--log", str(self.log(name)), "--log-format", "json"]

    def log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def call(
        self,
        *argv: str,
        code: int | None = 0,
        env: Mapping[str, str] = SHIM_ENV,
        fds: Mapping[int, Path] | None = None,
        ignore: Sequence[int] = (),
        block: Sequence[int] = (),
        stdin: int = subprocess.DEVNULL,
        cwd: Path | None = None,
        inherited: bool = False,
        null_output: bool = False,
        merged: bool = False,
    ) -> Result:
        """Run the runtime with exactly these words, variables, signals, descriptors; read its output to EOF.

        `inherited`: a container will keep stdout and stderr, so they are files.  `merged`: both are one pipe.
        """
        words = [self.machine.runtime, *argv]
        numbers = {str(number): str(path) for number, path in (fds or {}).items()}
        how = {"argv": words, "env": dict(env), "fds": numbers, "ignore": list(ignore), "block": list(block)}
        launcher = [sys.executable, "-I", as_manager.__file__, json.dumps(how | {"null_output": null_output})]
        files = [self.directory / "stdout", self.directory / "stderr"]
        out, err = (open(path, "wb") for path in files)
        with out, err:
            process = self.machine.popen(
                launcher,
                cwd=cwd or self.directory,
                stdin=stdin,
                stdout=out.fileno() if inherited else subprocess.PIPE,
                stderr=err.fileno() if inherited else subprocess.STDOUT if merged else subprocess.PIPE,
            )
            try:
                data = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise AssertionError(
                    f"{words}: something still holds stdout or stderr, or it hangs"
                ) from None
        texts = [path.read_bytes() for path in files] if inherited else [part or b"" for part in data]
        shown = [text.decode(errors="replace").rstrip() for text in texts]
        return Result(tuple(words), process.returncode, *shown).expect(code)

    def create(self, name: str, config: Mapping[str, Any] | None = None, **how: Any) -> str:
        """`create` as the shim calls it; the pid of the container's process."""
        bundle = self.bundle(name, config)
        words = ["create", "--bundle", str(bundle), "--pid-file", str(bundle / "init.pid"), name]
        how.setdefault("inherited", True)
        self.call(*self.flags(name), *words, cwd=bundle, **how)
        return (bundle / "init.pid").read_text()

    def verb(self, verb: str, name: str, *rest: str, **how: Any) -> Result:
        """Another command of the shim: `verb("kill", "c1", "9")`."""
        return self.call(*self.flags(name), verb, name, *rest, **how)

    def run(self, name: str, config: Mapping[str, Any] | None = None, **how: Any) -> str:
        """create and start; the pid."""
        pid = self.create(name, config, **how)
        self.verb("start", name)
        return pid

    def state(self, name: str) -> dict[str, Any]:
        """The answer of `state`, an object."""
        answer: dict[str, Any] = json.loads(self.verb("state", name).out)
        return answer

    def fifo(self, name: str) -> tuple[Path, int]:
        """A FIFO and a descriptor to ask whether anyone still holds it open, see held()."""
        path = self.directory / name
        os.mkfifo(path)
        return path, os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def clean(self) -> None:
        for name in self.ids:
            self.call("--root", str(self.root), "delete", "--force", name)
        assert_nothing_left(self.machine, str(self.directory), "replay/", [str(self.root)])


def held(fifo: int) -> bool:
    """Whether a process has the FIFO open for writing: only then a reader doesn't see its end."""
    try:
        return os.read(fifo, 1) != b""
    except BlockingIOError:
        return True


class ConsoleSocket:
    """The socket that --console-socket names; receives the master side of the terminal."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen(1)
        self._server.settimeout(60)
        self.master = -1

    def receive(self) -> int:
        connection, _ = self._server.accept()
        with connection:
            connection.settimeout(60)
            _, [self.master], _, _ = socket.recv_fds(connection, 4096, 1)
        return self.master

    def close(self) -> None:
        self._server.close()
        if self.master >= 0:
            os.close(self.master)
