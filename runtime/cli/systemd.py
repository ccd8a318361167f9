"""`--systemd-cgroup`: what every command that plans for it needs first."""

from __future__ import annotations

from runtime.errors import PlancError
from runtime.linux.host import Systemd
from runtime.linux.systemd import has_user_manager, read_systemd
from runtime.plan.systemd_unit import container_unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.linux.host import Host
    from runtime.spec.model import Spec
    from runtime.state.record import Record


def find_systemd(host: Host, rootless: bool) -> None:
    """Put the manager into the host's facts: the caller's own where the caller is not root of the host.

    Raises PlancError when it cannot be reached.
    """
    user = own_manager(host, rootless)
    if user and host.cgroup.v1:
        # planning refuses that, manager or not
        host.systemd = usual_systemd(host, user)
    else:
        host.systemd = read_systemd(user)


def assume_systemd(host: Host, rootless: bool) -> str:
    """As :func:`find_systemd`, but without a manager assume a usual one; returns what is to be said then."""
    try:
        find_systemd(host, rootless)
    except PlancError as err:
        user = own_manager(host, rootless)
        host.systemd = usual_systemd(host, user)
        return f"{err.message}; the plan is for systemd {host.systemd.version}"
    return ""


def own_manager(host: Host, rootless: bool) -> bool:
    """Whether the container's unit is one of the caller's manager: for rootless, but for root of a user
    namespace that has a systemd of its own."""
    return rootless and (host.euid != 0 or has_user_manager())


def usual_systemd(host: Host, user: bool) -> Systemd:
    if not user:
        return Systemd()
    uid = host.uid_map[0][1] if host.user_namespace and host.euid == 0 else host.euid
    return Systemd(user=True, control_group=f"/user.slice/user-{uid}.slice/user@{uid}.service")


def record_unit(record: Record, spec: Spec, host: Host) -> None:
    """Have later commands find the unit. Raises PlanError for a bad cgroupsPath."""
    assert host.systemd is not None
    path = spec.linux.cgroups_path if spec.linux else None
    record.systemd_cgroup = True
    record.systemd_user = host.systemd.user
    record.systemd_unit = container_unit(path, record.id, host.systemd.user).name
