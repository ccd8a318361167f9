"""linux.resources and the annotations ``org.systemd.property.*`` as properties of a unit.

Whatever systemd can express is said to it, so that it does not undo it when it next writes the
cgroup's files; all of linux.resources is written to the files as well (see runtime.plan.cgroup), so
that what it cannot express, or rounds, holds all the same.
Each function gives properties as text, ``Name=VALUE`` (see systemd_values), in order.
Source: systemd.resource-control(5), org.freedesktop.systemd1(5), systemd's NEWS for the versions.
"""

from __future__ import annotations

from runtime.plan.refuse import pointer_token, refuse
from runtime.plan.systemd_values import boolean, string, uint64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.cgroup import LimitRequest
    from runtime.plan.device_rules import Device
    from runtime.spec.model import LinuxBlockIO, LinuxCPU, LinuxMemory

ANNOTATION = "org.systemd.property."

# the first version of systemd that has them
QUOTA_PERIOD = 242
CPUSET = 244
CPU_IDLE = 252
SCOPE_OOM_POLICY = 253

DEFAULT_PERIOD = 100000
USEC_PER_SEC = 1000000
#: systemd keeps a quota as whole percents of a CPU
QUOTA_STEP = USEC_PER_SEC // 100


def resource_properties(request: LimitRequest, version: int, unified: bool) -> list[str]:
    """The limits of `request` for systemd `version`; `unified`: the host is pure v2, else v1 or hybrid.

    Raises PlanError for a value of ``unified`` that no cgroup file would take either.
    """
    resources = request.resources
    found: list[str] = []
    if resources.memory is not None:
        found += _memory_v2(request) if unified else _memory_v1(resources.memory)
    if resources.cpu is not None:
        found += _weight_v2(resources.cpu, version) if unified else _shares_v1(resources.cpu)
        quota, period = resources.cpu.quota or 0, resources.cpu.period or 0
        if unified and (quota or period):
            # cpu.max is one value
            quota, period = (
                quota or request.current.get("quota", 0),
                period or request.current.get("period", 0),
            )
        found += quota_properties(quota, period, version)
        found += _cpuset(resources.cpu, request.pointer, version)
    if resources.block_io is not None:
        found += _io_v2(resources.block_io) if unified else _io_v1(resources.block_io)
    if resources.pids is not None and resources.pids.limit:
        found.append(f"TasksMax={uint64(resources.pids.limit)}")
    if unified and resources.unified:
        found += unified_properties(resources.unified, request.pointer, version)
    return found


def without_repetition(properties: list[str]) -> list[str]:
    """Of several values for one property the last (``unified`` overrides what was converted)."""
    last = {text.partition("=")[0]: text for text in properties}
    return list(last.values())


# memory


def _memory_v1(memory: LinuxMemory) -> list[str]:
    return [f"MemoryLimit={uint64(memory.limit)}"] if memory.limit else []


def _memory_v2(request: LimitRequest) -> list[str]:
    from runtime.plan.cgroup_v2 import swap_max

    memory = request.resources.memory
    assert memory is not None
    found = []
    if memory.limit:
        found.append(f"MemoryMax={uint64(memory.limit)}")
    if memory.reservation:
        found.append(f"MemoryLow={uint64(memory.reservation)}")
    swap = swap_max(request)
    if swap is not None:
        found.append(f"MemorySwapMax={uint64(swap)}")
    return found


# CPU


def _shares_v1(cpu: LinuxCPU) -> list[str]:
    return [f"CPUShares={uint64(cpu.shares)}"] if cpu.shares and cpu.idle != 1 else []


def _weight_v2(cpu: LinuxCPU, version: int) -> list[str]:
    """Weight 0 is systemd's word for idle."""
    if cpu.idle == 1:
        return [f"CPUWeight={uint64(0)}"] if version >= CPU_IDLE else []
    if not cpu.shares:
        return []
    from runtime.plan.cgroup_v2 import cpu_weight

    return [f"CPUWeight={uint64(cpu_weight(cpu.shares))}"]


