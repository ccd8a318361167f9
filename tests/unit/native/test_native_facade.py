"""runtime.native: each function against the kernel, and its errors."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import runtime.native as native


def test_memfd_cannot_be_changed() -> None:
    fd = native.sealed_memfd("name", b"content")
    try:
        assert os.pread(fd, 100, 0) == b"content"
        assert os.readlink(f"/proc/self/fd/{fd}") == "/memfd:name (deleted)"
        assert not os.get_inheritable(fd)
        for change in (lambda: os.write(fd, b"x"), lambda: os.ftruncate(fd, 3), lambda: os.ftruncate(fd, 30)):
            with pytest.raises(PermissionError):
                change()
        seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
        assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) & seals == seals
        with pytest.raises(PermissionError):
            os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_TRUNC)
    finally:
        os.close(fd)


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_memfd_of_any_size(size: int) -> None:
    fd = native.sealed_memfd("name", bytes(size), executable=True)
    assert os.fstat(fd).st_size == size
    os.close(fd)


def test_init_image_is_the_file() -> None:
    assert native.init_image() == Path(native.init_path()).read_bytes()
    assert native.init_image().startswith(b"\x7fELF")


def test_init_is_static_and_small() -> None:
    image = native.init_image()
    assert b"ld-linux" not in image
    assert b"ld-musl" not in image
    assert len(image) < 160_000


def test_spawn_reports_what_cannot_be_executed() -> None:
    before = set(os.listdir("/proc/self/fd"))
    with open("/etc/passwd") as file, open("/dev/null") as null:
        with pytest.raises(PermissionError):
            native.spawn(file.fileno(), null.fileno(), [], 0)
        with pytest.raises(OSError, match="Bad file descriptor"):
            native.spawn(native_init(), null.fileno(), [9999], 0)
        with pytest.raises(OSError, match="Bad file descriptor"):
            native.spawn(9999, null.fileno(), [], 0)
        with pytest.raises(OSError, match="Invalid argument"):
            native.spawn(native_init(), null.fileno(), [], -1)
        with pytest.raises(OSError, match="Bad file descriptor|Invalid argument"):
            native.spawn(native_init(), null.fileno(), [], 0, cgroup_fd=null.fileno())
    for fd in opened:
        os.close(fd)
    opened.clear()
    assert set(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


opened: list[int] = []


def native_init() -> int:
    opened.append(os.open(native.init_path(), os.O_RDONLY | os.O_CLOEXEC))
    return opened[-1]


def test_spawn_keeps_the_callers_signal_mask() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        with open("/dev/null") as null, pytest.raises(OSError, match="Bad file descriptor"):
            native.spawn(9999, null.fileno(), [], 0)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before | {signal.SIGUSR1}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_spawned_init_without_a_plan_exits_1() -> None:
    with open("/dev/null") as null:
        pid, pidfd = native.spawn(native_init(), null.fileno(), [], 0)
    os.close(opened.pop())
    assert os.readlink(f"/proc/self/fd/{pidfd}") == "anon_inode:[pidfd]"
    assert not os.get_inheritable(pidfd)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    os.close(pidfd)


def user_namespaces_allowed() -> bool:
    return subprocess.run(["unshare", "-U", "true"], stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.skipif(not user_namespaces_allowed(), reason="this host allows no user namespaces")
def test_user_namespace_of_its_own_and_nothing_else() -> None:
    pid, pidfd = native.spawn_user_namespace()
    try:
        theirs, ours = (os.readlink(f"/proc/{who}/ns/user") for who in (pid, "self"))
        assert theirs != ours
        for name in ("mnt", "pid", "net"):
            assert os.readlink(f"/proc/{pid}/ns/{name}") == os.readlink(f"/proc/self/ns/{name}")
        assert Path(f"/proc/{pid}/uid_map").read_text() == ""
        wait_until_no_descriptors(pid)
    finally:
        native.pidfd_send_signal(pidfd, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        os.close(pidfd)


def wait_until_no_descriptors(pid: int) -> None:
    import time

    deadline = time.monotonic() + 60
    while os.listdir(f"/proc/{pid}/fd") and time.monotonic() < deadline:
        time.sleep(0.005)
    assert os.listdir(f"/proc/{pid}/fd") == []


def child_that_waits() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"])


def test_prlimit() -> None:
    child = child_that_waits()
    try:
        native.prlimit(child.pid, resource.RLIMIT_CORE, 1000, 2000)
        assert resource.prlimit(child.pid, resource.RLIMIT_CORE) == (1000, 2000)
        with pytest.raises(OSError, match="Invalid argument"):
            native.prlimit(child.pid, resource.RLIMIT_CORE, 3000, 2000)
        with pytest.raises(OSError, match="Invalid argument"):
            native.prlimit(child.pid, 99, 1, 1)
    finally:
        child.kill()
        child.wait()


def test_prlimit_takes_infinity() -> None:
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    if hard != resource.RLIM_INFINITY:
        pytest.skip("the limit of this process is finite")
    child = child_that_waits()
    try:
        native.prlimit(child.pid, resource.RLIMIT_CPU, 2**64 - 1, 2**64 - 1)
        assert resource.prlimit(child.pid, resource.RLIMIT_CPU) == (resource.RLIM_INFINITY,) * 2
    finally:
        child.kill()
        child.wait()


def test_pidfd() -> None:
    child = child_that_waits()
    pidfd = native.pidfd_open(child.pid)
    native.pidfd_send_signal(pidfd, 0)
    native.pidfd_send_signal(pidfd, signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        native.pidfd_send_signal(pidfd, 0)
    os.close(pidfd)
    with pytest.raises(ProcessLookupError):
        native.pidfd_open(child.pid)


ORPHAN = f"""if True:
    import os, sys
    sys.path[:0] = {sys.path!r}
    import runtime.native as native
    native.set_child_subreaper()
    read, write = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            os.read(read, 1)
            os._exit(42)
        os._exit(1)
    os.wait()
    os.write(write, b"x")
    print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_child_subreaper() -> None:
    done = subprocess.run([sys.executable, "-c", ORPHAN], capture_output=True, text=True, check=True)
    assert done.stdout == "42\n"


