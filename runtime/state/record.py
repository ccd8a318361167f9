"""The record of one container: what is written to <root>/<id>/state.json."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

RECORD_VERSION = 1


class Record:
    """What later commands need to know of a container, and nothing they could look up.

    pid, start_time   init in the caller's pid namespace; 0 before there is one
    created           RFC 3339, UTC
    cgroups           per hierarchy: its controllers (none: the unified one) and the absolute directory
    config            the parts of config.json that outlive `create` (process, hooks, annotations,
                      linux.namespaces ...), as they were then: later edits of the file do not count
    notify_socket     the host's NOTIFY_SOCKET at create, "" for none
    systemd_unit      with the systemd cgroup driver: the container's scope; else ""
    systemd_user      it is one of the caller's own manager (systemd --user)
    covered_mount     without a mount namespace of the container's own: id of the caller's mount under its
                      root file system, see mount_namespaces(7) and proc(5); else 0
    """

    __slots__ = (
        "annotations", "bundle", "cgroups", "config", "covered_mount", "created", "creating", "id",
        "no_pivot", "notify_socket", "oci_version", "pid", "rootfs", "rootless", "start_time",
        "systemd_cgroup", "systemd_unit", "systemd_user", "terminal",
    )  # fmt: skip

    def __init__(self, container_id: str, bundle: str) -> None:
        self.id = container_id
        self.bundle = bundle
        self.rootfs = ""
        self.oci_version = ""
        self.pid = 0
        self.start_time = 0
        self.created = ""
        self.creating = True
        self.cgroups: list[tuple[Sequence[str], str]] = []
        self.annotations: dict[str, str] = {}
        self.config: dict[str, Any] = {}
        self.notify_socket = ""
        self.covered_mount = 0
        self.rootless = False
        self.systemd_cgroup = False
        self.systemd_unit = ""
        self.systemd_user = False
        self.no_pivot = False
        self.terminal = False

    def to_json(self) -> dict[str, Any]:
        """As a JSON object; the inverse of :func:`from_json`."""
        values: dict[str, Any] = {"version": RECORD_VERSION}
        for name in self.__slots__:
            values[name] = getattr(self, name)
        return values


def from_json(values: dict[str, Any]) -> Record:
    """The record in a parsed state.json. Raises KeyError or TypeError when it is none of ours."""
    record = Record(values["id"], values["bundle"])
    for name in Record.__slots__:
        if name in values:
            setattr(record, name, values[name])
    record.cgroups = [(tuple(controllers), path) for controllers, path in values.get("cgroups", ())]
    return record


def has_own_pid_namespace(record: Record) -> bool:
    """Whether init is the first process of a pid namespace made for this container."""
    for namespace in record.config.get("linux", {}).get("namespaces", ()):
        if namespace.get("type") == "pid":
            return not namespace.get("path")
    return False
