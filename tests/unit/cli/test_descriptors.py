"""Descriptors for the container: LISTEN_FDS of sd_listen_fds(3), then --preserve-fds."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import sys
from runtime.cli.descriptors import passed_on
from runtime.errors import UsageError
try:
    print(*passed_on(int(sys.argv[1])))
except UsageError as err:
    print(err)
"""


def passed(count: int, open_fds: int, **environment: str) -> str:
    """What a process with `open_fds` descriptors from 3 on passes on."""
    argv = ["sh", "-c", 'exec "$@"', "sh", sys.executable, "-c", SCRIPT, str(count)]
    for fd in range(3, 3 + open_fds):
        argv[2] = argv[2] + f" {fd}</dev/null"
    if environment.get("LISTEN_PID") == "self":
        argv[2] = "LISTEN_PID=$$; export LISTEN_PID; " + argv[2]
    result = subprocess.run(
        argv, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("count", "environment", "answer"),
    [
        (0, {}, "0 0"),
        (2, {}, "2 0"),
        (0, {"LISTEN_FDS": "2", "LISTEN_PID": "self"}, "2 2"),
        (1, {"LISTEN_FDS": "2", "LISTEN_PID": "self"}, "3 2"),
        (0, {"LISTEN_FDS": "2"}, "2 2"),
        (1, {"LISTEN_FDS": "2", "LISTEN_PID": "1"}, "1 0"),
        (1, {"LISTEN_FDS": "", "LISTEN_PID": ""}, "1 0"),
        (0, {"LISTEN_FDS": "x"}, "LISTEN_FDS: 'x' is not a number of descriptors"),
        (0, {"LISTEN_FDS": "-1"}, "LISTEN_FDS: '-1' is not a number of descriptors"),
    ],
)
def test_counts(count: int, environment: dict[str, str], answer: str) -> None:
    assert passed(count, 3, **environment) == answer


def test_one_that_is_not_open_is_told() -> None:
    told = "--preserve-fds 3: descriptor 5 is not open; please check that descriptors 3 to 3+N-1 are open"
    assert passed(3, 2) == told
