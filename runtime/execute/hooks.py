"""Hooks in the runtime's namespaces (runtime-spec, "POSIX-platform Hooks")."""

from __future__ import annotations

import _signal
import errno

from runtime.errors import KernelError
from runtime.execute.interrupt import readable
from runtime.linux import posix as os
from runtime.native import close_range

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OUTPUT_SHOWN = 500
CLOSE_RANGE_CLOEXEC = 4


def run_hook(
    name: str,
    path: str,
    argv: Sequence[str] | None,
    env: Sequence[str] | None,
    timeout: int,
    state: str,
    pointer: str,
) -> None:
    """Run one hook and wait for it.

    `state`: the OCI state JSON, which is its whole standard input. `env`: exactly this environment, or
    planc's own when the config gives none. `timeout` in seconds, 0 for none: the hook's whole process
    group is killed. Output is kept and shown only on failure. Raises KernelError named `name`.
    """
    stdin = _memory_file("planc-hook-stdin", state.encode())
    output = _memory_file("planc-hook-output", b"")
    try:
        pid = _start(name, path, argv, env, stdin, output, pointer)
        if not _wait(pid, timeout):
            raise KernelError(name, errno.ETIMEDOUT, pointer, f"{path}: no end after {timeout} s, killed")
        _, status = os.waitpid(pid, 0)
        if status != 0:
            raise KernelError(name, 0, pointer, f"{path}: {_ended(status)}{_shown(output)}")
    finally:
        os.close(stdin)
        os.close(output)


def _memory_file(name: str, data: bytes) -> int:
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _start(
    name: str,
    path: str,
    argv: Sequence[str] | None,
    env: Sequence[str] | None,
    stdin: int,
    output: int,
    pointer: str,
) -> int:
    # what planc has inherited or opened is not the hook's
    close_range(3, flags=CLOSE_RANGE_CLOEXEC)
    environment = os.environ if env is None else dict([entry.partition("=")[::2] for entry in env])
    actions = [
        (os.POSIX_SPAWN_DUP2, stdin, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    try:
        return os.posix_spawn(
            path,
            list(argv or [path]),
            environment,
            file_actions=actions,
            setpgroup=0,
            setsigmask=(),
            setsigdef=_signal.valid_signals() - {_signal.SIGKILL, _signal.SIGSTOP},
        )
    except OSError as err:
        hint = "hooks are programs of the host" if err.errno == errno.ENOENT else None
        raise KernelError(name, err.errno or 0, pointer, path, hint) from None


def _wait(pid: int, timeout: int) -> bool:
    """True when the process has ended; False after the timeout, with its group killed and reaped.

    May raise Interrupted, with the group killed as well.
    """
    pidfd = os.pidfd_open(pid)
    ended = False
    try:
        ended = readable(pidfd, timeout or None)
    finally:
        os.close(pidfd)
        if not ended:
            os.killpg(pid, _signal.SIGKILL)
            os.waitpid(pid, 0)
    return ended


def _ended(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"killed by signal {os.WTERMSIG(status)}"
    return f"exit status {os.waitstatus_to_exitcode(status)}"


def _shown(output: int) -> str:
    size = os.fstat(output).st_size
    text = os.pread(output, OUTPUT_SHOWN, max(0, size - OUTPUT_SHOWN)).decode("utf-8", "replace").strip()
    return f", output: {text}" if text else ""
