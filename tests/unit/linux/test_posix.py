"""runtime.linux.posix answers as os does."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.linux import posix

PATHS = st.lists(st.sampled_from(["/", "//", "a", "b.c", ".", "..", ""]), max_size=7).map("".join) | st.lists(
    st.sampled_from(["", "a", "..", ".", "x"]), max_size=6
).map("/".join)


@given(PATHS)
def test_paths_as_os_has_them(path: str) -> None:
    assert posix.path.normpath(path) == os.path.normpath(path)
    assert posix.path.abspath(path) == os.path.abspath(path)
    assert posix.path.split(path) == os.path.split(path)
    assert posix.path.dirname(path) == os.path.dirname(path)
    assert posix.path.basename(path) == os.path.basename(path)


@given(PATHS, PATHS)
def test_join(first: str, second: str) -> None:
    assert posix.path.join(first, second) == os.path.join(first, second)


def test_realpath(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "link").symlink_to("dir")
    for name in ("dir", "link", "link/missing", "missing/../x", "link/.."):
        assert posix.path.realpath(f"{tmp_path}/{name}") == os.path.realpath(f"{tmp_path}/{name}")


def test_makedirs(tmp_path: Path) -> None:
    posix.makedirs(f"{tmp_path}/a/b/c", 0o700)
    assert (tmp_path / "a/b/c").stat().st_mode & 0o777 == 0o700
    posix.makedirs(f"{tmp_path}/a/b/c", exist_ok=True)
    with pytest.raises(FileExistsError):
        posix.makedirs(f"{tmp_path}/a/b/c")


@given(st.binary().filter(lambda data: b"\0" not in data))
def test_names_survive(data: bytes) -> None:
    assert posix.fsencode(posix.fsdecode(data)) == data


def test_environment() -> None:
    assert posix.environ == dict(os.environ) or set(os.environ) - set(posix.environ) <= {
        "PYTEST_CURRENT_TEST"
    }
