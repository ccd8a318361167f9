"""Everything here makes real namespaces, mounts and devices: root only."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root, say so for each test of this folder."""
    if os.geteuid() == 0:
        return
    here = os.path.dirname(__file__) + os.sep
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.skip(reason="needs root"))
