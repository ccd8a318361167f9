"""seccomp(2): actions and flags of the kernel, libseccomp's version and bindings."""

from __future__ import annotations

import errno

from runtime.linux.facts import SeccompFacts
from runtime.linux.probe.syscall import errno_of, seccomp
from runtime.linux.probe.text import text_of

TYPE_CHECKING = False

SET_MODE_FILTER = 1
NEW_LISTENER = 8
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1,
    "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
    # means something beside a listener only, and is refused without
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 32 | NEW_LISTENER,
}


def read_seccomp(bindings: bool) -> SeccompFacts:
    """The facts. `bindings`: whether libseccomp's Python bindings can be imported."""
    mode = (text_of("/proc/self/status") or "").partition("\nSeccomp:\t")[2][:1]
    return SeccompFacts(
        mode=int(mode) if mode else None,
        actions=tuple((text_of("/proc/sys/kernel/seccomp/actions_avail") or "").split()),
        flags=kernel_flags(),
        bindings=bindings,
        library=library_version(),
    )


def kernel_flags() -> tuple[str, ...]:
    """Those that the kernel takes: it looks at them before the program, of which there is none (EFAULT)."""
    taken = []
    for name, flag in FLAGS.items():
        if errno_of(lambda flag=flag: seccomp(SET_MODE_FILTER, flag)) == errno.EFAULT:  # type: ignore[misc]
            taken.append(name)
    return tuple(taken)


def library_version() -> str:
    """ "2.5.4"; "" when libseccomp cannot be loaded."""
    import ctypes

    class Version(ctypes.Structure):
        _fields_ = [("major", ctypes.c_uint), ("minor", ctypes.c_uint), ("micro", ctypes.c_uint)]

    try:
        library = ctypes.CDLL("libseccomp.so.2")
        library.seccomp_version.restype = ctypes.POINTER(Version)
        version = library.seccomp_version().contents
    except (OSError, AttributeError, ValueError):
        return ""
    return f"{version.major}.{version.minor}.{version.micro}"
