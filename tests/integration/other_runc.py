"""The host's runc, beside the runtime under test."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess

import pytest

from . import caller, cgroup
from .harness import RUNTIME_PATH, Container, Runtime

RUNC = shutil.which("runc", path=RUNTIME_PATH)

NEEDS = [
    pytest.mark.skipif(cgroup.mode() == "none", reason="no cgroup file system is mounted"),
    pytest.mark.skipif(RUNC is None, reason="runc is not installed (tools/dependencies test)"),
    pytest.mark.planc_only("itself to be compared with"),
]
"""Marks of a module that compares."""


def as_runc(runtime: Runtime) -> Runtime:
    """Make it call runc, with the same global flags."""
    assert RUNC
    runtime.binary = RUNC
    bus = {
        name: os.environ[name]
        for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
        if name in os.environ
    }
    if caller.ROOTLESS:  # it asks the environment only where its systemd is
        runtime.defaults["env"] = {"PATH": RUNTIME_PATH, **bus}
    return runtime


@functools.cache
def runc_is_old() -> bool:
    """Whether it is 1.1, whose differences are known exactly; newer ones may have come nearer."""
    assert RUNC
    return subprocess.run([RUNC, "--version"], capture_output=True).stdout.startswith(b"runc version 1.1.")


def discard(container: Container) -> None:
    """Kill a container's init, reap it, and delete the container.

    `delete --force` of runc gives up where the cgroups of a killed process are not empty soon.
    """
    os.kill(container.pid, signal.SIGKILL)
    container.wait()
    container.delete()
    cgroup.remove_tree(container.id)
