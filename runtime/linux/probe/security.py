"""Linux security modules."""

from __future__ import annotations

from runtime.linux.facts import SecurityModuleFacts
from runtime.linux.probe.text import text_of

TYPE_CHECKING = False


def read_security() -> SecurityModuleFacts:
    """The facts."""
    active = text_of("/sys/kernel/security/lsm")
    enforce = text_of("/sys/fs/selinux/enforce")
    return SecurityModuleFacts(
        active=None if active is None else tuple(active.split(",")),
        apparmor=text_of("/sys/module/apparmor/parameters/enabled") == "Y",
        selinux="" if enforce is None else "enforcing" if enforce == "1" else "permissive",
    )
