"""The runtimes that are measured, and the few commands the bench itself needs of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Runtime:
    """A runtime: its name in the tables, its binary, its version line, and its state directory."""

    name: str
    binary: str
    version: str
    state: Path

    @property
    def container(self) -> str:
        """The id of its container: an own one, as the cgroup is named by it too."""
        return f"bench-{self.name}"

    def command(self, *words: str) -> list[str]:
        """Return the argument list that gives `words` to this runtime, with its own --root."""
        return [self.binary, "--root", str(self.state), *words]

    def call(self, *words: str) -> None:
        """Run a command that must succeed. Raises RuntimeError with the runtime's own words."""
        # The container inherits these descriptors: a pipe would be held open until it ends.
        with (self.state.parent / f"{self.name}.log").open("w+") as log:
            result = subprocess.run(
                self.command(*words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
            )
            log.seek(0)
            if result.returncode != 0:
                raise RuntimeError(f"{self.name} {' '.join(words)}: {log.read().strip()}")

    def remove(self, container: str) -> None:
        """Delete the container if it is there."""
        subprocess.run(self.command("delete", "--force", container), capture_output=True, check=False)


def find(planc: str, others: list[str], build_dir: Path) -> list[Runtime]:
    """Return planc, the runc and crun on PATH, and `others` (NAME=PATH; a known name replaces that one).

    Raises FileNotFoundError if planc or one of `others` is not there; a missing runc or crun is left out.
    """
    chosen = {"planc": planc}
    chosen |= {name: path for name in ("runc", "crun") if (path := shutil.which(name))}
    chosen |= {name: path for name, _, path in (other.partition("=") for other in others)}
    for name, path in chosen.items():
        if not os.access(path, os.X_OK):
            raise FileNotFoundError(f"{name}: no executable at {path!r}")
    return [_describe(name, path, build_dir / "state" / name) for name, path in chosen.items()]


def _describe(name: str, path: str, state: Path) -> Runtime:
    result = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    lines = result.stdout.splitlines() or ["unknown version"]
    state.mkdir(parents=True, exist_ok=True)
    return Runtime(name, os.path.abspath(path), lines[0], state)
