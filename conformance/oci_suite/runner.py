"""Run one test program against one runtime, and whole series of them.

Each run has a state directory and a TMPDIR of its own; a program that does not end is killed by its
process group; containers it leaves behind are deleted before the next run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from oci_suite import tap
from oci_suite.runtimes import STATE_VARIABLE, Runtime

TIMEOUT_SECONDS = 60
MAX_RUNS = 3
# Tests that use a fixed cgroup path, which all runtimes share: never two of them at once.
_EXCLUSIVE_PREFIXES = ("linux_cgroups_", "delete_resources", "delete_only_create_resources")
_CGROUPS = Path("/sys/fs/cgroup")
_SUITE_CGROUPS = ("cgrouptest", "testdir")


@dataclass
class Outcome:
    """What came of one test with one runtime: the best of `runs` runs. exit_code is None after a timeout."""

    report: tap.Report
    exit_code: int | None
    stderr: str
    seconds: float
    runs: int = 1

    def passed(self) -> set[tap.Key]:
        """Return the assertions that passed."""
        return {key for key, verdict in self.report.verdicts.items() if verdict == tap.PASS}

    def ended_well(self) -> bool:
        """Whether the program itself ended with 0 and, if it asserts nothing, reported no error."""
        return self.exit_code == 0 and bool(self.report.verdicts or not self.report.errors)


Results = dict[str, dict[str, Outcome]]
Job = tuple[str, Runtime]
Repeat = Callable[[dict[str, Outcome], str, str], bool]


class Runner:
    """Runs tests of the built suite, with `workers` at a time where tests do not disturb each other."""

    def __init__(self, suite: Path, work: Path, workers: int) -> None:
        self._suite = suite
        self._work = work
        self._workers = workers

    def run_all(
        self, tests: Iterable[str], runtimes: list[Runtime], repeat: Repeat, note: Callable[[str], None]
    ) -> Results:
        """Run every test with every runtime, again where `repeat` says so; return what came of it."""
        names = list(tests)
        results: Results = {test: {} for test in names}
        self._work.mkdir(parents=True, exist_ok=True)
        wrappers = {runtime.name: runtime.wrapper(self._work) for runtime in runtimes}
        jobs = [(test, runtime) for test in names for runtime in runtimes]
        for attempt in range(MAX_RUNS):

            def job(pair: Job) -> None:
                test, runtime = pair
                outcome = self._run_one(test, runtime, wrappers[runtime.name])
                results[test][runtime.name] = _better(results[test].get(runtime.name), outcome)

            self._run_jobs(job, jobs)
            jobs = [(test, runtime) for test, runtime in jobs if repeat(results[test], test, runtime.name)]
            note(f"round {attempt + 1} of at most {MAX_RUNS} done, {len(jobs)} tests worth another")
            if not jobs:
                break
        return results

    def _run_jobs(self, job: Callable[[Job], None], jobs: list[Job]) -> None:
        """Run the exclusive tests one after another, and beside them the others, some at a time."""
        alone = [pair for pair in jobs if _is_exclusive(pair[0])]
        together = [pair for pair in jobs if not _is_exclusive(pair[0])]
        with ThreadPoolExecutor(1) as single, ThreadPoolExecutor(self._workers) as several:
            done = [single.submit(job, pair) for pair in alone]
            done += [several.submit(job, pair) for pair in together]
            for future in done:
                future.result()

    def _run_one(self, test: str, runtime: Runtime, wrapper: Path) -> Outcome:
        with tempfile.TemporaryDirectory(prefix=f"{test}-", dir=self._work) as scratch:
            os.chmod(scratch, 0o711)  # a container's mapped user must reach its root file system
            env = _test_env(wrapper, Path(scratch))
            try:
                return self._execute([*runtime.prefix, str(self._suite / test)], env)
            finally:
                _delete_leftovers(runtime, wrapper, env)
                if _is_exclusive(test):
                    _remove_cgroups()

    def _execute(self, command: list[str], env: dict[str, str]) -> Outcome:
        started = time.monotonic()
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen(
                command,
                cwd=self._suite,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
            exit_code = _wait_or_kill(process)
            out.seek(0)
            err.seek(0)
            seconds = time.monotonic() - started
            return Outcome(tap.parse(out.read()), exit_code, err.read().strip(), seconds)


def _wait_or_kill(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def _test_env(wrapper: Path, scratch: Path) -> dict[str, str]:
    """A small fixed environment: what the user's shell holds must not change a verdict."""
    state, tmp = scratch / "state", scratch / "tmp"
    state.mkdir()
    tmp.mkdir()
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "RUNTIME": str(wrapper),
        "TMPDIR": str(tmp),
        STATE_VARIABLE: str(state),
    }


def _delete_leftovers(runtime: Runtime, wrapper: Path, env: dict[str, str]) -> None:
    """Delete what the program left: its runtime's containers, and the mounts a killed one may leave."""
    command = [*runtime.prefix, str(wrapper)]
    listed = subprocess.run([*command, "list", "-q"], env=env, capture_output=True, text=True, check=False)
    for name in listed.stdout.split():
        subprocess.run([*command, "delete", "--force", name], env=env, capture_output=True, check=False)
    with open("/proc/self/mounts") as mounts:
        below = [line.split()[1] for line in mounts if line.split()[1].startswith(env["TMPDIR"])]
    for target in reversed(below):
        subprocess.run(["umount", "-l", target], check=False, capture_output=True)
    shutil.rmtree(env["TMPDIR"], ignore_errors=True)


def _is_exclusive(test: str) -> bool:
    return test.startswith(_EXCLUSIVE_PREFIXES)


def _remove_cgroups() -> None:
    """Remove the suite's own cgroups where they are empty: a test must not meet another's limits.

    Only after an exclusive test: one that has just made its cgroup would lose it to another's end.
    """
    for base in [_CGROUPS, *_CGROUPS.iterdir()]:
        for name in _SUITE_CGROUPS:
            for directory, _, _ in os.walk(base / name, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)


def _better(old: Outcome | None, new: Outcome) -> Outcome:
    if old is None:
        return new
    best = max(old, new, key=_rank)
    best.runs = old.runs + 1
    return best


def _rank(outcome: Outcome) -> tuple[int, int, bool, int]:
    report = outcome.report
    return (len(outcome.passed()), -report.count(tap.FAIL), outcome.exit_code == 0, -len(report.errors))
