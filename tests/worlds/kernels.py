"""The kernel of each name that the table uses."""

from __future__ import annotations

import functools

from . import machine, uml


def has_newer() -> bool:
    """Whether `newer` is what it says: without it the machine's own UML takes its place."""
    return kernel("newer").name != uml.debian().name


@functools.cache
def kernel(name: str) -> machine.Kernel:
    """`debian`, `newer` (UML) or `qemu`; exits with what to install when there is none."""
    if name == "debian":
        return uml.debian()
    if name == "newer":
        return uml.newer()
    from . import qemu

    return qemu.cloud()
