"""Seccomp profiles to BPF by libseccomp, kept by their whole content below <root>/.cache/seccomp/."""

from __future__ import annotations

from _blake2 import blake2b

from runtime import __version__
from runtime.errors import KernelError
from runtime.linux import posix as os
from runtime.linux.files import read_all, write_all
from runtime.linux.json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.spec.model import LinuxSeccomp

KEPT = 64


def compiled_filter(profile: LinuxSeccomp, raw: Any, root: str) -> bytes:
    """The BPF program of `profile` (struct sock_filter, packed). `raw`: its JSON, the key of the cache.

    Raises KernelError when libseccomp or its bindings are missing or refuse the profile.
    """
    path = _cache_path(raw, root)
    program = _read(path)
    if program is None:
        from runtime.execute.seccomp_compile import compile_profile

        program = compile_profile(profile)
        _write(path, program)
    return program


def _cache_path(raw: Any, root: str) -> str:
    # everything that decides the program: the profile, the machine, and this code
    text = f"{__version__} {os.uname().machine} {dumps(raw)}"
    return f"{root}/.cache/seccomp/{blake2b(text.encode(), digest_size=24).hexdigest()}"


def _read(path: str) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        program = read_all(fd)
    finally:
        os.close(fd)
    return program if program and len(program) % 8 == 0 else None


def _write(path: str, program: bytes) -> None:
    directory = os.path.dirname(path)
    temporary = f"{directory}/.{os.getpid()}"
    try:
        os.makedirs(directory, 0o700, exist_ok=True)
        _prune(directory)
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            write_all(fd, program)
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except OSError:
        # the cache only saves time
        try:
            os.unlink(temporary)
        except OSError:
            pass


def _prune(directory: str) -> None:
    with os.scandir(directory) as entries:
        files = [(entry.stat(follow_symlinks=False).st_mtime_ns, entry.path) for entry in entries]
    for _, path in sorted(files)[: max(0, len(files) - KEPT)]:
        os.unlink(path)


def save_for_exec(program: bytes, directory_fd: int) -> None:
    """Keep the program as <id>/seccomp.bpf for later `exec`s. Raises KernelError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open("seccomp.bpf", flags, 0o600, dir_fd=directory_fd)
        try:
            write_all(fd, program)
        finally:
            os.close(fd)
    except OSError as err:
        raise KernelError("write seccomp.bpf", err.errno or 0) from None


def load_for_exec(directory_fd: int) -> bytes:
    """What :func:`save_for_exec` kept. Raises KernelError."""
    try:
        fd = os.open("seccomp.bpf", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory_fd)
    except OSError as err:
        raise KernelError("read seccomp.bpf", err.errno or 0) from None
    try:
        return read_all(fd)
    finally:
        os.close(fd)
