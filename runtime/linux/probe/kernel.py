"""The kernel's release, and the system calls that planc is made of."""

from __future__ import annotations

import errno
import struct

from runtime.linux import posix as os
from runtime.linux.facts import KernelFacts
from runtime.linux.probe import syscall as call
from runtime.linux.probe.syscall import errno_of, syscall
from runtime.linux.probe.text import number_of

TYPE_CHECKING = False

MFD_CLOEXEC = 0x1
MFD_ALLOW_SEALING = 0x2
MFD_EXEC = 0x10
CLONE_INTO_CGROUP = 0x200000000
_NO_SUCH_FD = 0x7FFFFFFF

# arguments that no kernel takes: the errno says only whether there is such a call
_CALLS = {
    "openat2": (call.OPENAT2, (-1, b".", None, 0)),
    "clone3": (call.CLONE3, (None, 0)),
    "pidfd_open": (call.PIDFD_OPEN, (0, 0)),
    "close_range": (call.CLOSE_RANGE, (2, 1, 0)),
    "open_tree": (call.OPEN_TREE, (-1, None, 0)),
    "move_mount": (call.MOVE_MOUNT, (-1, None, -1, None, 0)),
    "fsopen": (call.FSOPEN, (None, 0)),
    "mount_setattr": (call.MOUNT_SETATTR, (-1, None, 0, None, 0)),
}


def read_kernel() -> KernelFacts:
    """The facts; nothing is changed."""
    name = os.uname()
    return KernelFacts(
        release=name.release,
        architecture=name.machine,
        calls={what: _absent(number, args) for what, (number, args) in _CALLS.items()},
        clone_into_cgroup=_clone_into_cgroup(),
        executable_memfd=_executable_memfd(),
        memfd_noexec=number_of("/proc/sys/vm/memfd_noexec"),
        root_file_system=root_file_system(),
        psi=_psi(),
    )


def _absent(number: int, args: tuple[int | bytes | None, ...]) -> int:
    """ENOSYS, or 0: EPERM is what callers without privilege get of a call that exists."""
    found = errno_of(lambda: syscall(number, *args))
    return found if found == errno.ENOSYS else 0


def _clone_into_cgroup() -> int:
    """Asking for a cgroup behind a descriptor that cannot be: EBADF comes from a kernel that has looked."""
    # struct clone_args: flags, 4 words, exit_signal at 4, ..., cgroup at 10
    args = struct.pack("<11Q", CLONE_INTO_CGROUP, 0, 0, 0, 17, 0, 0, 0, 0, 0, _NO_SUCH_FD)
    found = errno_of(lambda: syscall(call.CLONE3, args, len(args)))
    return 0 if found == errno.EBADF else found


def _executable_memfd() -> int:
    """As planc makes the one that init is started from: by kernels before 6.3 without MFD_EXEC."""
    for flags in (MFD_EXEC, 0):
        try:
            fd = os.memfd_create("planc-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags)
        except OSError as err:
            if err.errno == errno.EINVAL and flags:
                continue
            return err.errno or errno.EIO
        os.close(fd)
        return 0
    return errno.EINVAL


def root_file_system() -> str:
    """Type of the file system on /, the topmost one."""
    found = ""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                fields, _, rest = line.partition(" - ")
                if fields.split(" ")[4] == "/":
                    found = rest.split(" ")[0]
    except OSError:
        pass
    return found


def _psi() -> bool:
    # with psi=0 on the kernel's command line the files are there, and cannot be opened
    try:
        os.close(os.open("/proc/pressure/memory", os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
