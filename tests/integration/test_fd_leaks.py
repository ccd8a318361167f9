"""Nothing of the caller leaks: descriptors, environment, cwd, binary; --preserve-fds and LISTEN_FDS pass on purpose."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import proc
from .harness import Container

SECRET = "SECRET_OF_THE_CALLER"
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", SECRET: "42", "HOME": "/host"}


@contextlib.contextmanager
def _open_at(*numbers: int) -> Iterator[dict[str, object]]:
    """Call options that make the runtime inherit files at these descriptor numbers, as containerd and buildah do."""
    read, write = os.pipe()
    kept = [os.dup(write) for _ in numbers]

    def place() -> None:
        high = [os.dup2(fd, 200 + index, inheritable=True) for index, fd in enumerate(kept)]
        for fd, number in zip(high, numbers, strict=True):
            os.dup2(fd, number, inheritable=True)
        for fd in high:
            os.close(fd)

    try:
        yield {"preexec_fn": place, "close_fds": False}
    finally:
        for fd in (read, write, *kept):
            os.close(fd)


@pytest.mark.parametrize("numbers", [(3,), (5,), (3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16, 17, 18), (99, 150)])
def test_payload_has_only_three_descriptors(container: Container, numbers: tuple[int, ...]) -> None:
    with _open_at(*numbers) as options:
        container.args("sleep", "1000").create(**options)
        container.start(**options)
    container.await_exec()
    assert set(proc.fds(container.pid)) == {0, 1, 2}


def test_waiting_init_holds_nothing_of_the_caller(container: Container, directory: str) -> None:
    """Neither the caller's pipe, nor its file, nor its directory."""
    read, write = os.pipe()
    pipe = os.readlink(f"/proc/self/fd/{write}")
    with open(f"{directory}/file", "w") as file:
        kept = os.open(directory, os.O_RDONLY)
        container.create(pass_fds=[read, write, kept, file.fileno()])
    held = list(proc.fds(container.pid).values())
    for fd in (read, write, kept):
        os.close(fd)
    assert not [target for target in held if target == pipe or target.startswith(directory)], held


def test_no_pipe_of_the_caller_stays_open_after_create(container: Container) -> None:
    """buildah reads such a pipe to its end."""
    read, write = os.pipe()
    container.args("sleep", "1000").create(pass_fds=[write])
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)


def test_no_pipe_of_the_caller_stays_open_after_exec(container: Container) -> None:
    container.sleeping()
    read, write = os.pipe()
    container.exec("sleep", "1000", flags=["--detach"], pass_fds=[write]).ok()
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)


@pytest.mark.parametrize("command", ["start", "state", "kill", "delete"])
def test_commands_leave_nobody_behind_who_holds_their_output(container: Container, command: str) -> None:
    """A shim reads stdout and stderr of these calls to the end."""
    container.args("sleep", "1000").create()
    if command != "start":
        container.start()
    words = {"kill": ["kill", container.id, "0"], "delete": ["delete", "--force", container.id]}
    read, write = os.pipe()
    container.runtime.call(*words.get(command, [command, container.id]), stdout=write, stderr=write).ok()
    os.close(write)
    while os.read(read, 4096):
        pass
    os.close(read)


def test_exec_has_only_three_descriptors(container: Container) -> None:
    container.sleeping()
    path = container.pid_file + ".exec"
    with _open_at(3, 7, 11) as options:
        container.exec("sleep", "1000", flags=["--detach", "--pid-file", path], **options).ok()
    pid = int(Path(path).read_text())
    proc.wait_until(lambda: proc.cmdline(pid) == ["sleep", "1000"], "exec has become sleep")
    assert set(proc.fds(pid)) == {0, 1, 2}


# ---- environment, cwd, binary ------------------------------------------------------------------------------------------


def test_environment_of_the_waiting_init(container: Container) -> None:
    container.create(env=ENV)
    assert SECRET not in Path(f"/proc/{container.pid}/environ").read_text()


def test_environment_of_the_payload(container: Container) -> None:
    container.sleeping(env=ENV)
    assert proc.environ(container.pid) == {"PATH": "/bin", "HOME": "/root"}


def test_command_line_of_the_waiting_init_tells_nothing_of_the_host(container: Container) -> None:
    container.create(env=ENV)
    assert container.bundle.path not in " ".join(proc.cmdline(container.pid))


