"""Adopting the container's orphans, prctl(2) PR_SET_CHILD_SUBREAPER."""

from __future__ import annotations

from runtime.native import set_child_subreaper

TYPE_CHECKING = False


def become_subreaper() -> None:
    """Orphans below this process become its children: `run` reaps them."""
    set_child_subreaper(True)
