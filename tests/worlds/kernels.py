"""The kernel of each name that the table uses."""

from __future__ import annotations

import functools

from . import machine, uml


@functools.cache
def kernel(name: str) -> machine.Kernel:
    """`debian`, `newer` (UML) or `qemu`; exits with what to install when there is none."""
    if name == "debian":
        return uml.debian()
    if name == "newer":
        return uml.newer()
    from . import qemu

    return qemu.cloud()
