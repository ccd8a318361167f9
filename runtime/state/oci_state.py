"""The state of a container as runtime-spec defines it ("State")."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.state.record import Record


def oci_state(record: Record, status: str) -> dict[str, Any]:
    """The JSON object given to hooks and seccomp agents; `pid` only while there is a process."""
    state: dict[str, Any] = {
        "ociVersion": record.oci_version,
        "id": record.id,
        "status": status,
    }
    if status != "stopped":
        state["pid"] = record.pid
    state["bundle"] = record.bundle
    if record.annotations:
        state["annotations"] = record.annotations
    return state


def state_output(record: Record, status: str, owner: str = "") -> dict[str, Any]:
    """The JSON object that `state` and `list` print: with runc's additional members, pid 0 when stopped."""
    return {
        "ociVersion": record.oci_version,
        "id": record.id,
        "pid": 0 if status == "stopped" else record.pid,
        "status": status,
        "bundle": record.bundle,
        "rootfs": record.rootfs,
        "created": record.created,
        "annotations": record.annotations,
        "owner": owner,
    }
