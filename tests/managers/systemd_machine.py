"""A private machine whose containers are scopes of the host's systemd.

systemd moves processes into cgroups by pid, so this machine shares the host's processes and cgroups, and its
network; files are its own, but for systemd's and D-Bus's sockets.  Its daemons run in NAME.scope.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .machine import Machine

CGROUPS = Path("/sys/fs/cgroup")
CONTAINER_UNITS = ("docker-*", "libpod-*", "ctr-*", "machine-libpod*", "kubepods*", "cri-containerd-*")
RUNNING = "/run/systemd/system"
"""Exists where systemd is PID 1, sd_booted(3)."""


def lacking() -> str:
    """What this host lacks for a SystemdMachine, or an empty string."""
    if not os.path.exists(RUNNING):
        return "systemd as PID 1"
    if not (CGROUPS / "cgroup.controllers").exists():
        return "a host with cgroup v2 alone"
    return ""


class SystemdMachine(Machine):
    """Everything in the names of Machine; cgroups are named relative to /sys/fs/cgroup."""

    stage = "outer-systemd"
    namespaces = "--mount --ipc --uts"

    def own_cgroups(self) -> list[Path]:
        return [CGROUPS / "system.slice" / f"{self.name}.scope"]

    def processes(self) -> dict[int, str]:
        """Of the machine's own scope: daemons and commands, shims, but no containers."""
        directories = [directory for directory, _, _ in os.walk(self.own_cgroups()[0])]
        pids = {line for top in directories for line in Path(top, "cgroup.procs").read_text().split()}
        return {
            pid: command for pid, command in super().processes().items() if str(pid) in pids - self._first
        }

    def mounts(self) -> set[str]:
        lines = Path(f"/proc/{self.pid}/mountinfo").read_text().splitlines()
        return {line.split()[4] for line in lines}

    def cgroups(self) -> set[str]:
        return {os.path.relpath(directory, CGROUPS) for directory, _, _ in os.walk(CGROUPS)}

    def start(self) -> None:
        super().start()
        self._first = set((self.own_cgroups()[0] / "cgroup.procs").read_text().split())


class Unit:
    """A unit of systemd's, from outside."""

    def __init__(self, name: str, *, manager: tuple[str, ...] = ()) -> None:
        self.name = name
        self.manager = manager

    def show(self) -> dict[str, str]:
        """All its properties as `systemctl show` has them; what stands on several lines there does so here."""
        words = ["systemctl", *self.manager, "show", "--all", self.name]
        found: dict[str, str] = {}
        for line in subprocess.check_output(words, text=True).splitlines():
            name, _, value = line.partition("=")
            found[name] = f"{found[name]}\n{value}" if name in found else value
        return found

    def get(self, name: str) -> str:
        return self.show()[name]

    @property
    def cgroup(self) -> Path:
        return Path(f"{CGROUPS}{self.get('ControlGroup')}")

    def read(self, file: str) -> str:
        """A file of its cgroup."""
        return (self.cgroup / file).read_text().strip()


def units(*patterns: str) -> set[str]:
    """The names of the units that systemd keeps, failed ones too, that match one of the patterns."""
    words = ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", *patterns]
    return {line.split()[0] for line in subprocess.check_output(words, text=True).splitlines()}
