"""A private machine for container managers: own mounts, network, processes, ipc, hostname and cgroup tree.

Managers change the network, mount file systems and leave helpers running.  In here they may: their default
paths (/run, /tmp, /etc, …) are theirs alone, several machines can exist side by side, and when the machine
ends the kernel removes everything.  The directory `Machine.dir` has the same name inside and outside.  Kernel
facts about a container are read from outside, through `proc()` and `cgroup()`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from . import machine_init
from .cgroup_files import CgroupFiles
from .terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Answer = TypeVar("Answer")
PATH = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
ENTER = """#!/bin/sh
dir=$1; shift
for procs in {procs}; do echo $$ > "$procs"; done
exec nsenter --target {pid} {namespaces} --wdns="$dir" -- "$@"
"""


@dataclass(frozen=True)
class Result:
    """What a command did; `out` and `err` are decoded and without trailing white space."""

    argv: tuple[str, ...]
    code: int
    out: str
    err: str

    def expect(self, code: int | None) -> Result:
        """This result, after asserting its exit code; None accepts all."""
        told = f"{' '.join(self.argv)}\n=> exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"
        assert code is None or self.code == code, told
        return self


def poll(question: Callable[[], Answer], seconds: float = 60.0, what: str = "") -> Answer:
    """Ask until the answer is true and return it; AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, f"still not true after {seconds} s: {what or question}"
        time.sleep(0.02)
    return answer


