"""The entry point of an installed planc."""

from __future__ import annotations

import sys

from runtime.linux import posix as os


def main() -> None:
    """Run the command line and leave at once: nothing of the interpreter is worth tearing down."""
    from runtime.cli.main import main as run

    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        pass
    os._exit(code)
