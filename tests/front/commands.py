"""The two that must not differ: the front by itself (tests/front/main.c), and Python's commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PLANC = Path(os.environ.get("PLANC", REPOSITORY / "build/prefix/bin/planc"))
LIBRARY = PLANC.parent.parent / "lib/planc"
PYTHON = 99
"""Exit code of the front by itself when the command is Python's."""

WARNINGS = (
    "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wstrict-prototypes",
    "-Wmissing-prototypes", "-Wpointer-arith", "-Wundef", "-Wvla",
)  # fmt: skip
LAUNCH = f"import sys; sys.path[:0] = [{str(LIBRARY)!r}]; from runtime.cli.launch import main; main()"


def sources() -> list[str]:
    return [
        *sorted(str(path) for path in (REPOSITORY / "csrc/front").glob("*.c")),
        f"{REPOSITORY}/tests/front/main.c",
    ]


def compile_front(output: Path, cc: str, *flags: str) -> None:
    """Compile to `output`; a warning is an error."""
    done = subprocess.run(
        [cc, *WARNINGS, *flags, "-o", str(output), *sources()], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


class Command:
    """One of the two, with the words before its arguments."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)

    def spawn(self, *arguments: str | bytes, **options: Any) -> subprocess.Popen[bytes]:
        """Start it. By default with no input and an environment of only a PATH."""
        settings: dict[str, Any] = {
            "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
            "env": {"PATH": "/bin"},
        }  # fmt: skip
        return subprocess.Popen([*self.words, *arguments], **(settings | options))

    def __call__(self, *arguments: str | bytes, **options: Any) -> tuple[int, bytes, bytes]:
        """Exit code, standard output, standard error."""
        with self.spawn(*arguments, **options) as process:
            out, err = process.communicate(timeout=60)
            return process.returncode, out, err


def python() -> Command:
    """Python's commands, also where the installed planc has a front."""
    assert (LIBRARY / "runtime").is_dir(), f"{LIBRARY}: nothing there; run `make stage`, or set PLANC"
    return Command(
        [sys.executable if sys.prefix == sys.base_prefix else "/usr/bin/python3", "-I", "-c", LAUNCH]
    )


def snapshot(path: Path) -> dict[str, tuple[int, ...]]:
    """What is below a directory: inode, size and times of each, to be compared."""
    return {str(found): _facts(found) for found in _below(path)}


def _below(path: Path) -> Iterator[Path]:
    yield path
    yield from sorted(path.rglob("*"))


def _facts(path: Path) -> tuple[int, ...]:
    st = path.lstat()
    return (
        st.st_ino,
        st.st_mode,
        st.st_nlink,
        0 if path.is_fifo() else st.st_size,
        st.st_mtime_ns,
        st.st_ctime_ns,
    )
