"""A pytest plugin for runs inside a world: every skip says which world it was that lacked something."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

WORLD = os.environ["PLANC_TEST_WORLD"]
SKIPPED = "Skipped: "


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, None]:
    outcome = yield
    report = outcome.get_result()
    if report.skipped and isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        reason = reason.removeprefix(SKIPPED)
        if not reason.startswith(f"world {WORLD}"):
            reason = f"world {WORLD}: {reason}"
        report.longrepr = (path, line, SKIPPED + reason)


def pytest_report_header() -> str:
    return f"world: {WORLD}, kernel {os.uname().release}"
