"""OP_FIND_EXECUTABLE and OP_EXEC: what is executed, and what is said when it cannot be."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from init_harness import Operation, failure, payload, run


def find(name: str, path: str | None = "/usr/bin:/bin") -> str:
    env = [] if path is None else [f"PATH={path}"]
    failed = failure([("environment", {"env": env}), ("find_executable", {"name": name})])
    assert failed.error == 0, "the text stands alone"
    return failed.text


def program(path: Path, text: str = "#!/bin/sh\nexit 5\n", mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_texts_that_engines_look_for(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    file = program(tmp_path / "file", mode=0o644)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert find("nope") == 'exec: "nope": executable file not found in $PATH'
    assert find("") == 'exec: "": executable file not found in $PATH'
    assert find("/nope") == 'exec: "/nope": stat /nope: no such file or directory'
    assert find("./nope") == 'exec: "./nope": stat ./nope: no such file or directory'
    assert find(f"{file}") == f'exec: "{file}": permission denied'
    assert find(f"{file}/x") == f'exec: "{file}/x": stat {file}/x: not a directory'
    assert find(f"{tmp_path}/directory") == f'exec: "{tmp_path}/directory": is a directory: permission denied'
    assert find(f"{loop}") == f'exec: "{loop}": stat {loop}: too many levels of symbolic links'
    assert find("/" + "n" * 300).endswith(": file name too long")
    assert find("/dev/null") == 'exec: "/dev/null": permission denied'


def test_not_executable_on_the_path_is_not_found(tmp_path: Path) -> None:
    program(tmp_path / "tool", mode=0o644)
    (tmp_path / "other").mkdir()
    assert find("tool", str(tmp_path)) == 'exec: "tool": executable file not found in $PATH'
    assert find("other", str(tmp_path)) == 'exec: "other": executable file not found in $PATH'


def test_the_search_goes_on_behind_what_cannot_be_executed(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    program(tmp_path / "a" / "tool", mode=0o644)
    (tmp_path / "b" / "tool").mkdir()
    program(tmp_path / "c" / "tool", "#!/bin/sh\nexit 6\n")
    path = f"/nope:{tmp_path}/a:{tmp_path}/b:{tmp_path}/c"
    assert run(payload("tool", env=[f"PATH={path}"])) == 6


@pytest.mark.parametrize("path", ["", ":/nope", "/nope:", "/nope::/nope"])
def test_empty_entry_is_the_working_directory(tmp_path: Path, path: str) -> None:
    program(tmp_path / "tool", "#!/bin/sh\nexit 7\n")
    assert run([("chdir", {"path": str(tmp_path)}), *payload("tool", env=[f"PATH={path}"])]) == 7


def test_without_path_in_the_environment_nothing_is_found() -> None:
    assert find("true", None) == 'exec: "true": executable file not found in $PATH'
    assert run(payload("/bin/true", env=["A=B"])) == 0
    assert find("nope", None) == 'exec: "nope": executable file not found in $PATH'


def test_entry_too_long_for_a_path_is_passed_over() -> None:
    assert run(payload("true", env=[f"PATH=/{'x' * 5000}:/usr/bin:/bin"])) == 0


def test_argv_is_passed_as_it_is(tmp_path: Path) -> None:
    script = f'printf "%s\\n" "$@" > {tmp_path}/out'
    assert run(payload("sh", "-c", script, "name", "", "a b", "ä\n")) == 0
    assert (tmp_path / "out").read_text() == "\na b\nä\n\n"


def execute(path: Path) -> tuple[str, str]:
    failed = failure(payload(str(path)))
    return errno.errorcode[failed.error], failed.text


def test_missing_interpreter_of_a_script(tmp_path: Path) -> None:
    path = program(tmp_path / "script", "#! /no/such/sh -e\n")
    assert execute(path) == ("ENOENT", f"exec {path}: its interpreter /no/such/sh is missing")


def test_interpreter_that_is_not_executable(tmp_path: Path) -> None:
    shell = program(tmp_path / "shell", mode=0o644)
    path = program(tmp_path / "script", f"#!{shell}\n")
    assert execute(path) == ("EACCES", f"exec {path}: its interpreter {shell} is not executable")


def elf(interpreter: bytes, machine: int | None = None) -> bytes:
    """/bin/true with another PT_INTERP or another e_machine."""
    data = bytearray(Path("/bin/true").resolve().read_bytes())
    at = data.find(b"/lib64/ld-linux-x86-64.so.2\0")
    if at < 0:
        pytest.skip("/bin/true has not the loader of x86-64")
    data[at : at + len(interpreter) + 1] = interpreter + b"\0"
    if machine is not None:
        data[18:20] = machine.to_bytes(2, "little")
    return bytes(data)


def test_missing_loader_of_an_elf_program(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(elf(b"/lib/ld-musl-none.so.1"))
    path.chmod(0o755)
    assert execute(path) == ("ENOENT", f"exec {path}: its interpreter /lib/ld-musl-none.so.1 is missing")


def test_missing_loader_of_a_scripts_interpreter(tmp_path: Path) -> None:
    shell = tmp_path / "shell"
    shell.write_bytes(elf(b"/lib/ld-musl-none.so.1"))
    shell.chmod(0o755)
    path = program(tmp_path / "script", f"#!{shell} -e\n")
    assert execute(path) == ("ENOENT", f"exec {path}: its interpreter /lib/ld-musl-none.so.1 is missing")


def test_program_for_another_machine(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(elf(b"/lib64/ld-linux-x86-64.so.2", machine=0xF3))
    path.chmod(0o755)
    why = "a program for another machine (ELF e_machine 243, this is 62)"
    assert execute(path) == ("ENOEXEC", f"exec {path}: {why}")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the file is empty"),
        ("echo hello\n", "neither an ELF program nor a script that begins with #!"),
        ("#", "neither an ELF program nor a script that begins with #!"),
    ],
)
def test_file_that_is_no_program(tmp_path: Path, text: str, why: str) -> None:
    path = program(tmp_path / "file", text)
    assert execute(path) == ("ENOEXEC", f"exec {path}: {why}")


def test_too_many_arguments(tmp_path: Path) -> None:
    failed = failure(payload("/bin/true", "x" * 200000))
    assert (failed.error, failed.text) == (errno.E2BIG, "exec /bin/true")


def test_exec_without_a_search() -> None:
    assert failure([("exec", {"argv": ["true"]})]).text == "exec without an executable"


def test_a_descriptor_of_the_runtime_is_no_way_out(tmp_path: Path) -> None:
    """argv[0] through /proc/self/fd: whatever planc held open is closed before execve."""
    program(tmp_path / "tool")
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        operations: list[Operation] = payload(f"/proc/self/fd/{directory}/tool")
        failed = failure(operations, slots=[directory])
    finally:
        os.close(directory)
    assert failed.error == errno.ENOENT
    assert failed.text == f"exec /proc/self/fd/{directory}/tool"
