"""Names of sysctls, and the namespace each belongs to."""

from __future__ import annotations

__all__ = ["sysctl_namespace", "sysctl_parts"]

# ipc_namespaces(7); fs.mqueue.* belongs to it as well
_IPC = frozenset(
    (
        "msgmax",
        "msgmnb",
        "msgmni",
        "sem",
        "shm_rmid_forced",
        "shmall",
        "shmmax",
        "shmmni",
    )
)


def sysctl_parts(name: str) -> list[str] | None:
    """The components of the sysctl's path below /proc/sys, or None if the name is not one.

    As sysctl(8) reads a name: the separator that comes first, "." or "/", separates,
    and the other one stands for a dot inside a component: net.ipv4.conf.eth0/1.forwarding
    and net/ipv4/conf/eth0.1/forwarding are the same.
    """
    slash = name.find("/")
    dot = name.find(".")
    if slash >= 0 and (dot < 0 or slash < dot):
        parts = name.split("/")
    else:
        parts = [part.replace("/", ".") for part in name.split(".")]
    if len(parts) < 2 or any(part in ("", ".", "..") for part in parts):
        return None
    return parts


def sysctl_namespace(parts: list[str]) -> str:
    """The type of the namespace that the sysctl belongs to, "" if it belongs to the host."""
    first, second = parts[:2]
    if first == "net":
        return "network"
    if first == "user":
        return "user"
    if first == "fs" and second == "mqueue" and len(parts) > 2:
        return "ipc"
    if first == "kernel" and len(parts) == 2:
        if second in _IPC:
            return "ipc"
        if second in ("domainname", "hostname"):
            return "uts"
    return ""
