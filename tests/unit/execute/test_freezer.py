"""Thawing a cgroup that somebody removes meanwhile."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from runtime.errors import KernelError
from runtime.execute import cgroup_freezer


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENODEV])
def test_thaw_of_what_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """systemd removes a scope as soon as it is empty: with the file open, the write says ENODEV."""
    (tmp_path / "cgroup.freeze").touch()

    def write(_path: str, _data: bytes) -> None:
        raise OSError(number, "")

    monkeypatch.setattr(cgroup_freezer, "write", write)
    cgroup_freezer.thaw([((), str(tmp_path))])


def test_thaw_that_is_not_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(_path: str, _data: bytes) -> None:
        raise OSError(errno.EACCES, "")

    monkeypatch.setattr(cgroup_freezer, "write", write)
    with pytest.raises(KernelError, match="thaw cgroup"):
        cgroup_freezer.thaw([((), str(tmp_path))])
