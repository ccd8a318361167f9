"""Children that try what would change the caller: a process of its own, which is gone afterwards."""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.probe.syscall import errno_of, unshare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CLONE_NEWUSER = 0x10000000
_BROKEN = 255


def in_child(work: Callable[[], object]) -> int:
    """Do `work` in a child: 0, or the errno it failed with. Raises OSError when there is no child."""
    pid = os.fork()
    if pid == 0:
        code = _BROKEN
        try:
            code = errno_of(work)
        finally:
            os._exit(code)
    return exit_code(pid)


def exit_code(pid: int) -> int:
    """Reap a child of ours."""
    status = os.waitpid(pid, 0)[1]
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else _BROKEN


def own_user_namespace() -> None:
    """A new user namespace in which the caller is root, as user_namespaces(7) lets anyone have it."""
    uid, gid = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)


class UserNamespace:
    """A child that holds a user namespace in which one id is mapped: ``with``; `fd` is the namespace."""

    def __enter__(self) -> UserNamespace:
        go, self._go = os.pipe2(os.O_CLOEXEC)
        ready, told = os.pipe2(os.O_CLOEXEC)
        self.pid = os.fork()
        if self.pid == 0:
            self._child(told, go)
        os.close(told)
        os.close(go)
        self.fd = -1
        try:
            error = os.read(ready, 1)
            if error != b"\0":
                number = error[0] if error else 5
                raise OSError(number, os.strerror(number))
            self._map()
            self.fd = os.open(f"/proc/{self.pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        except BaseException:
            self.__exit__()
            raise
        finally:
            os.close(ready)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._go)
        exit_code(self.pid)
        if self.fd >= 0:
            os.close(self.fd)

    def _child(self, told: int, go: int) -> None:
        """Until the other end of `go` is closed, by its will or by its death."""
        try:
            os.close(self._go)
            os.write(told, bytes([errno_of(lambda: unshare(CLONE_NEWUSER))]))
            os.read(go, 1)
        finally:
            os._exit(0)

    def _map(self) -> None:
        for name in ("uid_map", "gid_map"):
            fd = os.open(f"/proc/{self.pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, b"0 0 1")
            finally:
                os.close(fd)
