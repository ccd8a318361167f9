"""HOME from the container's passwd, and the working directory that must be inside (csrc/environment.c)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from .blob import Operation
from .container import PIVOT, attach, failure

PASSWD = """# a comment
root:x:0:0:root:/root:/bin/sh
broken line
short:x:1000
1000:x:1001:1000::/home/of-1001:/bin/sh
no-number:x:1000x:1000::/home/bad:/bin/sh
user:x:1000:1000:A User,,,:/home/user:/bin/sh
second:x:1000:1000::/home/second:/bin/sh
empty:x:1002:1002:::/bin/sh
+::::::
"""


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """With a static program that shows its environment: the hook's way out is its failure text."""
    root = tmp_path / "rootfs"
    (root / "etc").mkdir(parents=True)
    (root / "etc/passwd").write_text(PASSWD)
    busybox = shutil.which("busybox") or "/bin/busybox"
    if not os.path.exists(busybox):
        pytest.skip("needs a static busybox")
    shutil.copy(busybox, root / "busybox")
    return root


def home(rootfs: Path, uid: int, env: list[str] | None = None) -> str:
    """HOME of the payload: it says it by making a file of that name, in a directory of the image."""
    out = rootfs / "out"
    out.unlink(missing_ok=True)
    script = 'echo -n "$HOME" > /out'
    ops: list[Operation] = [
        *attach(rootfs),
        PIVOT,
        ("environment", {"env": env or [], "uid": uid, "home": 1}),
        ("find_executable", {"name": "/busybox"}),
        ("done", {}),
        ("exec", {"argv": ["busybox", "sh", "-c", script]}),
    ]
    run_to_the_end(ops)
    return out.read_text()


def run_to_the_end(operations: list[Operation]) -> None:
    import socket

    from .blob import encode
    from .container import INIT, private_namespace

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        plan = os.memfd_create("plan")
        os.write(plan, encode(operations, theirs.fileno()))
        pid = os.fork()
        if pid == 0:
            try:
                private_namespace()
                os.set_inheritable(plan, True)
                os.set_inheritable(theirs.fileno(), True)
                os.execve(INIT, ["planc-init", str(plan)], {})
            finally:
                os._exit(127)
        os.close(plan)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.parametrize(
    ("uid", "expected"),
    [(0, "/root"), (1000, "/home/user"), (1001, "/home/of-1001"), (1002, "/"), (4711, "/")],
)
def test_home_of_the_uid(rootfs: Path, uid: int, expected: str) -> None:
    assert home(rootfs, uid) == expected


def test_home_that_is_given_or_empty(rootfs: Path) -> None:
    assert home(rootfs, 0, ["HOME=/given"]) == "/given"
    assert home(rootfs, 0, ["A=1", "HOME="]) == "/root"


def test_last_line_without_an_end(rootfs: Path) -> None:
    (rootfs / "etc/passwd").write_text("a:x:5:5::/home/a:/bin/sh\nb:x:6:6::/home/b:/bin/sh")
    assert home(rootfs, 6) == "/home/b"


def test_line_longer_than_any_path(rootfs: Path) -> None:
    long = "l" * 10000
    (rootfs / "etc/passwd").write_text(f"{long}:x:6:6::/home/long:/bin/sh\nb:x:6:6::/home/b:/bin/sh\n")
    assert home(rootfs, 6) == "/home/b"


@pytest.mark.parametrize("kind", ["missing", "fifo", "directory", "outside", "binary"])
def test_passwd_that_is_none(rootfs: Path, kind: str) -> None:
    passwd = rootfs / "etc/passwd"
    passwd.unlink()
    if kind == "fifo":
        os.mkfifo(passwd)
    elif kind == "directory":
        passwd.mkdir()
    elif kind == "outside":
        passwd.symlink_to("../../../../../../../../../../../../etc/shadow-of-the-host")
    elif kind == "binary":
        passwd.write_bytes(bytes(range(256)) * 100)
    assert home(rootfs, 0) == "/"


def test_working_directory_outside_of_the_root(rootfs: Path) -> None:
    """CVE-2024-21626: through a descriptor of a directory of the caller's."""
    outside = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    proc: Operation = ("mount", {"type": "proc", "source": "proc", "target": "/proc"})
    path = f"/proc/self/fd/{outside}"
    ops: list[Operation] = [*attach(rootfs), proc, PIVOT, ("chdir", {"path": path})]
    try:
        failed = failure(ops, inherited={"outside": outside})
    finally:
        os.close(outside)
    assert failed.error == 0
    assert failed.text == "working directory is outside of the container's root: possible breakout attempt"


def test_working_directory_inside(rootfs: Path) -> None:
    (rootfs / "work").mkdir()
    ops: list[Operation] = [
        *attach(rootfs),
        PIVOT,
        ("chdir", {"path": "/work"}),
        ("chdir", {"path": "/nope"}),
    ]
    assert failure(ops).op == 5
