"""The runtimes under test: where they are and how each must be called on this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

#: Environment variable by which a test program's calls find the state directory of that one test.
STATE_VARIABLE = "CONFORMANCE_STATE"
_HYBRID_MOUNT = "/sys/fs/cgroup/unified"
_SUITE_SPEC_VERSION = "1.3.0"
# An older crun refuses every bundle of the suite for its ociVersion alone, and would then pass only what
# a missing container passes. So that it stays a peer, it gets the bundle with a version it takes.
_REWRITE_VERSION = """\
case "$*" in create*)
    bundle=.; last=
    for word; do [ "$last" = --bundle ] && bundle=$word; last=$word; done
    sed -i 's/"ociVersion": *"1\\.[0-9.]*"/"ociVersion": "1.0.2"/' "$bundle/config.json" 2>/dev/null
esac
"""


@dataclass(frozen=True)
class Runtime:
    """A runtime: its name in the table, its binary, and how it must be called.

    `prefix` are the words put before any command that uses it; with `old_spec` it gets its bundles with
    ociVersion 1.0.2.
    """

    name: str
    binary: str
    version: str
    prefix: tuple[str, ...]
    old_spec: bool

    def wrapper(self, directory: Path) -> Path:
        """Write the command that tests call as RUNTIME, with a state directory of each test's own."""
        path = directory / self.name
        adapt = _REWRITE_VERSION if self.old_spec else ""
        binary = shlex.quote(self.binary)
        path.write_text(f'#!/bin/sh\n{adapt}exec {binary} --root "${STATE_VARIABLE}" "$@"\n')
        path.chmod(0o755)
        return path

    def remarks(self) -> str:
        """Return what to say beside its version: how this machine makes us treat it."""
        words = []
        if self.prefix:
            words.append("run in a mount namespace without the cgroup2 mount, as it refuses hybrid cgroups")
        if self.old_spec:
            words.append("given ociVersion 1.0.2, as it refuses the suite's " + _SUITE_SPEC_VERSION)
        return "; ".join(words)


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
    prefix = _prefix(lines[0])
    return Runtime(name, os.path.abspath(path), lines[0], prefix, _refuses_version(path, lines[0], prefix))


def _prefix(version: str) -> tuple[str, ...]:
    """crun refuses a hybrid cgroup layout; without the cgroup2 mount it takes the machine for a v1 one."""
    if version.startswith("crun") and os.path.ismount(_HYBRID_MOUNT):
        return ("unshare", "--mount", "sh", "-c", f'umount {_HYBRID_MOUNT} && exec "$@"', "sh")
    return ()


def _refuses_version(path: str, version: str, prefix: tuple[str, ...]) -> bool:
    """Ask a crun to create from a bundle that holds nothing but the suite's version of the specification."""
    if not version.startswith("crun"):
        return False
    with tempfile.TemporaryDirectory() as bundle:
        Path(bundle, "config.json").write_text(
            f'{{"ociVersion": "{_SUITE_SPEC_VERSION}", "root": {{"path": "missing"}}}}'
        )
        command = [*prefix, path, "--root", f"{bundle}/state", "create", "--bundle", bundle, "probe"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    return "unknown version" in result.stderr
