"""Fetch the OCI runtime-tools validation suite and build its programs.

The suite comes through the ordinary Go client, at one version whose hash is written down here, and is
built under the directory the caller names. Nothing of it is kept in the repository.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

MODULE = "github.com/opencontainers/runtime-tools"
VERSION = "v0.9.1-0.20251205004911-5e639034dcdc"
MODULE_HASH = "h1:82NlZLiQEB6Wp+nmASMlkHsEXz3Q0pXJbK7QO6ck5lo="

#: What a test program expects in its working directory besides itself.
RUNTIMETEST = "runtimetest"
GO_FALLBACK = "/usr/local/go/bin/go"


class SuiteError(Exception):
    """The suite could not be fetched or built; the message says what to do."""


def find_go() -> str:
    """Return the path of the Go client: $GO, the one on PATH, or the usual place of a manual install."""
    for candidate in (os.environ.get("GO"), shutil.which("go"), GO_FALLBACK):
        if candidate and os.access(candidate, os.X_OK):
            return candidate
    raise SuiteError("no Go toolchain found: install Go 1.21 or newer, or set GO=/path/to/go")


def fetch(go: str) -> Path:
    """Download the pinned module into Go's module cache and return its directory."""
    result = subprocess.run(
        [go, "mod", "download", "-json", f"{MODULE}@{VERSION}"],
        cwd="/",
        env=_go_env(),
        capture_output=True,
        text=True,
        check=False,
    )
    if not result.stdout.strip():
        raise SuiteError(f"go mod download {MODULE}@{VERSION}: {result.stderr.strip()}")
    answer = json.loads(result.stdout)
    if result.returncode != 0 or "Error" in answer:
        raise SuiteError(f"go mod download {MODULE}@{VERSION}: {answer.get('Error', result.stderr)}")
    if answer["Sum"] != MODULE_HASH:
        raise SuiteError(f"{MODULE}@{VERSION} has hash {answer['Sum']}, expected {MODULE_HASH}")
    return Path(answer["Dir"])


def build(build_dir: Path) -> Path:
    """Fetch and build the suite below build_dir, unless it is there already; return the suite's directory.

    The directory holds one program per test, `runtimetest` and the root file system archive: what a
    test program wants as its working directory.
    """
    suite = build_dir / f"suite-{VERSION}"
    if (suite / ".complete").exists():
        return suite
    go = find_go()
    source = fetch(go)
    shutil.rmtree(suite, ignore_errors=True)
    suite.mkdir(parents=True)
    packages = ["./cmd/runtimetest"] + [f"./validation/{name}" for name in _test_names(source)]
    command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", f"{suite}/", *packages]
    result = subprocess.run(command, cwd=source, env=_go_env(), capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SuiteError(f"go build failed:\n{result.stderr.strip()}")
    for archive in source.glob("rootfs-*.tar.gz"):
        shutil.copy(archive, suite)
    (suite / ".complete").touch()
    return suite


def tests(suite: Path) -> list[str]:
    """Return the names of the built test programs, sorted."""
    return sorted(
        entry.name
        for entry in suite.iterdir()
        if entry.name != RUNTIMETEST and entry.is_file() and os.access(entry, os.X_OK)
    )


def _test_names(source: Path) -> list[str]:
    return sorted(
        entry.name for entry in (source / "validation").iterdir() if (entry / f"{entry.name}.go").exists()
    )


def _go_env() -> dict[str, str]:
    """A static build (runtimetest runs inside containers), with the user's own Go settings otherwise."""
    return {"HOME": "/root", **os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
