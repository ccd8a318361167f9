"""System calls by number, syscall(2), for those that no module of Python has."""

from __future__ import annotations

import ctypes
import errno

from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# since Linux 5.1 a new call has one number on (nearly) all architectures
OPEN_TREE = 428
MOVE_MOUNT = 429
FSOPEN = 430
FSCONFIG = 431
FSMOUNT = 432
PIDFD_OPEN = 434
CLONE3 = 435
CLOSE_RANGE = 436
OPENAT2 = 437
MOUNT_SETATTR = 442

_SECCOMP = {
    "x86_64": 317, "i386": 354, "i686": 354, "aarch64": 277, "riscv64": 277, "loongarch64": 277,
    "armv7l": 383, "ppc64": 358, "ppc64le": 358, "s390x": 348,
}  # fmt: skip

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def syscall(number: int, *args: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """The call's result; bytes are passed as a pointer to them. Raises OSError."""
    converted = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    result: int = _libc.syscall(ctypes.c_long(number), *converted)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def unshare(flags: int) -> None:
    """unshare(2). Raises OSError."""
    if _libc.unshare(flags) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def seccomp(operation: int, flags: int) -> None:
    """seccomp(2) with no program. Raises OSError: ENOSYS also on an architecture this table lacks."""
    number = _SECCOMP.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    syscall(number, operation, flags, None)


def errno_of(call: Callable[[], object]) -> int:
    """The errno that a call fails with, 0 when it does not. The result is forgotten: no descriptors."""
    try:
        call()
    except OSError as err:
        return err.errno or errno.EIO
    return 0
