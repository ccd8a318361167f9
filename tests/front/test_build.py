"""The front compiles without a warning, with either library, and is made of short functions."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .commands import compile_front, sources

KERNEL = ("-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu")


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_with_glibc(tmp_path: Path, level: str) -> None:
    compile_front(tmp_path / "front", "gcc", level)


def test_with_musl(tmp_path: Path) -> None:
    if not shutil.which("musl-gcc"):
        pytest.skip("no musl-gcc")
    compile_front(tmp_path / "front", "musl-gcc", "-static", *KERNEL)
    done = subprocess.run([tmp_path / "front", "state"], capture_output=True)
    assert (done.returncode, done.stdout) == (99, b"PYTHON\n")


@pytest.mark.parametrize("source", sources(), ids=lambda path: Path(path).name)
def test_functions_are_short(source: str) -> None:
    bodies = re.findall(r"^\w[^;{}]*\)\n\{\n(.*?)^\}", Path(source).read_text(), re.MULTILINE | re.DOTALL)
    assert bodies
    assert max(body.count("\n") for body in bodies) < 40
