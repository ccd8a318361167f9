"""What is measured: times by hyperfine, and memory.

Every scenario is measured for all runtimes in turn, a few runs each, round after round, so that a change
of the machine's mood meets them all alike.
"""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import bundles
from measure.runtimes import Runtime

TIMES = ("run", "cycle", "exec", "state")
MEMORIES = ("run peak", "create peak", "init RSS", "init PSS")
_WARMUP = 1
_PEAK_RUNS = 5

#: Samples by runtime name: seconds for times, kibibytes for memory.
Samples = dict[str, list[float]]


class Bench:
    """Measures the given runtimes with bundles, driver and scratch files in build_dir."""

    def __init__(self, build_dir: Path, runtimes: list[Runtime]) -> None:
        self._dir = build_dir
        self._runtimes = runtimes
        self._driver = bundles.build_driver(build_dir)

    def time(self, scenario: str, kind: str, rounds: int, runs: int) -> Samples:
        """Return rounds × runs wall-clock times, in seconds, of a scenario of TIMES."""
        samples: Samples = {runtime.name: [] for runtime in self._runtimes}
        stays = scenario in ("exec", "state")
        with self._running(kind) if stays else _nothing():
            for _ in range(rounds):
                for runtime in self._runtimes:
                    samples[runtime.name] += self._hyperfine(self._command(runtime, scenario, kind), runs)
        return samples

    def memory(self, scenario: str, kind: str) -> Samples:
        """Return the kibibytes of a scenario of MEMORIES, several samples each."""
        samples: Samples = {runtime.name: [] for runtime in self._runtimes}
        for _ in range(_PEAK_RUNS):
            for runtime in self._runtimes:
                measure = self._peak if scenario.endswith("peak") else self._init_memory
                samples[runtime.name].append(measure(runtime, scenario, kind))
        return samples

    def _command(self, runtime: Runtime, scenario: str, kind: str) -> list[str]:
        if scenario == "exec":
            return runtime.command("exec", runtime.container, "/bin/true")
        if scenario == "state":
            return runtime.command("state", runtime.container)
        if scenario == "cycle":
            bundle = str(bundles.make(self._dir, kind, "sleep", runtime.name))
            pid_file = str(self._dir / f"{runtime.name}.pid")
            words = [runtime.binary, str(runtime.state), bundle, runtime.container, pid_file]
            return [str(self._driver), "cycle", *words]
        bundle = str(bundles.make(self._dir, kind, "true", runtime.name))
        return runtime.command("run", "--bundle", bundle, runtime.container)

    def _hyperfine(self, command: list[str], runs: int) -> list[float]:
        with tempfile.NamedTemporaryFile(dir=self._dir, suffix=".json") as report:
            result = subprocess.run(
                [
                    "hyperfine",
                    "-N",
                    "--style",
                    "none",
                    "--warmup",
                    str(_WARMUP),
                    "--runs",
                    str(runs),
                    "--export-json",
                    report.name,
                    shlex.join(command),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode != 0:
                raise RuntimeError(f"{shlex.join(command)}: {result.stderr.strip()}")
            times = json.load(report)["results"][0]["times"]
        return [float(seconds) for seconds in times]

    @contextmanager
    def _running(self, kind: str) -> Iterator[None]:
        try:
            for runtime in self._runtimes:
                bundle = str(bundles.make(self._dir, kind, "sleep", runtime.name))
                runtime.call("run", "--detach", "--bundle", bundle, runtime.container)
            yield
        finally:
            for runtime in self._runtimes:
                runtime.remove(runtime.container)

    def _peak(self, runtime: Runtime, scenario: str, kind: str) -> float:
        verb = scenario.partition(" ")[0]
        bundle = str(bundles.make(self._dir, kind, "true", runtime.name))
        command = [str(self._driver), "peak", *runtime.command(verb, "--bundle", bundle, runtime.container)]
        try:
            result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        finally:
            runtime.remove(runtime.container)
        kibibytes, code = result.stdout.split()
        if code != "0":
            raise RuntimeError(f"{runtime.name} {verb} ended with {code}")
        return float(kibibytes)

    def _init_memory(self, runtime: Runtime, scenario: str, kind: str) -> float:
        """Return what the init of a created container holds while it waits for `start`."""
        bundle = bundles.make(self._dir, kind, "sleep", runtime.name)
        pid_file = self._dir / f"{runtime.name}.pid"
        try:
            runtime.call("create", "--bundle", str(bundle), "--pid-file", str(pid_file), runtime.container)
            rollup = Path("/proc", pid_file.read_text().strip(), "smaps_rollup").read_text()
        finally:
            runtime.remove(runtime.container)
        wanted = "Rss:" if scenario.endswith("RSS") else "Pss:"
        return next(float(line.split()[1]) for line in rollup.splitlines() if line.startswith(wanted))


def median(samples: list[float]) -> float:
    """Return the median of a scenario's samples."""
    return statistics.median(samples)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
