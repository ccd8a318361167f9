"""Fixtures of the integration suite: the runtime under test, bundles, containers, and the check for leaks.

PLANC names the binary (default: the one that `make install PREFIX=build/prefix` puts into the repository).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import caller, cgroup, harness
from .harness import Bundle, Container, Runtime, Tracker

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("PLANC", str(REPOSITORY / "build/prefix/bin/planc"))

APPLETS = [
    "[", "ash", "awk", "basename", "cat", "chgrp", "chmod", "chown", "cp", "cut", "date", "dd", "df",
    "dirname", "dmesg", "echo", "egrep", "env", "expr", "false", "find", "fold", "free", "getopt", "grep",
    "head", "hexdump", "hostname", "id", "ifconfig", "ionice", "ip", "kill", "link", "ln", "ls", "md5sum",
    "mkdir", "mkfifo", "mknod", "mktemp", "mount", "mv", "nc", "nproc", "od", "pidof", "printf", "ps",
    "pwd", "readlink", "realpath", "renice", "reset", "rm", "rmdir", "sed", "seq", "setsid", "sh", "sleep",
    "sort", "stat", "stty", "sync", "tail", "tee", "test", "time", "timeout", "touch", "tr", "true", "tty",
    "umount", "uname", "unlink", "uptime", "usleep", "wc", "wget", "whoami", "xargs", "yes",
]  # fmt: skip

_numbers = itertools.count(1)


def _first_line_of_version() -> str:
    try:
        done = subprocess.run([BINARY, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        raise pytest.UsageError(f"PLANC={BINARY}: {error.strerror}; build it, or set PLANC") from None
    return (done.stdout.splitlines() or [""])[0]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "old_runc_lacks(feature): expected to fail when PLANC is runc 1.1")
    config.addinivalue_line("markers", "planc_only(reason): describes what only planc promises")
    config.addinivalue_line("markers", "needs_controller(*names): cgroup controllers of the machine")
    config.addinivalue_line("markers", "needs_cgroup_v1: files that only cgroup v1 has")
    config.addinivalue_line("markers", "needs_cgroup_v2: files that only cgroup v2 has")
    config.addinivalue_line("markers", "needs_cgroupfs_driver: a cgroupsPath that is a path")
    config.addinivalue_line("markers", "needs_capability(name): a capability that root has not everywhere")
    config.addinivalue_line("markers", "needs_root(reason): what only root of the machine can do")


def _is_old_runc() -> bool:
    return _first_line_of_version().startswith("runc version 1.1.")


def _is_runc() -> bool:
    return _first_line_of_version().startswith("runc version")


CAP_NUMBERS = {"CAP_SYS_RESOURCE": 24, "CAP_SYS_NICE": 23, "CAP_SYS_TIME": 25}


def _lacking(item: pytest.Item) -> Iterator[str]:
    """What the machine lacks for this test."""
    for mark in item.iter_markers("needs_controller"):
        yield from (f"no cgroup controller {name}" for name in mark.args if name not in cgroup.controllers())
    if item.get_closest_marker("needs_cgroup_v1") and not cgroup.v1_controllers():
        yield "no cgroup v1 controller"
    if item.get_closest_marker("needs_cgroup_v2") and not cgroup.is_v2():
        yield "no pure cgroup v2"
    if item.get_closest_marker("needs_cgroupfs_driver") and cgroup.DRIVER != "cgroupfs":
        yield f"cgroupsPath is no path with the {cgroup.DRIVER} driver"
    for mark in item.iter_markers("needs_capability"):
        from . import proc

        if CAP_NUMBERS[mark.args[0]] not in proc.capability_set("self", "CapEff"):
            yield f"{'needs root:' if caller.ROOTLESS else 'root lacks'} {mark.args[0]}"
    if caller.ROOTLESS:
        yield from (f"needs root: {mark.args[0]}" for mark in item.iter_markers("needs_root"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    if not ours:
        return
    if caller.lacks():
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=f"needs root, or rootless: {caller.lacks()}"))
        return
    old_runc, runc = _is_old_runc(), _is_runc()
    for item in ours:
        for reason in _lacking(item):
            item.add_marker(pytest.mark.skip(reason=reason))
        if old_runc:
            for mark in item.iter_markers("old_runc_lacks"):
                reason = f"runc 1.1.5 lacks {mark.args[0]}"
                item.add_marker(pytest.mark.xfail(reason=reason, **{"strict": True, **mark.kwargs}))
        if runc:
            for mark in item.iter_markers("planc_only"):
                item.add_marker(pytest.mark.skip(reason=f"runc lacks {mark.args[0]}"))


@pytest.fixture(scope="session")
def runtime_is_old_runc() -> bool:
    """True when the suite validates itself against runc 1.1."""
    return _is_old_runc()


@pytest.fixture(scope="package")
def base_dir() -> Iterator[str]:
    """One directory for the whole suite, passable for every uid."""
    harness.set_subreaper(True)
    path = tempfile.mkdtemp(prefix="planc-it-", dir=os.environ.get("TMPDIR", "/tmp"))
    os.chmod(path, 0o755)
    old_umask = os.umask(0o022)
    yield path
    os.umask(old_umask)
    shutil.rmtree(path)
    harness.set_subreaper(False)


@pytest.fixture(scope="package")
def rootfs_template(base_dir: str) -> str:
    """A root file system of one static busybox, made once and copied for each bundle."""
    busybox = shutil.which("busybox")
    assert busybox, "no busybox on PATH (Debian: busybox-static)"
    path = os.path.join(base_dir, "template")
    for name in ("bin", "dev", "etc", "home/user", "proc", "root", "run", "sys", "tmp", "var"):
        os.makedirs(os.path.join(path, name))
    os.chmod(os.path.join(path, "tmp"), 0o1777)
    shutil.copy(busybox, os.path.join(path, "bin/busybox"))
    for name in APPLETS:
        os.symlink("busybox", os.path.join(path, "bin", name))
    Path(path, "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n"
        "nohome:x:1001:1001:no home::/bin/sh\n"
    )
    Path(path, "etc/group").write_text("root:x:0:\nuser:x:1000:\nextra:x:2000:user\n")
    return path


@pytest.fixture(autouse=True)
def tracker(base_dir: str) -> Iterator[Tracker]:
    """Owns the test's directory; afterwards no mount, cgroup, process or state of the test may be left."""
    number = next(_numbers)
    directory = os.path.join(base_dir, f"t{number}")
    os.mkdir(directory, 0o755)
    found = Tracker(directory, f"it{os.getpid()}-{number}")
    yield found
    complaints = found.delete_all() + found.settle()
    if complaints:
        found.clean_up()
    shutil.rmtree(directory, ignore_errors=not complaints)
    assert not complaints, "left behind:\n" + "\n".join(complaints)