def test_cwd_of_the_waiting_init_is_inside(container: Container, directory: str) -> None:
    container.create(cwd=directory)
    assert os.path.samefile(f"/proc/{container.pid}/cwd", container.bundle.rootfs)


def test_root_of_the_waiting_init_is_inside(container: Container) -> None:
    container.create()
    assert os.path.samefile(f"/proc/{container.pid}/root", container.bundle.rootfs)


def test_exec_sees_no_host_directory(container: Container, directory: str) -> None:
    container.sleeping()
    output = container.exec_sh(
        "for f in /proc/self/fd/*; do readlink $f; done; readlink /proc/self/cwd", cwd=directory
    )
    assert directory not in output


def test_waiting_init_is_not_dumpable_for_the_container(container: Container) -> None:
    """While it may hold anything of the host, an exec'd process must not read its memory or descriptors."""
    container.create()
    result = container.exec("ls", "-l", "/proc/1/fd", flags=["--user", "1000:1000"])
    assert result.returncode != 0


# ---- on purpose ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5])
def test_preserve_fds(container: Container, count: int) -> None:
    numbers = tuple(range(3, 3 + count + 2))
    with _open_at(*numbers) as options:
        container.args("sleep", "1000").create("--preserve-fds", str(count), **options)
    container.start().await_exec()
    assert set(proc.fds(container.pid)) == set(range(3 + count))


def test_preserved_descriptor_works(container: Container, directory: str) -> None:
    path = f"{directory}/out"
    with open(path, "w") as file:
        fd = file.fileno()
        container.shell("echo through >&3").run(
            "--preserve-fds", "1", preexec_fn=lambda: os.dup2(fd, 3), close_fds=False
        ).ok()
    assert Path(path).read_text() == "through\n"


def test_exec_preserve_fds(container: Container, directory: str) -> None:
    container.sleeping()
    path = f"{directory}/out"
    with open(path, "w") as file:
        fd = file.fileno()
        options = {"preexec_fn": lambda: os.dup2(fd, 3), "close_fds": False}
        container.exec("sh", "-c", "echo through >&3", flags=["--preserve-fds", "1"], **options).ok()
    assert Path(path).read_text() == "through\n"


@pytest.mark.old_runc_lacks("a check of --preserve-fds")
def test_preserve_fds_that_are_not_open_is_an_error(container: Container) -> None:
    container.args("sleep", "1000").try_create("--preserve-fds", "3").failed()
    assert container.runtime.leftovers() == []


@pytest.mark.parametrize(
    "value", [pytest.param("-1", marks=pytest.mark.old_runc_lacks("a check of --preserve-fds")), "x"]
)
def test_preserve_fds_must_be_a_number(container: Container, value: str) -> None:
    container.try_create(f"--preserve-fds={value}").failed()


AS_ACTIVATED = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
"""A prefix that gives the runtime the LISTEN_PID that systemd would: its own pid."""


def test_listen_fds(container: Container) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(b"\0planc-it-" + container.id.encode())
        server.listen(1)
        fd = server.fileno()
        container.shell("echo $LISTEN_FDS $LISTEN_PID; test -S /proc/self/fd/3 && echo socket")
        options = {"preexec_fn": lambda: os.dup2(fd, 3), "close_fds": False, "prefix": AS_ACTIVATED}
        output = container.run(env=ENV | {"LISTEN_FDS": "1"}, **options).ok().stdout
    assert output == "1 1\nsocket\n"


def test_listen_fds_for_another_process_are_ignored(container: Container) -> None:
    with _open_at(3) as options:
        container.args("sleep", "1000").create(env=ENV | {"LISTEN_FDS": "1", "LISTEN_PID": "1"}, **options)
    container.start().await_exec()
    assert set(proc.fds(container.pid)) == {0, 1, 2}
    assert "LISTEN_FDS" not in proc.environ(container.pid)


def test_listen_fds_together_with_preserve_fds(container: Container) -> None:
    with _open_at(3, 4, 5, 6) as options:
        env = ENV | {"LISTEN_FDS": "1"}
        container.args("sleep", "1000").create("--preserve-fds", "2", env=env, prefix=AS_ACTIVATED, **options)
    container.start().await_exec()
    assert set(proc.fds(container.pid)) == {0, 1, 2, 3, 4, 5}
    assert proc.environ(container.pid)["LISTEN_FDS"] == "1"
