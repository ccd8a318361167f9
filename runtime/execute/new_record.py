"""The record of a container that is about to be created."""

from __future__ import annotations

from runtime.state.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def record_of(spec: Any, bundle: str, rootfs: str, container_id: str) -> Record:
    """A new record with what config.json says that later commands need."""
    record = Record(container_id, bundle)
    record.rootfs = rootfs
    record.oci_version = spec.oci_version
    record.annotations = dict(spec.annotations or {})
    record.config = kept_config(spec.raw)
    record.terminal = bool(spec.process and spec.process.terminal)
    return record


LINUX_KEPT = ("gidMappings", "namespaces", "personality", "seccomp", "uidMappings")


def kept_config(raw: dict[str, Any]) -> dict[str, Any]:
    """The part of a config.json that `start`, `exec`, `kill` and `delete` go by."""
    linux = raw.get("linux") or {}
    hooks = raw.get("hooks") or {}
    return {
        "ociVersion": raw.get("ociVersion"),
        "process": raw.get("process"),
        "hooks": {kind: hooks[kind] for kind in ("poststart", "poststop") if hooks.get(kind)},
        "linux": {name: linux[name] for name in LINUX_KEPT if linux.get(name) is not None},
    }
