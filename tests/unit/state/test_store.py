"""The directory of containers."""

import os
import threading
import time
from pathlib import Path

import pytest

from runtime.errors import StateError, UsageError
from runtime.state import status, store
from runtime.state.oci_state import oci_state, state_output
from runtime.state.record import Record


def new_record(container_id: str = "c1") -> Record:
    record = Record(container_id, "/b")
    record.oci_version = "1.3.0"
    record.cgroups = [(("cpu", "cpuacct"), "/sys/fs/cgroup/cpu/c1"), ((), "/sys/fs/cgroup/unified/c1")]
    return record


def test_record_survives_the_file(tmp_path: Path) -> None:
    record = new_record()
    record.creating = False
    record.pid, record.start_time, record.annotations = 7, 8, {"ключ": 'a "b"'}
    with store.reserve(str(tmp_path / "root"), "c1") as directory:
        directory.save(record)
        loaded = directory.load()
    assert loaded is not None
    assert loaded.to_json() == record.to_json()


def test_one_of_two_reserves_wins(tmp_path: Path) -> None:
    root = str(tmp_path / "root")
    won, lost = [], []
    barrier = threading.Barrier(8)

    def reserve() -> None:
        barrier.wait()
        try:
            won.append(store.reserve(root, "c1"))
        except StateError as err:
            lost.append(str(err))

    threads = [threading.Thread(target=reserve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert set(lost) == {
        "container with given ID already exists: 'c1'; delete it first, or choose another id"
    }
    won[0].close()


@pytest.mark.parametrize("container_id", ["a", "A-b_c.d+e", "0" * 64, "x" * 255])
def test_good_ids(container_id: str) -> None:
    store.check_id(container_id)


@pytest.mark.parametrize(
    ("container_id", "message"),
    [
        ("", "container id cannot be empty; write one of a-z, A-Z, 0-9 and _ + - ."),
        (".", "invalid container id '.': it names a directory; write another"),
        ("..", "invalid container id '..': it names a directory; write another"),
        ("a/b", "invalid container id 'a/b': only a-z, A-Z, 0-9 and _ + - . are allowed"),
        ("a b", "invalid container id 'a b': only a-z, A-Z, 0-9 and _ + - . are allowed"),
        ("ä", "invalid container id 'ä': only a-z, A-Z, 0-9 and _ + - . are allowed"),
        ("x" * 256, "invalid container id: 256 characters are too many (at most 255)"),
    ],
)
def test_bad_ids(container_id: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        store.check_id(container_id)
    assert str(caught.value) == message


def test_unknown_container(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="^container does not exist: 'nope'; planc --root /.* list shows"):
        store.load(str(tmp_path), "nope")


def test_unfinished_container(tmp_path: Path) -> None:
    store.reserve(str(tmp_path), "half").close()
    with pytest.raises(
        StateError, match="container does not exist: 'half' was never finished; remove what is left"
    ):
        store.load(str(tmp_path), "half")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"id": 1}', "\xff"])
def test_damaged_record(tmp_path: Path, text: str) -> None:
    with store.reserve(str(tmp_path), "c1") as directory:
        Path(directory.path, "state.json").write_text(text, encoding="latin-1")
        with pytest.raises(StateError, match="is damaged: .*; remove it with: delete --force c1"):
            directory.load()


def test_a_deleted_container_cannot_be_locked(tmp_path: Path) -> None:
    store.reserve(str(tmp_path), "c1").close()
    with store.open_directory(str(tmp_path), "c1") as directory:
        os.rmdir(directory.path)
        with pytest.raises(StateError, match="container does not exist: 'c1'"):
            directory.lock()


def test_hidden_directories_are_no_containers(tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    (tmp_path / "file").touch()
    store.reserve(str(tmp_path), "b").close()
    store.reserve(str(tmp_path), "a").close()
    assert store.container_ids(str(tmp_path)) == ["a", "b"]


def test_status_of_a_process_that_is_another_now(tmp_path: Path) -> None:
    record = new_record()
    record.creating, record.pid, record.start_time = False, os.getpid(), 1
    with store.reserve(str(tmp_path), "c1") as directory:
        assert status.container_status(directory, record) == "stopped"


def test_state_objects() -> None:
    record = new_record()
    record.pid, record.annotations = 42, {"a": "b"}
    assert oci_state(record, "creating") == {
        "ociVersion": "1.3.0", "id": "c1", "status": "creating", "pid": 42, "bundle": "/b", "annotations": {"a": "b"},
    }  # fmt: skip
    assert "pid" not in oci_state(record, "stopped")
    assert state_output(record, "stopped")["pid"] == 0


def test_a_lock_is_waited_for_only_so_long(tmp_path: Path) -> None:
    with store.reserve(str(tmp_path), "c1"), store.open_directory(str(tmp_path), "c1") as other:
        began = time.monotonic()
        assert other.lock(0.2) is False
        assert time.monotonic() - began >= 0.2
    with store.open_directory(str(tmp_path), "c1") as third:
        assert third.lock(0) is True
        with store.open_directory(str(tmp_path), "c1") as other:
            assert other.lock(0) is False


def test_a_lock_that_comes_free_meanwhile_is_taken(tmp_path: Path) -> None:
    first = store.reserve(str(tmp_path), "c1")
    with store.open_directory(str(tmp_path), "c1") as other:
        timer = threading.Timer(0.1, first.close)
        timer.start()
        assert other.lock(10) is True
        timer.join()


def test_lock_of_a_container_that_was_deleted_meanwhile(tmp_path: Path) -> None:
    with store.reserve(str(tmp_path), "c1") as first, store.open_directory(str(tmp_path), "c1") as other:
        first.remove()
        first.close()
        for patience in (None, 1.0):
            with pytest.raises(StateError, match="container does not exist: 'c1'"):
                other.lock(patience)
