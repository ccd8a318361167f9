"""The agent of SCMP_ACT_NOTIFY: ContainerProcessState and the notify descriptor (runtime-spec, "Seccomp")."""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.execute.unix_socket import connect, send_descriptor
from runtime.linux import posix as os
from runtime.linux.json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

POINTER = "linux.seccomp.listenerPath"


def send_to_agent(path: str, metadata: str, state: dict[str, Any], pid: int, descriptor: int) -> None:
    """Connect to the agent at `path` and hand it `descriptor`. Raises KernelError."""
    process_state: dict[str, Any] = {
        "ociVersion": state["ociVersion"],
        "fds": ["seccompFd"],
        "pid": pid,
    }
    if metadata:
        process_state["metadata"] = metadata
    process_state["state"] = state
    sock = connect(path, "the seccomp agent", POINTER)
    try:
        send_descriptor(sock, dumps(process_state, spaces=False).encode(), descriptor)
    except OSError as err:
        raise KernelError(f"send the seccomp descriptor to {path}", err.errno or 0, POINTER) from None
    finally:
        os.close(sock)