class Machine:
    """One private machine; make it with start() and end it with stop()."""

    stage = "outer"
    """Of machine_init.py, to begin with."""
    namespaces = "--mount --net --pid --ipc --uts --cgroup"

    def __init__(self, runtime: str) -> None:
        self.runtime = runtime
        base = os.environ.get("PLANC_MANAGERS_DIR", "/dev/shm")
        self.dir = Path(tempfile.mkdtemp(prefix="pm-", dir=base))
        self.dir.chmod(0o755)
        self.name = self.dir.name
        self.pid = 0
        self.blamed: set[str] = set()
        self._first_mounts: set[str] = set()
        self._started: list[subprocess.Popen[bytes]] = []
        self._holder: subprocess.Popen[bytes] | None = None
        self.env = {
            "PATH": f"{self.dir}/bin:{PATH}",
            "HOME": f"{self.dir}/home",
            "TERM": "xterm",
            "LANG": "C.UTF-8",
        }

    def start(self) -> None:
        script = machine_init.__file__
        argv = [sys.executable, script, self.stage, str(self.dir), self.name, self.runtime]
        self._holder = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, env={"PATH": PATH}
        )
        assert self._holder.stdout is not None
        answer = self._holder.stdout.readline()
        assert answer, "the machine did not start; its stderr is above"
        self.pid = int(answer)
        self._first_mounts = self.mounts()
        procs = " ".join(f"{directory}/cgroup.procs" for directory in self.own_cgroups())
        self._enter = self.dir / "bin" / "enter"
        self._enter.write_text(ENTER.format(procs=procs, pid=self.pid, namespaces=self.namespaces))
        self._enter.chmod(0o755)

    def own_cgroups(self) -> list[Path]:
        """The cgroups of its daemons and commands, one in each hierarchy."""
        mounts = machine_init.cgroup_mounts()
        leaf = f"{self.name}/host" if machine_init.unified_only(mounts) else self.name
        return [Path(target, leaf) for target, _, _ in mounts]

    def assert_quiet(self) -> None:
        """Once its daemons have stopped: no process, no mount of a container, no cgroup of one is left."""
        poll(lambda: not self.processes(), 60, f"{self.processes()} end")
        mounts = sorted(point for point in self.mounts() - self._first_mounts if "/netns" not in point)
        assert not mounts, f"left behind: {mounts}"

    def stop(self) -> None:
        """End all its processes and wait until cgroups and files are gone."""
        assert self._holder is not None and self._holder.stdin is not None
        self._holder.stdin.close()
        assert self._holder.stdout is not None
        self._holder.stdout.close()
        assert self._holder.wait(120) == 0
        for process in self._started:
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        assert not self.dir.exists()
        remaining = [
            target for target, _, _ in machine_init.cgroup_mounts() if Path(target, self.name).exists()
        ]
        assert not remaining

    def _command(self, argv: Sequence[str], cwd: str | Path | None, user: str) -> list[str]:
        prefix = [str(self._enter), str(cwd or self.dir)]
        if user:
            prefix += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--inh-caps=-all"]
        return [*prefix, *argv]

    def popen(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        user: str = "",
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
    ) -> subprocess.Popen[bytes]:
        """Start a command inside, in its own process group; `env` adds to the machine's few variables."""
        process = subprocess.Popen(
            self._command(argv, cwd, user),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**self.env, **(env or {})},
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def run(
        self,
        *argv: str | Path,
        code: int | None = 0,
        stdin: str | bytes | None = None,
        timeout: float = 120.0,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        user: str = "",
    ) -> Result:
        """Run a command inside to its end and assert its exit code (None: any)."""
        words = [str(word) for word in argv]
        source = subprocess.DEVNULL if stdin is None else subprocess.PIPE
        process = self.popen(words, env=env, cwd=cwd, user=user, stdin=source)
        data = stdin.encode() if isinstance(stdin, str) else stdin
        try:
            out, err = process.communicate(data, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            raise AssertionError(f"{words} still ran after {timeout} s: {out!r} {err!r}") from None
        shown = [data.decode(errors="replace").rstrip() for data in (out, err)]
        return Result(tuple(words), process.returncode, *shown).expect(code)

    def terminal(
        self,
        *argv: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        user: str = "",
    ) -> Terminal:
        """Start a command inside on a new terminal."""
        words = [str(word) for word in argv]
        return Terminal(self._command(words, cwd, user), {**self.env, **(env or {})})

    def has_nat(self) -> bool:
        """Whether the kernel can translate addresses, which the managers' bridge networks take."""
        chain = ("iptables", "-w", "-t", "nat", "-N", "probe")
        return self.run(*chain, code=None).code == 0 and self.run(*chain[:-2], "-X", "probe").code == 0

    def inside(self, path: str) -> Path:
        """A path of the machine as seen from outside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def proc(self, pid: int | str, entry: str) -> Path:
        """/proc/PID/ENTRY for a pid as the managers know it."""
        return self.inside(f"/proc/{pid}/{entry}")

    def status(self, pid: int | str, field: str) -> str:
        """The value of one field of /proc/PID/status, with single blanks."""
        for line in self.proc(pid, "status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return " ".join(line.split()[1:])
        raise KeyError(field)

    def namespace(self, pid: int | str, kind: str) -> str:
        """The identity of a namespace of a process, as the link reads: `net:[4026531840]`."""
        return os.readlink(self.proc(pid, f"ns/{kind}"))

    def environ(self, pid: int | str) -> list[str]:
        return [word.decode() for word in self.proc(pid, "environ").read_bytes().split(b"\0") if word]

    def processes(self) -> dict[int, str]:
        """pid → command line of everything that runs inside, but the machine's own first process."""
        found = {}
        for entry in self.inside("/proc").iterdir():
            if not entry.name.isdigit() or entry.name == "1":
                continue
            try:
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if not (entry / "stat").read_text().rpartition(")")[2].startswith(" Z"):
                    found[int(entry.name)] = words
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

    def mounts(self) -> set[str]:
        """The mount points that the machine's processes see outside of containers."""
        return {line.split()[4] for line in self.proc(1, "mountinfo").read_text().splitlines()}

    def cgroup(self, pid: int | str) -> CgroupFiles:
        """The cgroups of a process, seen from outside."""
        return CgroupFiles(self.proc(pid, "cgroup").read_text())

    def cgroups(self) -> set[str]:
        """All cgroups below the machine's, relative to it, of all hierarchies."""
        found = set()
        for target, _, _ in machine_init.cgroup_mounts():
            top = Path(target, self.name)
            for directory, _, _ in os.walk(top):
                found.add(os.path.relpath(directory, top))
        return found - {".", "host"}
