"""The capabilities of Linux: capabilities(7), <linux/capability.h>."""

from __future__ import annotations

__all__ = ["CAPABILITIES", "LAST_CAPABILITY", "capability_mask", "capability_names"]

# in the order of their numbers, which are part of the kernel's ABI
_NAMES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)

CAPABILITIES = {name: number for number, name in enumerate(_NAMES)}
"""Name ("CAP_KILL") to number."""

LAST_CAPABILITY = len(_NAMES) - 1


def capability_mask(names: list[str]) -> int:
    """The bit mask of the given names; names that are not known are left out."""
    mask = 0
    for name in names:
        number = CAPABILITIES.get(name)
        if number is not None:
            mask |= 1 << number
    return mask


def capability_names(mask: int) -> list[str]:
    """The names of the known bits of a mask, by number."""
    return [name for number, name in enumerate(_NAMES) if mask >> number & 1]
