"""User Mode Linux: a kernel that is an ordinary program, with this machine's root as its file system.

`debian` is the package user-mode-linux of this machine. `newer` is the same package of Debian's development branch,
unpacked below build/: its seccomp mode makes system calls three times as fast.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from . import machine, newer_uml
from .table import WORLDS

RDONLY_NOEXEC = os.ST_NOEXEC | os.ST_RDONLY


@dataclass(frozen=True)
class Uml:
    """A linux.uml with its modules."""

    name: str
    program: str
    modules: str
    arguments: tuple[str, ...] = ()
    libraries: str = ""
    directory: str = "/"
    """Where it is started: the newer kernel's program interpreter has a relative name."""
    terminal: str = "/dev/tty0"

    @contextlib.contextmanager
    def boot(self, run: machine.Run) -> Iterator[subprocess.Popen[bytes]]:
        environment = {"PATH": "/usr/bin:/bin", "TMPDIR": _memory_directory(run)}
        if self.libraries:
            environment["LD_LIBRARY_PATH"] = self.libraries
        with (
            open(run.console, "wb") as console,
            machine.copied(run.stdout) as out,
            machine.copied(run.stderr) as err,
            machine.group_of(
                [self.program, *self._arguments(run, out, err)],
                stdin=None if run.interactive else subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                pass_fds=(out, err),
                env=environment,
                cwd=self.directory,
            ) as process,
        ):
            yield process

    def _arguments(self, run: machine.Run, out: int, err: int) -> list[str]:
        terminal = "fd:0" if run.interactive else "null"
        return [
            f"mem={run.memory}M",
            *("rootfstype=hostfs", "rootflags=/", "ro", f"init={machine.INSIDE}/boot-uml"),
            *(f"uml_dir={run.share}", "umid=uml"),
            *(
                "console=ttyS0",
                "ssl=null",
                "ssl0=null,fd:1",
                "con=null",
                f"con0={terminal},fd:{out}",
                f"con1=null,fd:{err}",
            ),
            *("quiet", "loglevel=4", "panic=-1", *self.arguments, *run.world.kernel_arguments),
            f"world_inside={machine.INSIDE}",
            f"world_share={run.share}",
            f"world_modules={self.modules}",
        ]


def _memory_directory(run: machine.Run) -> str:
    """Where the VM's memory is kept, in a file without a name: /dev/shm if it can hold it, else the disk."""
    shm = "/dev/shm"
    with contextlib.suppress(OSError):
        found = os.statvfs(shm)
        if found.f_bavail * found.f_frsize > run.memory << 20 and not found.f_flag & RDONLY_NOEXEC:
            return shm
    return str(run.share)


def debian() -> Uml:
    """This machine's own; exits with what to install when it is not there."""
    program = shutil.which("linux.uml")
    if not program:
        sys.exit("tests/worlds: no linux.uml: run tools/dependencies test (package user-mode-linux)")
    return Uml("UML " + version(program), program, "/usr/lib/uml/modules")


def newer() -> Uml:
    """The newer kernel, fetched if need be; this machine's own, with a notice, when it cannot be had or used."""
    try:
        found = newer_uml.fetch()
        kernel = Uml(
            "UML " + version(found.program, found.libraries, found.directory),
            found.program,
            found.modules,
            # without the second a process in a cgroup of v2 could not have a realtime policy
            ("seccomp=on", "rt_group_sched=0"),
            found.libraries,
            found.directory,
        )
        if not found.tried:
            _try(kernel)
            found.mark_tried()
        return kernel
    except (OSError, subprocess.SubprocessError, newer_uml.Unusable) as error:
        print(
            f"tests/worlds: no newer UML kernel, the machine's own takes three times as long: {error}",
            file=sys.stderr,
        )
        return debian()


def version(program: str, libraries: str = "", directory: str = "/") -> str:
    """`uname -r` of a linux.uml."""
    done = subprocess.run(
        [program, "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=directory,
        env={"LD_LIBRARY_PATH": libraries} if libraries else {},
    )
    return done.stdout.strip()


def _try(kernel: Uml) -> None:
    """Boot it once."""
    with tempfile.TemporaryFile() as output:
        outcome = machine.run_in_world(
            WORLDS["v2"],
            kernel,
            ["true"],
            stdout=output.fileno(),
            stderr=output.fileno(),
            memory=512,
            limit=machine.BOOT_LIMIT,
        )
    if outcome.status != 0:
        raise newer_uml.Unusable(f"{kernel.name} does not boot: {outcome.complaint}\n{outcome.console}")
