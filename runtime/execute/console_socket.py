"""Where the master of a container's terminal goes."""

from __future__ import annotations

from runtime.execute.unix_socket import connect
from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.execute.plan_run import RunRequest


def console_descriptor(request: RunRequest) -> int:
    """A connected socket: planc's own, or that of --console-socket. Raises KernelError."""
    if request.console_fd >= 0:
        return os.dup(request.console_fd)
    return connect(request.console_socket, "the console socket")