def quota_properties(quota: int, period: int, version: int) -> list[str]:
    """A quota in microseconds per period; 0 is not given, a negative quota none."""
    found = []
    if period and version >= QUOTA_PERIOD:
        found.append(f"CPUQuotaPeriodUSec={uint64(period)}")
    if quota > 0:
        per_second = quota * USEC_PER_SEC // (period or DEFAULT_PERIOD)
        # up, so that a cgroup inside can have what the container was promised
        found.append(f"CPUQuotaPerSecUSec={uint64(-(-per_second // QUOTA_STEP) * QUOTA_STEP)}")
    elif quota or period:
        found.append(f"CPUQuotaPerSecUSec={uint64(-1)}")
    return found


def _cpuset(cpu: LinuxCPU, pointer: str, version: int) -> list[str]:
    if version < CPUSET:
        return []
    found = []
    for name, text, where in (("AllowedCPUs", cpu.cpus, "cpus"), ("AllowedMemoryNodes", cpu.mems, "mems")):
        if text:
            found.append(f"{name}={_bits(text, f'{pointer}/cpu/{where}')}")
    return found


def _bits(text: str, where: str) -> str:
    """ "0-2,8" as the bytes of a bit mask, the lowest first."""
    mask = 0
    try:
        for part in text.strip().split(","):
            low, dash, high = part.strip().partition("-")
            first, last = int(low), int(high) if dash else int(low)
            if not 0 <= first <= last < 1 << 16:
                raise ValueError
            mask |= (1 << last + 1) - (1 << first)
    except ValueError:
        raise refuse(where, f'"{text}" is not a list of numbers and ranges', "as in 0-3,7") from None
    data = mask.to_bytes((mask.bit_length() + 7) // 8, "little")
    return f"[{', '.join([f'byte 0x{byte:02x}' for byte in data])}]"


# I/O


def _io_v1(block_io: LinuxBlockIO) -> list[str]:
    return [f"BlockIOWeight={uint64(block_io.weight)}"] if block_io.weight else []


def _io_v2(block_io: LinuxBlockIO) -> list[str]:
    from runtime.plan.cgroup_v2 import io_weight

    found = []
    if block_io.weight:
        found.append(f"IOWeight={uint64(io_weight(block_io.weight))}")
    weights = [
        (f"/dev/block/{device.major}:{device.minor}", io_weight(device.weight))
        for device in block_io.weight_device or ()
        if device.weight
    ]
    found += _per_device("IODeviceWeight", weights)
    for name, devices in (
        ("IOReadBandwidthMax", block_io.throttle_read_bps_device),
        ("IOWriteBandwidthMax", block_io.throttle_write_bps_device),
        ("IOReadIOPSMax", block_io.throttle_read_iops_device),
        ("IOWriteIOPSMax", block_io.throttle_write_iops_device),
    ):
        rates = [
            (f"/dev/block/{throttled.major}:{throttled.minor}", throttled.rate or -1)
            for throttled in devices or ()
        ]
        found += _per_device(name, rates)
    return found


def _per_device(name: str, values: list[tuple[str, int]]) -> list[str]:
    pairs = [f"({string(path)}, {uint64(number)})" for path, number in values]
    return [f"{name}=[{', '.join(pairs)}]"] if pairs else []


# unified


UNIFIED_NUMBERS = {
    "memory.high": "MemoryHigh",
    "memory.low": "MemoryLow",
    "memory.max": "MemoryMax",
    "memory.min": "MemoryMin",
    "memory.swap.max": "MemorySwapMax",
    "pids.max": "TasksMax",
}
UNIFIED_CPUSETS = {"cpuset.cpus": "AllowedCPUs", "cpuset.mems": "AllowedMemoryNodes"}


def unified_properties(unified: dict[str, str], pointer: str, version: int) -> list[str]:
    """The files that systemd has a property for; it does not hear of the others."""
    idle = unified.get("cpu.idle", "").strip() == "1" and version >= CPU_IDLE
    found = [f"CPUWeight={uint64(0)}"] if idle else []
    for file, given in unified.items():
        where, value = f"{pointer}/unified/{pointer_token(file)}", given.strip()
        if file in UNIFIED_NUMBERS:
            found.append(f"{UNIFIED_NUMBERS[file]}={uint64(_number_or_max(value, where))}")
        elif file in UNIFIED_CPUSETS and version >= CPUSET and value:
            found.append(f"{UNIFIED_CPUSETS[file]}={_bits(value, where)}")
        elif file == "cpu.weight" and not idle:
            found.append(f"CPUWeight={uint64(_number_or_max(value, where))}")
        elif file == "cpu.max":
            quota, _, period = value.partition(" ")
            found += quota_properties(
                _number_or_max(quota, where), _number_or_max(period or str(DEFAULT_PERIOD), where), version
            )
        elif file == "memory.oom.group" and version >= SCOPE_OOM_POLICY and value in ("0", "1"):
            found.append(f"OOMPolicy={string('kill' if value == '1' else 'continue')}")
    return found


def _number_or_max(text: str, where: str) -> int:
    """-1 for max."""
    text = text.strip()
    if text == "max":
        return -1
    if not text.isdecimal():
        raise refuse(where, f'"{text}" is neither a number nor max')
    return int(text)


# devices


def device_properties(rules: list[str], unified: bool) -> list[str]:
    """The rules of operation ``cgroup_devices`` as far as systemd has words: none for exceptions from
    "all is allowed", which are left to the rules alone.

    ``/dev/char/MAJOR:MINOR`` (systemd looks at the numbers, also where there is no such file),
    ``char-MAJOR`` and ``char-*``. A rule for one minor number of every major is wider on v2, where
    the container's own program decides besides, and absent on v1, where systemd's word would be the last.
    """
    from runtime.plan.device_rules import DevicePolicy

    policy = DevicePolicy(allow=not unified)
    for rule in rules:
        policy.apply(rule)
    if policy.allow:
        return [f"DevicePolicy={string('auto')}", "DeviceAllow=@a(ss) []"]
    allowed = []
    for device, bits in policy.exceptions.items():
        path = _device_path(device, unified)
        if path:
            allowed.append(f"({string(path)}, {string(_access(bits))})")
    return [f"DevicePolicy={string('strict')}", f"DeviceAllow=[{', '.join(allowed)}]"]


def _device_path(device: Device, unified: bool) -> str:
    kind, major, minor = device
    name = "char" if kind == "c" else "block"
    if major is None:
        return f"{name}-*" if minor is None or unified else ""
    return f"{name}-{major}" if minor is None else f"/dev/{name}/{major}:{minor}"


def _access(bits: int) -> str:
    from runtime.plan.device_rules import ACCESS

    return "".join([letter for letter in "rwm" if bits & ACCESS[letter]])


# annotations


def annotation_properties(annotations: dict[str, str]) -> list[str]:
    """``org.systemd.property.NAME``: any property, its value in GVariant text.

    systemd.unit(5) calls times NAMESec, but D-Bus has NAMEUSec, in microseconds: the former is
    converted. Raises PlanError that names the annotation.
    """
    found = []
    for key, text in annotations.items():
        if key.startswith(ANNOTATION):
            name = key.removeprefix(ANNOTATION)
            found.append(_annotation(name, text, f"/annotations/{pointer_token(key)}"))
    return found


def _annotation(name: str, text: str, where: str) -> str:
    from runtime.plan.systemd_values import parse_value

    if len(name) < 3 or not (name.isascii() and name.isalpha()):
        raise refuse(where, f'"{name}" is not the name of a property of systemd', "as in TimeoutStopUSec")
    try:
        kind, value = parse_value(text)
        if name.endswith("Sec") and name[-4:-3].islower():
            return f"{name.removesuffix('Sec')}USec={uint64(_microseconds(kind, value))}"
    except ValueError as err:
        raise refuse(
            where, f"{err}", "values are GVariant text: 'text', true, uint64 5, ['a', 'b']"
        ) from None
    return f"{name}={text.strip()}"


def _microseconds(kind: str, value: object) -> int:
    if kind not in ("n", "q", "i", "u", "x", "t", "d"):
        raise ValueError("a time in seconds is a number")
    microseconds = int(value * USEC_PER_SEC)  # type: ignore[operator]
    if not 0 <= microseconds < 1 << 64:
        raise ValueError("the time is out of range")
    return microseconds


def scope_properties(label: str, slice: str, unified: bool) -> list[str]:
    """What every container's scope is given."""
    io = "IOAccounting" if unified else "BlockIOAccounting"
    return [
        f"Description={string(f'planc container {label}')}",
        f"Slice={string(slice)}",
        f"Delegate={boolean(True)}",
        f"MemoryAccounting={boolean(True)}",
        f"CPUAccounting={boolean(True)}",
        f"{io}={boolean(True)}",
        f"TasksAccounting={boolean(True)}",
        f"DefaultDependencies={boolean(False)}",
    ]
