"""The harness itself: each world is what the table says, and every way in which a run can end is told apart."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from . import kernels, machine, suite
from .table import LIMITS, WORLDS, Part, World

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("linux.uml"), reason="no User Mode Linux (Debian: user-mode-linux)"),
]

UML = [name for name in WORLDS if not name.startswith("qemu")]


class Ran:
    """A finished command in a world, with what came out."""

    def __init__(self, world: World, directory: Path, script: str, limit: float = 300.0) -> None:
        with open(directory / "out", "wb") as out, open(directory / "err", "wb") as err:
            self.outcome = machine.run_in_world(
                world,
                kernels.kernel(world.parts[0].kernel),
                ["sh", "-c", script],
                stdout=out.fileno(),
                stderr=err.fileno(),
                limit=limit,
                results=directory / "results",
            )
        self.status = self.outcome.status
        self.out = (directory / "out").read_text()
        self.err = (directory / "err").read_text()


FACTS = """
cat /proc/1/comm
id -un
findmnt -n -o FSTYPE /sys/fs/cgroup
[ -d /sys/fs/cgroup/unified ] && echo unified
touch /.written && echo yes
echo $PLANC_TEST_WORLD $PLANC_TEST_CGROUP_DRIVER
"""


@pytest.mark.parametrize("name", UML)
def test_each_world_is_what_the_table_says(name: str, tmp_path: Path) -> None:
    world = WORLDS[name]
    ran = Ran(world, tmp_path, FACTS)
    words = ["systemd" if world.init == "systemd" else "boot-plain", world.user]
    words += ["cgroup2fs" if world.cgroups == "v2" else "tmpfs"]
    words += ["unified"] if world.cgroups == "hybrid" else []
    words += ["yes"] if world.user == "root" else []
    assert ran.out.replace("cgroup2\n", "cgroup2fs\n").split("\n")[:-1] == [*words, f"{name} {world.driver}"]
    assert not ran.outcome.complaint
    assert not os.path.exists("/.written")


def test_status_streams_and_results_come_out(tmp_path: Path) -> None:
    ran = Ran(WORLDS["v2"], tmp_path, "echo to out; echo to err >&2; echo kept >$WORLD_RESULTS/file; exit 7")
    assert (ran.status, ran.out, ran.err) == (7, "to out\n", "to err\n")
    assert (tmp_path / "results/file").read_text() == "kept\n"


def test_a_users_controllers_are_delegated(tmp_path: Path) -> None:
    script = "mkdir /sys/fs/cgroup/delegated/one && cat /sys/fs/cgroup/delegated/one/cgroup.controllers"
    ran = Ran(WORLDS["rootless"], tmp_path, script)
    assert ran.status == 0, ran.err
    assert {"cpu", "memory", "pids"} <= set(ran.out.split())


def test_a_user_has_a_systemd(tmp_path: Path) -> None:
    script = "systemctl --user is-system-running; systemd-run --user --scope --quiet cat /proc/self/cgroup"
    ran = Ran(WORLDS["systemd-rootless"], tmp_path, script)
    assert ran.status == 0, ran.err
    assert ran.out.startswith("running\n0::/user.slice/")


def test_a_vm_that_dies_is_told_from_a_failure(tmp_path: Path) -> None:
    ran = Ran(WORLDS["v2"], tmp_path, "echo c >/proc/sysrq-trigger; sleep 100")
    assert (ran.status, ran.outcome.complaint) == (125, "the VM died")
    assert "panic" in ran.outcome.console.lower()


def test_a_vm_that_hangs_is_ended(tmp_path: Path) -> None:
    ran = Ran(WORLDS["v2"], tmp_path, "sleep 1000", limit=20)
    assert (ran.status, ran.outcome.complaint) == (124, "not done after 20 s")


def test_output_survives_a_process_that_stays(tmp_path: Path) -> None:
    ran = Ran(WORLDS["v2"], tmp_path, "sleep 1000 & echo last words")
    assert (ran.status, ran.out) == (0, "last words\n")


@pytest.mark.parametrize(
    ("report", "status", "good"),
    [
        ('<testsuite tests="2" failures="0" errors="0" skipped="1"/>', 0, True),
        ('<testsuite tests="2" failures="1" errors="0" skipped="0"/>', 1, False),
        ('<testsuite tests="0" failures="0" errors="0" skipped="0"/>', 0, False),
        (None, 0, False),
        (None, 125, False),
    ],
)
def test_only_tests_that_ran_are_a_success(
    report: str | None, status: int, good: bool, tmp_path: Path
) -> None:
    if report is not None:
        (tmp_path / "junit.xml").write_text(f"<testsuites>{report}</testsuites>")
    job = suite.Job(WORLDS["v2"], Part(), 1, machine.Outcome(status, 1.0))
    job.counts = suite._counts(tmp_path / "junit.xml")
    assert job.passed == good
    assert ("FAILED" in suite.table([job])) == (not good)


def test_a_slow_kernel_gets_a_selection(monkeypatch: pytest.MonkeyPatch) -> None:
    everyday = [world for world in WORLDS.values() if world.everyday]
    monkeypatch.setattr(kernels, "has_newer", lambda: False)
    selected = {job.name: job.part.select for job in suite.jobs_of(everyday, [], whole=False)}
    assert selected["v1"] == LIMITS == selected["v2"]
    assert "tests/integration" not in [path for paths in selected.values() for path in paths]
    assert all("tests/integration" in job.part.select for job in suite.jobs_of([WORLDS["v2"]], []))
