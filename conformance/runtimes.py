"""The runtimes under test: where they are and how each must be called on this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: Environment variable by which a test program's calls find the state directory of that one test.
STATE_VARIABLE = "CONFORMANCE_STATE"
_HYBRID_MOUNT = "/sys/fs/cgroup/unified"


@dataclass(frozen=True)
class Runtime:
    """A runtime: its name in the table, its binary, and the words put before any command that uses it."""

    name: str
    binary: str
    version: str
    prefix: tuple[str, ...]

    def wrapper(self, directory: Path) -> Path:
        """Write the command that tests call as RUNTIME, with a state directory of each test's own."""
        path = directory / self.name
        path.write_text(f'#!/bin/sh\nexec {shlex.quote(self.binary)} --root "${STATE_VARIABLE}" "$@"\n')
        path.chmod(0o755)
        return path


def find(planc: str, others: list[str]) -> list[Runtime]:
    """Return planc (first), the runc and crun on PATH, and `others`, given as NAME=PATH.

    Raises FileNotFoundError if planc or one of `others` is not there; a missing runc or crun is left out.
    """
    chosen = [("planc", planc)]
    chosen += [(name, path) for name in ("runc", "crun") if (path := shutil.which(name))]
    chosen += [(name, path) for name, _, path in (other.partition("=") for other in others)]
    for name, path in chosen:
        if not os.access(path, os.X_OK):
            raise FileNotFoundError(f"{name}: no executable at {path!r}")
    return [_describe(name, path) for name, path in chosen]


def _describe(name: str, path: str) -> Runtime:
    result = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    lines = result.stdout.splitlines() or ["unknown version"]
    return Runtime(name, os.path.abspath(path), lines[0], _prefix(lines[0]))


def _prefix(version: str) -> tuple[str, ...]:
    """crun refuses a hybrid cgroup layout; without the cgroup2 mount it takes the machine for a v1 one."""
    if version.startswith("crun") and os.path.ismount(_HYBRID_MOUNT):
        return ("unshare", "--mount", "sh", "-c", f'umount {_HYBRID_MOUNT} && exec "$@"', "sh")
    return ()
