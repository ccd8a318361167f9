"""The summary: what Python writes, and that the front believes nothing else."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.state import store, summary
from runtime.state.record import Record

from .by_hand import new_record, save
from .commands import PYTHON, Command, snapshot

V1: list[tuple[Sequence[str], str]] = [(("cpu", "cpuacct"), "/cg/cpu/c1"), (("freezer",), "/cg/freezer/c1")]
UNIFIED = ((), "/cg/unified/c1")


def lines(record: Record, tmp_path: Path) -> list[str]:
    text = summary.summary_text(record, os.stat(tmp_path))
    assert text is not None
    return text.decode().partition("\nstate ")[0].splitlines()


def test_the_lines(tmp_path: Path) -> None:
    record = new_record("c1")
    record.pid, record.start_time, record.cgroups = 7, 8, [UNIFIED, *V1]
    st = tmp_path.stat()
    assert lines(record, tmp_path) == [
        "planc-summary 1",
        f"record {st.st_ino} {st.st_size} {st.st_mtime_ns}",
        "process 7 8",
        "flags own-pid-namespace",
        "freezer FROZEN /cg/freezer/c1/freezer.state",
        "cgroup /cg/cpu/c1",
        "cgroup /cg/freezer/c1",
        "cgroup /cg/unified/c1",
    ]


def test_the_freezer_of_v2(tmp_path: Path) -> None:
    record = new_record("c1")
    record.cgroups = [UNIFIED]
    assert lines(record, tmp_path)[4:] == ["freezer 1 /cg/unified/c1/cgroup.freeze", "cgroup /cg/unified/c1"]


def test_no_freezer(tmp_path: Path) -> None:
    record = new_record("c1")
    assert lines(record, tmp_path)[4:] == []
    record.cgroups = V1[:1]
    assert lines(record, tmp_path)[4:] == ["cgroup /cg/cpu/c1"]


@pytest.mark.parametrize(
    ("namespaces", "own"),
    [
        ([{"type": "pid"}], True),
        ([{"type": "mount"}, {"type": "pid", "path": ""}], True),
        ([{"type": "pid", "path": "/proc/1/ns/pid"}], False),
        ([{"type": "mount"}], False),
        ([], False),
    ],
)
def test_flag_of_the_pid_namespace(tmp_path: Path, namespaces: list[dict[str, str]], own: bool) -> None:
    record = new_record("c1")
    record.config = {"linux": {"namespaces": namespaces}}
    assert ("own-pid-namespace" in lines(record, tmp_path)[3].split()) == own


def test_the_other_flags(tmp_path: Path) -> None:
    record = new_record("c1")
    record.config = {"hooks": {"poststart": [{"path": "/a"}], "poststop": [{"path": "/b"}]}}
    record.systemd_cgroup = True
    record.covered_mount = 30
    assert lines(record, tmp_path)[3] == "flags mounts poststart poststop systemd"
    record.config = {"hooks": {"poststart": [], "poststop": []}}
    record.systemd_cgroup = False
    record.covered_mount = 0
    assert lines(record, tmp_path)[3] == "flags"


def test_a_path_that_fits_no_line_has_no_summary(tmp_path: Path) -> None:
    record = new_record("c1")
    record.cgroups = [((), "/cg/a\nb")]
    assert not (save(tmp_path, record) / "summary").exists()


def test_mode_and_nothing_beside(stopped: Path) -> None:
    assert (stopped / "summary").stat().st_mode & 0o777 == 0o600
    assert sorted(os.listdir(stopped)) == ["state.json", "summary"]


def test_a_full_disk_is_no_failure(
    root: Path, front: Command, reference: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_half(fd: int, data: bytes) -> None:
        os.write(fd, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(summary, "write_all", write_half)
    directory = save(root, new_record("c1"))
    assert os.listdir(directory) == ["state.json"]
    assert front("--root", str(root), "state", "c1")[0] == PYTHON
    assert reference("--root", str(root), "state", "c1")[0] == 0


# ---- the front reads it --------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
TRICKY = [
    '\n  "pid": 5',
    '"running"',
    '"',
    "\\",
    "\n",
    "\0",
    '"pid": ',
    "1.0.2",
    "running",
    "ключ",
    "\U0001f600",
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    version=st.sampled_from(TRICKY),
    bundle=st.sampled_from(TRICKY) | TEXT,
    annotations=st.dictionaries(st.sampled_from(TRICKY) | TEXT, st.sampled_from(TRICKY) | TEXT, max_size=3),
)
def test_state_whatever_the_record_says(
    front: Command,
    reference: Command,
    tmp_path_factory: pytest.TempPathFactory,
    version: str,
    bundle: str,
    annotations: dict[str, str],
) -> None:
    root = tmp_path_factory.mktemp("root")
    record = new_record("c1")
    record.oci_version, record.bundle, record.rootfs, record.annotations = (
        version,
        bundle,
        bundle + "/r",
        annotations,
    )
    save(root, record)
    done = front("--root", str(root), "state", "c1")
    assert done[0] == 0
    assert json.loads(done[1])["annotations"] == annotations
    assert done == reference("--root", str(root), "state", "c1")


def refuses(front: Command, directory: Path) -> None:
    before = snapshot(directory)
    for argv in (["state"], ["kill"], ["start"], ["delete"], ["delete", "--force"]):
        assert front("--root", str(directory.parent), *argv, directory.name)[0] == PYTHON
    assert snapshot(directory) == before


def test_another_state_json(front: Command, stopped: Path) -> None:
    record = new_record("c1")
    record.bundle = "/another"
    with store.open_directory(str(stopped.parent), "c1") as directory:
        directory.save(record)
    refuses(front, stopped)


def test_an_edited_state_json(front: Command, stopped: Path) -> None:
    text = (stopped / "state.json").read_text()
    (stopped / "state.json").write_text(text.replace("/bundle", "/BUNDLE"))
    refuses(front, stopped)


@pytest.mark.parametrize("name", ["state.json", "summary"])
def test_one_of_the_two_is_missing(front: Command, stopped: Path, name: str) -> None:
    (stopped / name).unlink()
    refuses(front, stopped)


def test_an_empty_directory(front: Command, root: Path) -> None:
    (root / "c1").mkdir(parents=True)
    refuses(front, root / "c1")


def test_a_directory_that_is_a_link(front: Command, stopped: Path) -> None:
    (stopped.parent / "c2").symlink_to("c1")
    assert front("--root", str(stopped.parent), "state", "c2")[0] == PYTHON


def test_a_summary_that_is_no_file(front: Command, stopped: Path) -> None:
    (stopped / "summary").unlink()
    os.mkfifo(stopped / "summary")
    refuses(front, stopped)


def test_many_annotations(front: Command, reference: Command, tmp_path: Path) -> None:
    record = new_record("c1")
    record.annotations = {f"key{i}": "x" * 1000 for i in range(100)}
    save(tmp_path, record)
    done = front("--root", str(tmp_path), "state", "c1")
    assert done[0] == 0 and done == reference("--root", str(tmp_path), "state", "c1")


def test_too_many_annotations_are_for_python(front: Command, tmp_path: Path) -> None:
    record = new_record("c1")
    record.annotations = {f"key{i}": "x" * 1000 for i in range(200)}
    refuses(front, save(tmp_path, record))


CHANGES = [
    (b"planc-summary 1", b"planc-summary 2"),
    (b"planc-summary 1", b"planc-summary 1 2"),
    (b"record ", b"record -"),
    (b"record ", b"record 99999999999999999999999"),
    (b"process 4194304 1\n", b"process 0 1\n"),
    (b"process 4194304 1\n", b"process 4194305 1\n"),
    (b"process 4194304 1\n", b"process 4194304\n"),
    (b"process ", b"process 999999"),
    (b"process ", b"process x"),
    (b"flags ", b"flags surprise "),
    (b"flags ", b"flag "),
    (b"flags ", b"surprise\nflags "),
    (b"cgroup /", b"cgroup "),
    (b"freezer FROZEN ", b"freezer "),
    (b"freezer FROZEN ", b"freezer FROZEN relative"),
    (b"state ", b"cgroup /x\n" * 40 + b"state "),
    (b"state ", b"state 1 "),
    (b"state ", b"state 9"),
    (b"state ", b"stat "),
    (b"}\n", b"}\n\n"),
    (b"}\n", b"}\0"),
]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_a_damaged_summary(front: Command, root: Path, old: bytes, new: bytes) -> None:
    record = new_record("c1")
    record.cgroups = [*V1]
    directory = save(root, record)
    text = (directory / "summary").read_bytes()
    assert old in text
    (directory / "summary").write_bytes(text.replace(old, new, 1))
    refuses(front, directory)


def test_a_cut_summary(front: Command, root: Path) -> None:
    record = new_record("c1")
    record.cgroups = [*V1]
    path = save(root, record) / "summary"
    text = path.read_bytes()
    for size in range(0, len(text), 7):
        path.write_bytes(text[:size])
        assert front("--root", str(root), "state", "c1")[0] == PYTHON


def test_noise_never_crashes_it(front: Command, stopped: Path) -> None:
    text = (stopped / "summary").read_bytes()
    noise = random.Random(1)
    for _ in range(150):
        data = bytearray(text)
        for _ in range(noise.randint(1, 4)):
            data[noise.randrange(len(data))] = noise.choice(b"\n\0 0919/x\xff")
        (stopped / "summary").write_bytes(data)
        code, _, err = front("--root", str(stopped.parent), "state", "c1")
        assert code in (0, PYTHON) and err == b""
