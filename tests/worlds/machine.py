"""One virtual machine over this machine's root, and the one command that it is booted for."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .table import World

REPOSITORY = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).resolve().parent / "inside"
UID = 50000
"""Of the user `rootless`: where Debian numbers ordinary users, and where no machine has got to."""
BOOT_LIMIT = 180.0
"""Seconds in which a world's command must have begun, whatever the machine's load."""
PASSED_ON = ("TERM", "COLORTERM", "NO_COLOR", "PYTHON", "PYTEST_ADDOPTS")
"""Variables that the command gets from the caller, beside those that begin with PLANC."""


stopping = threading.Event()
"""Set it to end every VM of this process."""


class Kernel(Protocol):
    """A kind of virtual machine."""

    @property
    def name(self) -> str:
        """For people: what kind, which release."""

    @property
    def terminal(self) -> str:
        """The device of an interactive shell."""

    @property
    def modules(self) -> str:
        """A directory of the machine that has what belongs into /lib/modules."""

    def boot(self, run: Run) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
        """Start the VM with the run's directory as share; it powers off when the command has ended."""
        ...


@dataclass
class Run:
    """What a kernel needs to know to boot. `share` is a directory of the machine that both sides write to."""

    world: World
    share: Path
    stdout: int
    stderr: int
    interactive: bool
    memory: int
    """MiB"""

    @property
    def console(self) -> Path:
        """Where the kernel's own messages go."""
        return self.share / "console"

    def console_tail(self) -> str:
        """The kernel's last words, and those of the preparation of the world."""
        text = ""
        for name in ("console", "emulator", "preparation"):
            with contextlib.suppress(OSError):
                text += (self.share / name).read_text(errors="replace")
        return "\n".join(text.splitlines()[-25:])


@dataclass
class Outcome:
    """How a command in a world ended."""

    status: int
    """The command's exit status; 124: the time was over; 125: the VM died."""
    seconds: float
    complaint: str = ""
    """Empty when the status is the command's own."""
    console: str = ""


def run_in_world(
    world: World,
    kernel: Kernel,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    stdout: int = 1,
    stderr: int = 2,
    interactive: bool = False,
    memory: int = 3072,
    limit: float | None = 600.0,
    results: Path | None = None,
) -> Outcome:
    """Boot the world, run the command there in the current directory, power off.

    What the command leaves in the directory that WORLD_RESULTS names is copied to `results`.
    """
    with tempfile.TemporaryDirectory(prefix="planc-world-") as directory:
        run = Run(world, Path(directory), stdout, stderr, interactive, memory)
        (run.share / "results").mkdir()
        _write_command(run, command, environment or {})
        _write_environment(run, kernel)
        began = time.monotonic()
        with _terminal_kept(interactive), kernel.boot(run) as process:
            complaint = _watch(process, run, began, limit)
        outcome = _outcome(run, time.monotonic() - began, complaint)
        if results:
            shutil.copytree(run.share / "results", results, dirs_exist_ok=True)
        return outcome


def _write_command(run: Run, command: Sequence[str], environment: Mapping[str, str]) -> None:
    variables = {
        name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("PLANC")
    }
    variables |= {
        "TMPDIR": "/.world-tmp",
        "WORLD_RESULTS": "/run/world-results",
        "PLANC_TEST_WORLD": run.world.name,
        "PLANC_TEST_CGROUP_DRIVER": run.world.driver,
        **run.world.environment,
        **environment,
    }
    lines = ["#!/bin/sh", f"export PATH={shlex.quote(_path())}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines += [f"cd {shlex.quote(os.getcwd())} || exit 126", f"exec {shlex.join(command)}", ""]
    (run.share / "command").write_text("\n".join(lines))


def _path() -> str:
    """The ordinary one: a caller's may begin with wrappers that are slow in a VM."""
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _write_environment(run: Run, kernel: Kernel) -> None:
    """The parameters of the scripts inside."""
    size = shutil.get_terminal_size()
    values = {
        "inside": str(INSIDE),
        "repository": str(REPOSITORY),
        "cgroups": run.world.cgroups,
        "pid1": run.world.init,
        "user": run.world.user,
        "uid": str(UID),
        "modules": kernel.modules,
        "terminal": kernel.terminal,
        "interactive": "yes" if run.interactive else "no",
        "rows": str(size.lines),
        "columns": str(size.columns),
    }
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    (run.share / "environment").write_text(text)


def _watch(process: subprocess.Popen[bytes], run: Run, began: float, limit: float | None) -> str:
    """Wait for the VM's end; returns what was wrong with it, if anything."""
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
        if stopping.is_set():
            return "stopped"
        passed = time.monotonic() - began
        if limit is not None and passed > limit:
            return f"not done after {limit:.0f} s"
        if passed > BOOT_LIMIT and not (run.share / "booted").exists():
            return f"not booted after {BOOT_LIMIT:.0f} s"
    return ""


def _outcome(run: Run, seconds: float, complaint: str) -> Outcome:
    if complaint:
        return Outcome(124, seconds, complaint, run.console_tail())
    try:
        return Outcome(int((run.share / "status").read_text()), seconds)
    except (OSError, ValueError):
        return Outcome(125, seconds, "the VM died", run.console_tail())


@contextlib.contextmanager
def _terminal_kept(interactive: bool) -> Iterator[None]:
    """The VM makes the terminal raw; give it back as it was."""
    if not interactive:
        yield
        return
    before = termios.tcgetattr(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextlib.contextmanager
def copied(descriptor: int) -> Iterator[int]:
    """The same open file under a number that is not a standard stream's."""
    copy = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    try:
        yield copy
    finally:
        os.close(copy)


@contextlib.contextmanager
def group_of(argv: Sequence[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command as leader of a process group, all of which is killed at the end."""
    process = subprocess.Popen(argv, start_new_session=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
