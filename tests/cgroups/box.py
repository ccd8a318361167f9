"""A container's cgroups without the container: made by planc's code, looked at from outside."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from runtime.execute import cgroupfs
from runtime.linux.cgroup import read_layout
from runtime.linux.host import Host, read_host
from runtime.plan.cgroup import container_cgroups, plan_cgroup
from runtime.plan.ops import Op
from runtime.spec.model import LinuxResources

LAYOUT = read_layout()
V2 = not LAYOUT.v1
HYBRID = bool(LAYOUT.v1 and LAYOUT.unified)
V1_NAMES = {name for names, _, _ in LAYOUT.v1 for name in names}


def has(controller: str) -> bool:
    """Whether this machine has the controller, in v1 or v2 (by its v1 name)."""
    return controller in V1_NAMES or {"blkio": "io"}.get(controller, controller) in LAYOUT.controllers


class Box:
    """The cgroups that a container with cgroupsPath `path` would have."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.host: Host = read_host()
        self.cgroups = container_cgroups(path, "unused", self.host)
        self.children: list[subprocess.Popen[Any]] = []

    def create(self, **resources: Any) -> Box:
        """As `create` does it: directories, then limits."""
        cgroupfs.create(self.cgroups)
        self.apply(**resources)
        return self

    def ops(self, **resources: Any) -> list[Op]:
        planned = plan_cgroup(LinuxResources(**resources), self.path, "unused", self.host, False)
        wanted = ("cgroup_set", "cgroup_devices") if "devices" in resources else ("cgroup_set",)
        return [op for op in planned if op.code in wanted]

    def apply(self, **resources: Any) -> None:
        cgroupfs.apply(self.cgroups, self.ops(**resources))

    def directory(self, controller: str) -> str:
        """Of a v1 controller, or the unified one."""
        for names, path in self.cgroups:
            if controller in names:
                return path
        return self.cgroups[-1][1]

    def read(self, controller: str, v1: str, v2: str = "") -> str:
        """A file of the controller, by its name in v1 and in v2, without the last newline."""
        name = v1 if controller in V1_NAMES or not v2 else v2
        with open(f"{self.directory(controller)}/{name}") as file:
            return file.read().rstrip("\n")

    def enter(self) -> None:
        """Move the calling process in, in a child before exec."""
        for names, path in self.cgroups:
            with open(f"{path}/{'tasks' if names else 'cgroup.procs'}", "w") as file:
                file.write("0")

    def start(self, *argv: str, **options: Any) -> subprocess.Popen[Any]:
        """A process born inside."""
        child = subprocess.Popen(argv or ("sleep", "1000"), preexec_fn=self.enter, **options)
        self.children.append(child)
        return child

    def python(self, code: str, **options: Any) -> subprocess.Popen[Any]:
        """A Python program inside, whose output can be read."""
        return self.start(
            "/usr/bin/python3", "-I", "-S", "-c", code, stdout=subprocess.PIPE, text=True, **options
        )

    def outsider(self) -> subprocess.Popen[Any]:
        """A process that is not inside."""
        child = subprocess.Popen(["sleep", "1000"])
        self.children.append(child)
        return child

    def listed(self) -> set[int]:
        """All processes inside and below, in any hierarchy, as the kernel lists them."""
        found: set[int] = set()
        for _, path in self.cgroups:
            for parent, _, _ in os.walk(path):
                found.update(int(line) for line in _lines(f"{parent}/cgroup.procs"))
        return found

    def thaw(self) -> None:
        """Whatever the test has frozen."""
        for _, path in self.cgroups:
            for name in ("freezer.state", "cgroup.freeze"):
                if os.path.exists(f"{path}/{name}"):
                    with open(f"{path}/{name}", "w") as file:
                        file.write("THAWED" if name == "freezer.state" else "0")

    def clean(self) -> None:
        """End everything and remove the directories, without planc's code."""
        for child in self.children:
            child.kill()
            child.wait()
            if child.stdout:
                child.stdout.close()
        left = [path for _, path in self.cgroups if os.path.exists(path)]
        until(lambda: not self._kill_all())
        for path in left:
            for parent, _, _ in os.walk(path, topdown=False):
                until(lambda parent=parent: _removed(parent))  # type: ignore[misc]

    def _kill_all(self) -> bool:
        """Kill what is listed, which may be gone by then; False when nothing was."""
        pids = self.listed()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pids)


def _removed(path: str) -> bool:
    """Processes that have ended may leave their cgroup a moment later."""
    try:
        os.rmdir(path)
    except OSError as err:
        if err.errno != errno.EBUSY:
            raise
        return False
    return True


def _lines(path: str) -> list[str]:
    try:
        return open_text(path).splitlines()
    except OSError as err:
        # a threaded cgroup: its processes are those of the one above
        assert err.errno == errno.EOPNOTSUPP
        return []


def until(done: Callable[[], object], timeout: float = 60.0) -> None:
    """Wait until it is true; the test fails when it does not become so."""
    end = time.monotonic() + timeout
    while not done():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


def open_text(path: str) -> str:
    """The whole file."""
    with open(path) as file:
        return file.read()


def cpu_time(pid: int) -> int:
    """Clock ticks that a process has used."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def alive(pid: int) -> bool:
    """There and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def membership(pid: int) -> dict[str, str]:
    """Controllers as /proc/PID/cgroup lists them → path."""
    with open(f"/proc/{pid}/cgroup") as file:
        return {line.split(":")[1]: line.rstrip("\n").split(":", 2)[2] for line in file}
