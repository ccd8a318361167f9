"""Hooks that run after `create`: from the record, not from config.json."""

from __future__ import annotations

from runtime.execute.hooks import run_hook
from runtime.linux.json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run_recorded(kind: str, index: int, hook: dict[str, Any], state: dict[str, Any]) -> None:
    """Run one hook object as it stands in config.json. Raises KernelError."""
    run_hook(
        f"{kind} hook",
        hook["path"],
        hook.get("args"),
        hook.get("env"),
        hook.get("timeout") or 0,
        dumps(state, spaces=False),
        f"hooks.{kind}[{index}]",
    )
