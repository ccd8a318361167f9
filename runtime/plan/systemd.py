"""The systemd cgroup driver (`--systemd-cgroup`): the container's scope, before and beside its cgroups.

systemd makes a scope only around a process that exists. So the stage is started first, waiting and in
planc's own cgroup; then come the scope with its limits, the directories that systemd has not made, and
linux.resources once more as files. Nothing of the container's runs before.
"""

from __future__ import annotations

from runtime.plan.cgroup import RESOURCES, LimitRequest, join_files
from runtime.plan.ops import Op
from runtime.plan.systemd_properties import (
    annotation_properties,
    device_properties,
    resource_properties,
    scope_properties,
    without_repetition,
)
from runtime.plan.systemd_unit import POINTER, container_unit, systemd_cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.linux.host import Host
    from runtime.plan.container import Container
    from runtime.spec.model import LinuxResources

#: a limit of one process: the stage is one too, so that it comes when the stage has gone
ONE_TASK = "TasksMax=uint64 1"


def plan_systemd(c: Container, limits: list[Op]) -> list[Op]:
    """`limits` (of ``plan_cgroup``) for a container whose cgroups systemd makes, in the new order.

    Operation ``systemd_scope`` is put before them, and ``systemd_set`` behind them for what must wait.
    Raises PlanError.
    """
    systemd = c.host.systemd
    assert systemd is not None
    cgroups_path = c.linux.cgroups_path if c.linux else None
    resources = c.linux.resources if c.linux else None
    unit = container_unit(cgroups_path, c.options.id, systemd.user)
    cause = POINTER if cgroups_path else "(default cgroupsPath)"
    properties = _resources(resources, c.host)
    for op in limits:
        if op.code == "cgroup_devices":
            properties += device_properties(op.args["rules"], _pure_v2(c.host))
    one_task = ONE_TASK in properties
    scope = Op(
        "systemd_scope",
        cause,
        unit=unit.name,
        user=int(systemd.user),
        properties=[
            *scope_properties(unit.label, unit.slice, _pure_v2(c.host)),
            *annotation_properties(c.spec.annotations or {}),
            *[text for text in properties if text != ONE_TASK],
        ],
    )
    ops = [scope, *[_adopted(op) for op in limits]]
    if one_task:
        ops.append(_set(unit.name, systemd.user, [ONE_TASK], f"{RESOURCES}/pids/limit"))
    return ops


def enter_rest(c: Container) -> list[Op]:
    """The stage enters the v1 hierarchies that systemd does not look after; the others it is in."""
    cgroups_path = c.linux.cgroups_path if c.linux else None
    tasks = join_files(systemd_cgroups(cgroups_path, c.options.id, c.host))
    return [Op("enter_cgroups", "(cgroup)", tasks=tasks)] if tasks else []


def plan_unit_update(
    resources: LinuxResources, host: Host, current: dict[str, int], pointer: str, unit: str
) -> list[Op]:
    """The operation of `update` for the container's unit, none where systemd has no word for the change;
    arguments as ``runtime.plan.cgroup.plan_update``. Raises PlanError."""
    systemd = host.systemd
    assert systemd is not None
    request = LimitRequest(resources, True, current, pointer)
    properties = resource_properties(request, systemd.version, _pure_v2(host))
    if not properties:
        return []
    return [_set(unit, systemd.user, without_repetition(properties), pointer or "(update)")]


def _resources(resources: LinuxResources | None, host: Host) -> list[str]:
    if resources is None:
        return []
    assert host.systemd is not None
    request = LimitRequest(resources, False, {}, RESOURCES)
    return without_repetition(resource_properties(request, host.systemd.version, _pure_v2(host)))


def _adopted(op: Op) -> Op:
    """The directory may be there, with the stage in it."""
    return Op("cgroup_adopt", op.cause, **op.args) if op.code == "cgroup_create" else op


def _set(unit: str, user: bool, properties: list[str], cause: str) -> Op:
    return Op("systemd_set", cause, unit=unit, user=int(user), properties=properties)


def _pure_v2(host: Host) -> bool:
    return bool(host.cgroup.unified) and not host.cgroup.v1
