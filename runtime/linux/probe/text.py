"""Small files of /proc and /sys."""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.files import read_text

TYPE_CHECKING = False


def text_of(path: str) -> str | None:
    """The file's text without white space at its ends; None when it cannot be read."""
    try:
        return read_text(path).strip()
    except OSError:
        return None


def number_of(path: str) -> int | None:
    """The number in the file; None when there is none."""
    text = text_of(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def find_program(name: str) -> str:
    """The program's path by PATH, and in the directories of the system's own; "" when it is nowhere."""
    directories = (os.environ.get("PATH") or "/usr/bin:/bin").split(":")
    for directory in [*directories, "/usr/sbin", "/sbin"]:
        path = f"{directory}/{name}"
        if directory and os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    return ""


def output_of(argv: list[str]) -> str:
    """What a program prints on standard output; "" when it fails or takes more than 10 seconds."""
    import subprocess

    try:
        done = subprocess.run(argv, capture_output=True, timeout=10, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""
