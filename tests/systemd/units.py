"""What systemd says of a unit, by `systemctl show`, and of the cgroup behind it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from integration import cgroup, proc
from integration.harness import Container


def systemctl(*words: str, prefix: Sequence[str] = ()) -> str:
    """The output of systemctl, which must succeed; `prefix`: words before it (to become a user)."""
    argv = [*prefix, "systemctl", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout


class Unit:
    """One unit of the system's manager, or, with `prefix` and `flags`, of a user's."""

    def __init__(self, name: str, prefix: Sequence[str] = (), flags: Sequence[str] = ()) -> None:
        self.name = name
        self.prefix = prefix
        self.flags = flags

    def show(self) -> dict[str, str]:
        """Every property; one that is given several times (DeviceAllow) has its values in lines."""
        found: dict[str, str] = {}
        for line in systemctl(*self.flags, "show", "--all", "--", self.name, prefix=self.prefix).splitlines():
            name, _, value = line.partition("=")
            found[name] = f"{found[name]}\n{value}" if name in found else value
        return found

    def loaded(self) -> bool:
        """Whether systemd knows the unit at all."""
        return self.show()["LoadState"] != "not-found"

    def await_gone(self) -> None:
        """Wait until systemd has forgotten it."""
        proc.wait_until(lambda: not self.loaded(), f"{self.name} is forgotten", 30)

    def stop(self) -> None:
        systemctl(*self.flags, "stop", "--", self.name, prefix=self.prefix)


def scope(container: Container) -> Unit:
    """The unit of a container with the form of cgroupsPath that `conftest.py` gives it."""
    _, prefix, name = container.linux["cgroupsPath"].split(":")
    return Unit(f"{prefix}-{name}.scope")


def value(container: Container, controller: str, v1: str, v2: str) -> str:
    """A cgroup file by its name of v1 or v2, whichever the controller has."""
    name = v1 if controller in cgroup.v1_controllers() else v2
    return cgroup.read(container.pid, controller, name)


def left(part: str) -> list[str]:
    """Units and cgroups whose name has `part`."""
    units = systemctl("list-units", "--all", "--plain", "--no-legend", f"*{part}*").split("\n")
    return [line.split()[0] for line in units if line.strip()] + cgroup.find_named(part)


def hidden(*paths: str) -> list[str]:
    """A prefix that runs a command where these sockets and directories cannot be found."""
    mounts = []
    for path in paths:
        if os.path.isdir(path):
            mounts.append(f"mount -t tmpfs none {path}")
        elif os.path.exists(path):
            mounts.append(f"mount --bind /dev/null {path}")
    script = " && ".join([*mounts, 'exec "$@"'])
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"]
