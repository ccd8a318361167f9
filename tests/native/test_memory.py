"""What a waiting init costs: its memory is the container's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .blob import Operation
from .container import CLONE_NEWPID, PIVOT, Container, attach, remove_cgroup

pytestmark = pytest.mark.skipif("PLANC_TEST_INIT" in os.environ, reason="needs the static init")


def rollup(pid: int) -> dict[str, int]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    return {line.split()[0].rstrip(":"): int(line.split()[1]) for line in lines}


def test_resident_memory_of_an_init_that_has_built_a_container(tmp_path: Path) -> None:
    (tmp_path / "rootfs").mkdir()
    ops: list[Operation] = [
        ("unshare", {"flags": CLONE_NEWPID}),
        ("fork", {}),
        *attach(tmp_path / "rootfs"),
        ("mount", {"type": "proc", "source": "proc", "target": "/proc"}),
        ("mount", {"type": "tmpfs", "source": "tmpfs", "target": "/dev"}),
        ("hook", {"path": "/bin/true", "argv": ["true"]}),
        PIVOT,
        ("environment", {"env": ["A=B"], "home": 1}),
    ]
    with Container(ops) as container:
        memory = rollup(container.pid)
    assert memory["Rss"] <= 256, "kB; crun's has 2200, runc's 10400"
    assert memory["Anonymous"] <= 100


MEMORY = Path("/sys/fs/cgroup/memory")


@pytest.mark.skipif(not (MEMORY / "memory.limit_in_bytes").exists(), reason="no cgroup v1 memory controller")
def test_half_a_megabyte_is_enough(tmp_path: Path) -> None:
    (tmp_path / "rootfs").mkdir()
    group = MEMORY / f"planc-native-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text("512K")

        def join(pid: int) -> None:
            (group / "cgroup.procs").write_text(str(pid))

        ops: list[Operation] = [
            ("unshare", {"flags": CLONE_NEWPID}),
            ("sync", {}),
            ("fork", {}),
            *attach(tmp_path / "rootfs"),
            ("mount", {"type": "proc", "source": "proc", "target": "/proc"}),
            PIVOT,
            ("environment", {"env": ["A=B"], "home": 1}),
        ]
        with Container(ops, on_sync=[join]) as container:
            assert str(container.pid) in (group / "cgroup.procs").read_text().split()
            assert "oom_kill 0" in (group / "memory.oom_control").read_text()
    finally:
        remove_cgroup(group)
