"""The test suite in several worlds, a few at a time."""

from __future__ import annotations

import concurrent.futures
import os
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import kernels, machine
from .table import Part, World

RESULTS = machine.REPOSITORY / "build/worlds"


@dataclass
class Job:
    """One part of one world; `counts` are junit's once it has run."""

    world: World
    part: Part
    number: int
    outcome: machine.Outcome | None = None
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The world's, with a number for a further part."""
        return self.world.name + (f"-{self.number}" if self.number > 1 else "")

    @property
    def kernel(self) -> machine.Kernel:
        return kernels.kernel(self.part.kernel)

    @property
    def directory(self) -> Path:
        """What the run leaves: `output` and `junit.xml`."""
        return RESULTS / self.name

    @property
    def passed(self) -> bool:
        """Whether pytest said so itself, about at least one test."""
        return self.outcome is not None and self.outcome.status == 0 and self.counts.get("tests", 0) > 0

    def run(self, stdout: int, stderr: int) -> None:
        """Boot, test, count."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "junit.xml").unlink(missing_ok=True)
        self.outcome = machine.run_in_world(
            self.world,
            self.kernel,
            self._pytest(colour=os.isatty(1)),
            environment={"PYTHONPATH": "tests"},
            stdout=stdout,
            stderr=stderr,
            limit=self.part.limit,
            results=self.directory,
        )
        self.counts = _counts(self.directory / "junit.xml")

    def _pytest(self, colour: bool) -> list[str]:
        return [
            *(".venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider", "-p", "worlds.plugin"),
            *("--reruns", "1", "-raR"),
            f"--color={'yes' if colour else 'no'}",
            "--junitxml=/run/world-results/junit.xml",
            *self.part.select,
        ]

    def complaint(self) -> str:
        """What the VM said when it did not end as it should."""
        if self.outcome is None or not self.outcome.complaint:
            return ""
        return (
            f"world {self.name}: {self.outcome.complaint}; the last of its console:\n{self.outcome.console}\n"
        )


def _counts(report: Path) -> dict[str, int]:
    try:
        suites = ElementTree.parse(report).getroot().iter("testsuite")
    except (OSError, ElementTree.ParseError):
        return {}
    names = ("tests", "failures", "errors", "skipped")
    counts = dict.fromkeys(names, 0)
    for suite in suites:
        for name in names:
            counts[name] += int(suite.get(name, 0))
    return counts


def jobs_of(worlds: Sequence[World], arguments: Sequence[str], whole: bool = True) -> list[Job]:
    """A job per part, those first that take longest; with pytest arguments of the caller's one job per world.

    Not `whole`: with a slow kernel only a selection, see ``Part.instead``.
    """
    found = []
    for world in worlds:
        parts = world.parts
        if not whole and not kernels.has_newer():
            parts = tuple(
                replace(part, select=part.instead) if part.kernel == "newer" else part for part in parts
            )
        if arguments:
            parts = (Part(tuple(arguments), kernel=parts[0].kernel, limit=parts[0].limit),)
        found += [Job(world, part, number) for number, part in enumerate(parts, 1)]
    return sorted(found, key=lambda job: -job.part.usual)


def run(jobs: list[Job], at_once: int) -> bool:
    """Run them and print the results: of a single one as they come, else each whole as it ends, then a table."""
    if len(jobs) == 1:
        jobs[0].run(1, 2)
        sys.stderr.write(jobs[0].complaint())
        return jobs[0].passed
    for job in jobs:
        _ = job.kernel  # fetch it, or complain, before anything starts
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        try:
            running = {pool.submit(_run_quietly, job): job for job in jobs}
            for done in concurrent.futures.as_completed(running):
                done.result()
                _print_whole(running[done])
        except BaseException:
            machine.stopping.set()
            pool.shutdown(cancel_futures=True)
            raise
    print(table(jobs), flush=True)
    return all(job.passed for job in jobs)


def _run_quietly(job: Job) -> None:
    job.directory.mkdir(parents=True, exist_ok=True)
    print(f"world {job.name} on {job.kernel.name}: {job.world.what} ...", flush=True)
    with open(job.directory / "output", "wb") as output:
        job.run(output.fileno(), output.fileno())


def _print_whole(job: Job) -> None:
    print(f"\n######## world {job.name} on {job.kernel.name}: {job.world.what}", flush=True)
    print((job.directory / "output").read_text(errors="replace"), end="")
    print(job.complaint(), end="", flush=True)


def table(jobs: Sequence[Job]) -> str:
    """One line per job."""
    lines = [f"\n{'world':20}{'kernel':14}{'passed':>8}{'failed':>8}{'skipped':>8}{'time':>8}"]
    for job in jobs:
        assert job.outcome is not None
        counts = job.counts
        bad = counts.get("failures", 0) + counts.get("errors", 0)
        skipped = counts.get("skipped", 0)
        minutes, seconds = divmod(round(job.outcome.seconds), 60)
        lines.append(
            f"{job.name:20}{job.kernel.name:14}{counts.get('tests', 0) - bad - skipped:8}{bad:8}{skipped:8}"
            f"{minutes:5}:{seconds:02}" + ("" if job.passed else f"  {job.outcome.complaint or 'FAILED'}")
        )
    return "\n".join(lines)
