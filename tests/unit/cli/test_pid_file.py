"""--pid-file: whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.cli.pid_file import write_pid_file
from runtime.errors import KernelError


def test_it_holds_the_number_alone(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    write_pid_file(str(path), 4711)
    assert path.read_bytes() == b"4711"
    assert list(tmp_path.iterdir()) == [path]
    write_pid_file(str(path), 12)
    assert path.read_bytes() == b"12", "an older one is replaced"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "pid"
    target.write_text("precious")
    path.symlink_to(target)
    write_pid_file(str(path), 5)
    assert (target.read_text(), path.read_text()) == ("precious", "5")


def test_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(KernelError) as caught:
        write_pid_file(str(tmp_path / "no" / "pid"), 5)
    assert str(caught.value) == (
        f"--pid-file: write {tmp_path}/no/pid: ENOENT: no such file or directory; make its directory first"
    )


def test_nothing_is_left_when_it_cannot_be_put_in_place(tmp_path: Path) -> None:
    (tmp_path / "pid").mkdir()
    with pytest.raises(KernelError, match=r"pid: EISDIR: is a directory$"):
        write_pid_file(str(tmp_path / "pid"), 5)
    assert list(tmp_path.iterdir()) == [tmp_path / "pid"]