@pytest.fixture
def directory(tracker: Tracker) -> str:
    """The test's own directory on the host, mode 0755, outside every rootfs."""
    path = os.path.join(tracker.directory, "host")
    os.mkdir(path, 0o755)
    return path


@pytest.fixture
def make_runtime(tracker: Tracker) -> Callable[[], Runtime]:
    """Further roots of the same binary."""

    def make() -> Runtime:
        path = os.path.join(tracker.directory, f"state{len(tracker.runtimes)}")
        runtime = Runtime(BINARY, path)
        tracker.runtimes.append(runtime)
        return runtime

    return make


@pytest.fixture
def runtime(make_runtime: Callable[[], Runtime]) -> Runtime:
    """The binary under test with a root directory that does not exist yet."""
    return make_runtime()


@pytest.fixture
def make_bundle(tracker: Tracker, rootfs_template: str) -> Callable[[], Bundle]:
    """Further bundles."""
    count = itertools.count(1)

    def make() -> Bundle:
        return Bundle(os.path.join(tracker.directory, f"bundle{next(count)}"), rootfs_template)

    return make


@pytest.fixture
def bundle(make_bundle: Callable[[], Bundle]) -> Bundle:
    """A bundle with the base configuration; edit `bundle.config`."""
    return make_bundle()


@pytest.fixture
def make_container(
    tracker: Tracker, runtime: Runtime, make_bundle: Callable[[], Bundle]
) -> Callable[..., Container]:
    """Further containers, each with a bundle and an id of its own."""

    def make(**options: Any) -> Container:
        made = Container(
            options.get("runtime", runtime), options.get("bundle") or make_bundle(), tracker.new_id()
        )
        tracker.containers.append(made)
        return made

    return make


@pytest.fixture
def container(make_container: Callable[..., Container], bundle: Bundle) -> Container:
    """The test's container, not created yet, on `bundle` and `runtime`."""
    return make_container(bundle=bundle)


@pytest.fixture
def cleanups() -> Iterator[contextlib.ExitStack]:
    """An ExitStack that unwinds before the containers are deleted."""
    with contextlib.ExitStack() as stack:
        yield stack
