"""The checks of `linux.resources`: the ranges are those of the kernel's cgroup files."""

from __future__ import annotations

from runtime.errors import Problem
from runtime.spec.decode import entry, show
from runtime.spec.finding import items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import (
        LinuxBlockIO,
        LinuxCPU,
        LinuxDeviceCgroup,
        LinuxHugepageLimit,
        LinuxMemory,
        LinuxNetwork,
        LinuxRdma,
        LinuxResources,
    )

__all__ = ["check_resources"]


def check_resources(resources: LinuxResources, path: str, problems: list[Problem], update: bool) -> None:
    """path: where the object is, "" when it is the document itself; update: as validate_resources."""
    prefix = f"{path}." if path else ""
    _check_devices(resources.devices, f"{prefix}devices", problems)
    if resources.memory is not None:
        _check_memory(resources.memory, f"{prefix}memory", problems, update)
    if resources.cpu is not None:
        _check_cpu(resources.cpu, f"{prefix}cpu", problems)
    if resources.block_io is not None:
        _check_block_io(resources.block_io, f"{prefix}blockIO", problems)
    _check_hugepages(resources.hugepage_limits, f"{prefix}hugepageLimits", problems)
    if resources.network is not None:
        _check_network(resources.network, f"{prefix}network", problems)
    _check_rdma(resources.rdma, f"{prefix}rdma", problems)
    _check_unified(resources.unified, f"{prefix}unified", problems)


def _check_devices(rules: list[LinuxDeviceCgroup] | None, path: str, problems: list[Problem]) -> None:
    for where, rule in items(path, rules):
        access = rule.access
        if access and access.strip("rwm"):
            message = f"{show(access)} is not an access; write a combination of r, w and m"
            problems.append(Problem(f"{where}.access", access, message))
        for name, number in (("major", rule.major), ("minor", rule.minor)):
            if number is not None and number < -1:
                message = f"{number} is out of range; write a device number, or -1 for all"
                problems.append(Problem(f"{where}.{name}", number, message))


def _check_memory(memory: LinuxMemory, path: str, problems: list[Problem], update: bool) -> None:
    swap = memory.swap
    limit = memory.limit
    if not swap or swap < 0 or (update and not limit):
        return
    if not limit or limit < 0:
        shown = "missing" if limit is None else f"{limit} is no limit"
        message = f"{shown}; the limit of memory and swap, {swap}, needs a limit of memory too"
        problems.append(Problem(f"{path}.limit", limit, message))
    elif swap < limit:
        message = f"{swap} is below the memory limit {limit}; it is the limit of memory and swap together"
        problems.append(Problem(f"{path}.swap", swap, message))


def _check_cpu(cpu: LinuxCPU, path: str, problems: list[Problem]) -> None:
    """0 is "not set" for all but idle, and a negative quota is no limit."""
    if cpu.period and not 1000 <= cpu.period <= 1_000_000:
        message = f"{cpu.period} is out of range; write microseconds from 1000 to 1000000"
        problems.append(Problem(f"{path}.period", cpu.period, message))
    if cpu.quota and 0 < cpu.quota < 1000:
        message = f"{cpu.quota} is too small; write at least 1000 microseconds, or -1 for no limit"
        problems.append(Problem(f"{path}.quota", cpu.quota, message))
    if cpu.burst and cpu.quota and 0 < cpu.quota < cpu.burst:
        message = f"{cpu.burst} is above the quota {cpu.quota}; lower it, or raise quota"
        problems.append(Problem(f"{path}.burst", cpu.burst, message))
    runtime, period = cpu.realtime_runtime, cpu.realtime_period
    if runtime and period and runtime > period:
        message = f"{runtime} is above the realtimePeriod {period}; lower it, or raise realtimePeriod"
        problems.append(Problem(f"{path}.realtimeRuntime", runtime, message))
    for name, text in (("cpus", cpu.cpus), ("mems", cpu.mems)):
        if text and not _is_list_of_ranges(text):
            message = f"{show(text)} is not a list; write numbers and ranges as 0-3,7"
            problems.append(Problem(f"{path}.{name}", text, message))


def _is_list_of_ranges(text: str) -> bool:
    """cpuset(7), List format; the kernel also takes spaces and empty members."""
    for member in text.replace("\n", ",").split(","):
        first, dash, last = member.strip().partition("-")
        if not first and not dash:
            continue
        numbers = (first, last) if dash else (first,)
        if not all(number.isascii() and number.isdigit() for number in numbers):
            return False
        if dash and int(first[:9]) > int(last[:9]):
            return False
    return True


def _check_block_io(block_io: LinuxBlockIO, path: str, problems: list[Problem]) -> None:
    _check_weight(block_io.weight, f"{path}.weight", problems)
    _check_weight(block_io.leaf_weight, f"{path}.leafWeight", problems)
    for where, device in items(f"{path}.weightDevice", block_io.weight_device):
        _check_weight(device.weight, f"{where}.weight", problems)
        _check_weight(device.leaf_weight, f"{where}.leafWeight", problems)
        if device.weight is None and device.leaf_weight is None:
            problems.append(Problem(f"{where}.weight", None, "missing; this or leafWeight is required"))


def _check_weight(weight: int | None, path: str, problems: list[Problem]) -> None:
    if weight and not 10 <= weight <= 1000:
        message = f"{weight} is out of range; write a number from 10 to 1000, or 0 for the default"
        problems.append(Problem(path, weight, message))


def _check_hugepages(limits: list[LinuxHugepageLimit] | None, path: str, problems: list[Problem]) -> None:
    seen: dict[str, str] = {}
    for where, limit in items(path, limits):
        size = limit.page_size
        if size is None:
            continue
        message = ""
        number, unit = size[:-2], size[-2:]
        if unit not in ("KB", "MB", "GB") or not (number.isascii() and number.isdigit() and number[0] != "0"):
            message = f"{show(size)} is not a page size; write it as 64KB, 2MB or 1GB"
        elif size in seen:
            message = f"{show(size)} is already limited by {seen[size]}; keep one of them"
        if message:
            problems.append(Problem(f"{where}.pageSize", size, message))
        seen.setdefault(size, where)


def _check_network(network: LinuxNetwork, path: str, problems: list[Problem]) -> None:
    for where, interface in items(f"{path}.priorities", network.priorities):
        if interface.name == "":
            problems.append(Problem(f"{where}.name", "", '"" is empty; write the name of an interface'))


def _check_rdma(devices: dict[str, LinuxRdma] | None, path: str, problems: list[Problem]) -> None:
    for name, limits in (devices or {}).items():
        if limits is not None and limits.hca_handles is None and limits.hca_objects is None:
            where = f"{entry(path, name)}.hcaHandles"
            problems.append(Problem(where, None, "missing; this or hcaObjects is required"))


def _check_unified(files: dict[str, str] | None, path: str, problems: list[Problem]) -> None:
    for name, value in (files or {}).items():
        if "/" in name or "." not in name.strip("."):
            message = f"{show(name)} is not a file of a cgroup; write it as memory.high"
            problems.append(Problem(entry(path, name), value, message))
