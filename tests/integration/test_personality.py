"""linux.personality."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .harness import Container

PER_LINUX32 = 0x0008


def _personality(pid: int) -> int:
    return int(Path(f"/proc/{pid}/personality").read_text(), 16)


@pytest.mark.old_runc_lacks("personality")
def test_linux32(container: Container) -> None:
    container.linux["personality"] = {"domain": "LINUX32"}
    container.sleeping()
    assert _personality(container.pid) & 0xFF == PER_LINUX32


@pytest.mark.old_runc_lacks("personality")
def test_linux32_shows_another_machine(container: Container) -> None:
    """What the kernel makes of it, and the kernel of x86 does."""
    shown = subprocess.run(["setarch", "linux32", "uname", "-m"], capture_output=True, text=True, check=True)
    if shown.stdout.strip() == os.uname().machine:
        pytest.skip("this kernel shows every program the same machine")
    container.linux["personality"] = {"domain": "LINUX32"}
    assert container.sh("uname -m") == shown.stdout.strip()


def test_linux(container: Container) -> None:
    container.linux["personality"] = {"domain": "LINUX"}
    container.sleeping()
    assert _personality(container.pid) & 0xFF == 0


def test_absent(container: Container) -> None:
    container.sleeping()
    assert _personality(container.pid) == 0


@pytest.mark.old_runc_lacks("personality")
def test_unknown_domain_is_refused(container: Container) -> None:
    container.linux["personality"] = {"domain": "SOLARIS"}
    container.try_create().failed("personality", "SOLARIS")


@pytest.mark.planc_only("personality")
def test_flags_do_not_fail(container: Container) -> None:
    """The spec defines none; a flag is at most a warning."""
    container.linux["personality"] = {"domain": "LINUX", "flags": []}
    container.sleeping()
