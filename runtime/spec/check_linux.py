"""The checks of `linux` and of what depends on its namespaces."""

from __future__ import annotations

from runtime.errors import Problem
from runtime.spec.check_idmap import check_mappings, check_mount_mappings
from runtime.spec.check_resources import check_resources
from runtime.spec.check_seccomp import check_seccomp
from runtime.spec.decode import entry, show
from runtime.spec.finding import Namespaces, check_absolute, check_unsupported, items
from runtime.spec.sysctl import sysctl_namespace, sysctl_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import Linux, LinuxDevice, Spec

__all__ = ["check_linux"]


def check_linux(spec: Spec, problems: list[Problem]) -> None:
    """Everything in `linux`, and the id mappings of `mounts`."""
    namespaces = Namespaces(spec)
    check_mount_mappings(spec, namespaces, problems)
    linux = spec.linux
    if linux is None:
        return
    _check_namespaces(linux, problems)
    check_mappings(spec, linux, namespaces, problems)
    _check_time_offsets(linux, namespaces, problems)
    _check_sysctl(spec, linux, namespaces, problems)
    _check_masks(linux, namespaces, problems)
    _check_devices(linux.devices, problems)
    if linux.seccomp is not None:
        check_seccomp(linux.seccomp, problems)
    if linux.resources is not None:
        check_resources(linux.resources, "linux.resources", problems, update=False)
    if linux.personality is not None and linux.personality.flags:
        spec.warnings.append("linux.personality.flags: there are no flags yet, they are ignored")
    _check_unsupported(linux, problems)


def _check_namespaces(linux: Linux, problems: list[Problem]) -> None:
    seen: dict[str, str] = {}
    for path, namespace in items("linux.namespaces", linux.namespaces):
        kind = namespace.type
        if kind in seen:
            message = f"{show(kind)} is a duplicate of {seen[kind]}; keep one of them"
            problems.append(Problem(f"{path}.type", kind, message))
        elif kind is not None:
            seen[kind] = path
        if namespace.path:
            check_absolute(namespace.path, f"{path}.path", problems)


def _check_time_offsets(linux: Linux, namespaces: Namespaces, problems: list[Problem]) -> None:
    """time_namespaces(7): only of a namespace that nothing has entered yet."""
    path = "linux.timeOffsets"
    offsets = linux.time_offsets
    if not offsets:
        return
    for clock in offsets:
        if clock not in ("boottime", "monotonic"):
            message = f"{show(clock)} is not a clock of a time namespace; use boottime or monotonic"
            problems.append(Problem(entry(path, clock), None, message))
    namespace = namespaces.get("time")
    if namespaces.lack("time"):
        message = 'needs a time namespace; add {"type": "time"} to linux.namespaces'
        problems.append(Problem(path, None, message))
    elif namespace is not None and namespace.path:
        message = f"{show(namespace.path)} has its offsets already; remove these, or linux.namespaces' path"
        problems.append(Problem(path, None, message))


def _check_sysctl(spec: Spec, linux: Linux, namespaces: Namespaces, problems: list[Problem]) -> None:
    for name, value in (linux.sysctl or {}).items():
        message = _sysctl_problem(spec, name, namespaces)
        if message:
            problems.append(Problem(entry("linux.sysctl", name), value, message))


def _sysctl_problem(spec: Spec, name: str, namespaces: Namespaces) -> str:
    parts = sysctl_parts(name)
    if parts is None:
        return f"{show(name)} is not a sysctl; write it as net.ipv4.ip_forward"
    if parts == ["kernel", "hostname"]:
        return "set hostname instead"
    if parts == ["kernel", "domainname"] and spec.domainname:
        return f"domainname is set too, to {show(spec.domainname)}; keep one of them"
    kind = sysctl_namespace(parts)
    if not kind:
        return "is not namespaced and would change the host; remove it, or set it on the host with sysctl(8)"
    if namespaces.lack(kind):
        return f'belongs to the {kind} namespace; add {{"type": "{kind}"}} to linux.namespaces'
    return ""


def _check_masks(linux: Linux, namespaces: Namespaces, problems: list[Problem]) -> None:
    for path, paths in (
        ("linux.maskedPaths", linux.masked_paths),
        ("linux.readonlyPaths", linux.readonly_paths),
    ):
        for where, target in items(path, paths):
            check_absolute(target, where, problems)
        if paths and namespaces.lack("mount"):
            message = 'needs a mount namespace; add {"type": "mount"} to linux.namespaces'
            problems.append(Problem(path, paths, message))


def _check_devices(devices: list[LinuxDevice] | None, problems: list[Problem]) -> None:
    """makedev(3) on Linux: 12 bits of major and 20 of minor."""
    for path, device in items("linux.devices", devices):
        check_absolute(device.path, f"{path}.path", problems)
        if device.type is None or device.type == "p":
            continue
        for name, number, last in (("major", device.major, 0xFFF), ("minor", device.minor, 0xFFFFF)):
            if number is None:
                message = f"missing; a device of type {device.type} needs major and minor"
                problems.append(Problem(f"{path}.{name}", None, message))
            elif not 0 <= number <= last:
                message = f"{number} is out of range; write a number from 0 to {last}"
                problems.append(Problem(f"{path}.{name}", number, message))


def _check_unsupported(linux: Linux, problems: list[Problem]) -> None:
    check_unsupported(linux.net_devices, "linux.netDevices", "netDevices", problems)
    check_unsupported(linux.intel_rdt, "linux.intelRdt", "intelRdt", problems)
    check_unsupported(linux.memory_policy, "linux.memoryPolicy", "memoryPolicy", problems)
