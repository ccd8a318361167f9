"""planc ps"""

from __future__ import annotations

import subprocess

from runtime.cli.report import print_json, print_text
from runtime.errors import PlancError
from runtime.execute import cgroupfs
from runtime.state import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context


def run(context: Context) -> int:
    """The processes in the container's cgroups: their pids, or the lines ps(1) has for them."""
    directory, record = store.load(context.root, context.options["id"])
    directory.close()
    pids = cgroupfs.pids(record.cgroups)
    if context.options["format"] == "json":
        print_json(sorted(pids), indent=None)
    else:
        print_text(ps_lines(context.options["ps_option"] or ["-ef"], set(pids)))
    return 0


def ps_lines(arguments: list[str], pids: set[int]) -> str:
    """The output of ps(1), header and the lines with one of `pids`. Raises PlancError."""
    try:
        result = subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False)
    except OSError as err:
        raise PlancError(
            f"run ps: {err.strerror}", hint="install it (Debian: procps), or use --format json"
        ) from None
    if result.returncode != 0:
        raise PlancError(f"ps {' '.join(arguments)}: {result.stderr.strip()}")
    header, *lines = result.stdout.splitlines()
    titles = header.split()
    if "PID" not in titles:
        raise PlancError("ps: no PID column in its output", hint="choose options that print one")
    column = titles.index("PID")
    chosen = [line for line in lines if _pid(line, column) in pids]
    return "\n".join([header, *chosen]) + "\n"


def _pid(line: str, column: int) -> int:
    fields = line.split()
    return int(fields[column]) if len(fields) > column and fields[column].isdigit() else -1