def test_close_range() -> None:
    fds = [os.dup(0) for _ in range(3)]
    high = max(fds)
    native.close_range(high, high)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(high)
    for fd in fds:
        if fd != high:
            os.close(fd)
    with pytest.raises(OSError, match="Invalid argument"):
        native.close_range(10, 9)


def test_openat2(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "file").write_text("content")
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    no_symlinks = 0x04
    try:
        fd = native.openat2(directory, "file", os.O_RDONLY, no_symlinks)
        assert os.read(fd, 100) == b"content"
        assert not os.get_inheritable(fd)
        os.close(fd)
        with pytest.raises(OSError) as caught:
            native.openat2(directory, "link", os.O_RDONLY, no_symlinks)
        assert caught.value.errno == errno.ELOOP
    finally:
        os.close(directory)


def test_setns_and_unshare_report_errors() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        native.setns(9999, 0)
    with pytest.raises(OSError, match="Invalid argument"):
        native.unshare(1)


def test_bpf_reports_errors() -> None:
    with pytest.raises(OSError, match=r"Permission denied|not permitted|Invalid argument"):
        native.bpf_load_device(bytes(8))
    with pytest.raises(OSError, match=r"Bad file descriptor|not permitted"):
        native.bpf_query_device(9999)


def test_import_works_isolated_and_without_site() -> None:
    """As the launcher starts Python; and nothing of the modules that are too slow comes along."""
    import _cffi_backend

    paths = [str(Path(native.__file__).parents[2]), str(Path(_cffi_backend.__file__).parent)]
    script = f"import sys; sys.path[:0] = {paths!r}; import runtime.native; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    slow = {"re", "enum", "typing", "dataclasses", "json", "pathlib", "subprocess", "logging", "argparse"}
    slow |= {"contextlib", "collections", "functools", "inspect", "tempfile", "shutil", "signal", "socket"}
    assert loaded & slow == set()


def test_opcode_of_no_operation() -> None:
    with pytest.raises(AttributeError):
        native.opcode("no_such_operation")
