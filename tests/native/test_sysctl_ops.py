"""Kernel parameters (csrc/sysctl.c): written to a real procfs, whatever stands at the container's /proc."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from .blob import Operation
from .container import CLONE_NEWNET, CLONE_NEWPID, PIVOT, Container, attach, failure

NAME = "net/ipv4/ip_unprivileged_port_start"
SYSCTL: Operation = ("sysctl", {"path": NAME, "value": "77"})
PROC: Operation = ("mount", {"type": "proc", "source": "proc", "target": "/proc"})


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "rootfs").mkdir()
    return tmp_path / "rootfs"


def begin(rootfs: Path) -> list[Operation]:
    return [("unshare", {"flags": CLONE_NEWNET | CLONE_NEWPID}), ("fork", {}), *attach(rootfs)]


def value_in_namespace_of(pid: int) -> str:
    args = ["nsenter", "--net", f"--target={pid}", "cat", f"/proc/sys/{NAME}"]
    return subprocess.run(args, capture_output=True, text=True, check=True).stdout.strip()


def check(operations: list[Operation]) -> None:
    before = Path(f"/proc/sys/{NAME}").read_text()
    with Container(operations) as container:
        assert value_in_namespace_of(container.pid) == "77"
    assert Path(f"/proc/sys/{NAME}").read_text() == before, "the host's is as it was"


def test_through_the_containers_proc(rootfs: Path) -> None:
    check([*begin(rootfs), PROC, PIVOT, SYSCTL])


def test_before_pivot_root(rootfs: Path) -> None:
    check([*begin(rootfs), PROC, SYSCTL])


def test_without_a_proc_in_the_container(rootfs: Path) -> None:
    check([*begin(rootfs), PIVOT, SYSCTL])


def test_read_only_proc(rootfs: Path) -> None:
    check([*begin(rootfs), ("mount", {**PROC[1], "attrs": 1}), PIVOT, SYSCTL])


def test_proc_sys_covered_by_a_tmpfs_is_not_written(rootfs: Path) -> None:
    tree = rootfs.parent / "tree" / "net/ipv4"
    tree.mkdir(parents=True)
    (tree / "ip_unprivileged_port_start").write_text("decoy")
    cover: list[Operation] = [
        ("open_tree", {"tree": "cover", "source": rootfs.parent / "tree", "recursive": 1}),
        ("bind", {"tree": "cover", "target": "/proc/sys"}),
    ]
    check([*begin(rootfs), PROC, *cover, PIVOT, SYSCTL])
    assert (tree / "ip_unprivileged_port_start").read_text() == "decoy"


def test_proc_of_the_image_is_not_written(rootfs: Path) -> None:
    decoy = rootfs / "proc/sys" / NAME
    decoy.parent.mkdir(parents=True)
    decoy.write_text("decoy")
    check([*begin(rootfs), PIVOT, SYSCTL])
    assert decoy.read_text() == "decoy"


def test_parameter_that_is_not_there(rootfs: Path) -> None:
    missing: Operation = ("sysctl", {"path": "net/nope", "value": "1"})
    failed = failure([*begin(rootfs), PROC, PIVOT, missing])
    assert (failed.error, failed.text) == (errno.ENOENT, "open /proc/sys/net/nope")


def test_path_that_leads_out_of_proc_sys(rootfs: Path) -> None:
    for path in ("../self/oom_score_adj", "net/../../self/oom_score_adj", "/proc/self/oom_score_adj"):
        failed = failure([*begin(rootfs), PROC, PIVOT, ("sysctl", {"path": path, "value": "5"})])
        assert failed.error in (errno.EXDEV, errno.ENOENT), path
        assert failed.text == f"open /proc/sys/{path}"


def test_value_that_the_kernel_refuses(rootfs: Path) -> None:
    bad: Operation = ("sysctl", {"path": NAME, "value": "nonsense"})
    failed = failure([*begin(rootfs), PROC, PIVOT, bad])
    assert (failed.error, failed.text) == (errno.EINVAL, f'write "nonsense" to /proc/sys/{NAME}')
