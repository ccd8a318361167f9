"""CRIU, criu(8)."""

from __future__ import annotations

from runtime.linux.facts import CriuFacts
from runtime.linux.probe.text import find_program, output_of

TYPE_CHECKING = False


def read_criu() -> CriuFacts:
    """The facts; `criu --version` is run where there is one."""
    path = find_program("criu")
    first = output_of([path, "--version"]).splitlines()[:1] if path else []
    return CriuFacts(path=path, version=first[0].removeprefix("Version:").strip() if first else "")
