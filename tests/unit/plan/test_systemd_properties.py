"""linux.resources, device rules and annotations as properties of a unit, by version of systemd and of cgroups."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import PlanError
from runtime.plan.cgroup import LimitRequest
from runtime.plan.systemd_properties import (
    annotation_properties,
    device_properties,
    quota_properties,
    resource_properties,
    without_repetition,
)
from runtime.plan.systemd_values import parse_value

from . import samples

INFINITY = 2**64 - 1


def properties(
    version: int = 252, unified: bool = True, current: dict[str, int] | None = None, **resources: Any
) -> dict[str, Any]:
    """The properties of resources by name."""
    value = samples.config()
    value["linux"]["resources"] = resources
    spec = samples.decode(value)
    assert spec.linux is not None and spec.linux.resources is not None
    request = LimitRequest(spec.linux.resources, current is not None, current or {}, "/linux/resources")
    texts = resource_properties(request, version, unified)
    return {text.partition("=")[0]: parse_value(text.partition("=")[2])[1] for text in texts}


@pytest.mark.parametrize(
    ("resources", "v2", "v1"),
    [
        ({"memory": {"limit": 4096}}, {"MemoryMax": 4096}, {"MemoryLimit": 4096}),
        ({"memory": {"limit": -1}}, {"MemoryMax": INFINITY, "MemorySwapMax": INFINITY}, {"MemoryLimit": INFINITY}),
        ({"memory": {"limit": 4096, "swap": 6144}}, {"MemoryMax": 4096, "MemorySwapMax": 2048}, {"MemoryLimit": 4096}),
        ({"memory": {"limit": 4096, "swap": 4096}}, {"MemoryMax": 4096, "MemorySwapMax": 0}, {"MemoryLimit": 4096}),
        ({"memory": {"limit": 4096, "swap": -1}}, {"MemoryMax": 4096, "MemorySwapMax": INFINITY}, {"MemoryLimit": 4096}),
        ({"memory": {"reservation": 512}}, {"MemoryLow": 512}, {}),
        ({"cpu": {"shares": 1024}}, {"CPUWeight": 100}, {"CPUShares": 1024}),
        ({"cpu": {"shares": 5, "idle": 1}}, {"CPUWeight": 0}, {}),
        ({"cpu": {"idle": 0}}, {}, {}),
        ({"pids": {"limit": 7}}, {"TasksMax": 7}, {"TasksMax": 7}),
        ({"pids": {"limit": -1}}, {"TasksMax": INFINITY}, {"TasksMax": INFINITY}),
        ({"pids": {"limit": 0}}, {}, {}),
        ({"cpu": {"cpus": "0-2,8"}}, {"AllowedCPUs": b"\x07\x01"}, {"AllowedCPUs": b"\x07\x01"}),
        ({"cpu": {"mems": "1"}}, {"AllowedMemoryNodes": b"\x02"}, {"AllowedMemoryNodes": b"\x02"}),
        ({"blockIO": {"weight": 1000}}, {"IOWeight": 10000}, {"BlockIOWeight": 1000}),
        ({"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 9}]}}, {"IOReadBandwidthMax": [("/dev/block/8:0", 9)]}, {}),
        ({"blockIO": {"throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 0}]}}, {"IOWriteIOPSMax": [("/dev/block/8:0", INFINITY)]}, {}),
        ({"blockIO": {"weightDevice": [{"major": 8, "minor": 1, "weight": 10}]}}, {"IODeviceWeight": [("/dev/block/8:1", 1)]}, {}),
        ({"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}, {}, {}),
    ],
)  # fmt: skip
def test_each_limit(resources: Any, v2: dict[str, Any], v1: dict[str, Any]) -> None:
    assert properties(**resources) == v2
    assert properties(unified=False, **resources) == v1


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        (241, {"CPUQuotaPerSecUSec": 500000}),
        (242, {"CPUQuotaPerSecUSec": 500000, "CPUQuotaPeriodUSec": 50000}),
        (244, {"CPUQuotaPerSecUSec": 500000, "CPUQuotaPeriodUSec": 50000, "AllowedCPUs": b"\x01"}),
        (
            252,
            {
                "CPUQuotaPerSecUSec": 500000,
                "CPUQuotaPeriodUSec": 50000,
                "AllowedCPUs": b"\x01",
                "CPUWeight": 0,
            },
        ),
    ],
)
def test_older_versions_are_not_told_what_they_do_not_know(version: int, wanted: dict[str, Any]) -> None:
    assert properties(version, cpu={"quota": 25000, "period": 50000, "cpus": "0", "idle": 1}) == wanted


@given(st.integers(1, 10**9), st.integers(1000, 1000000))
def test_a_quota_is_never_rounded_down(quota: int, period: int) -> None:
    """Whole percents of a CPU, less than one above what was asked for."""
    per_second = parse_value(quota_properties(quota, period, 252)[-1].partition("=")[2])[1]
    assert per_second % 10000 == 0
    assert 0 <= per_second - quota * 1000000 // period < 10000


def test_without_a_quota_there_is_no_limit() -> None:
    assert quota_properties(-1, 0, 252) == [f"CPUQuotaPerSecUSec=uint64 {INFINITY}"]
    assert quota_properties(0, 50000, 252) == [
        "CPUQuotaPeriodUSec=uint64 50000",
        f"CPUQuotaPerSecUSec=uint64 {INFINITY}",
    ]
    assert quota_properties(0, 0, 252) == []


def test_an_update_of_the_period_keeps_the_quota() -> None:
    """The two are one value on v2."""
    found = properties(current={"quota": 20000, "period": 100000}, cpu={"period": 40000})
    assert found == {"CPUQuotaPerSecUSec": 500000, "CPUQuotaPeriodUSec": 40000}


@pytest.mark.parametrize(
    ("file", "value", "wanted"),
    [
        ("memory.high", "4096", {"MemoryHigh": 4096}),
        ("memory.max", "max", {"MemoryMax": INFINITY}),
        ("memory.max", " max\n", {"MemoryMax": INFINITY}),
        ("memory.min", "1", {"MemoryMin": 1}),
        ("memory.low", "1", {"MemoryLow": 1}),
        ("memory.swap.max", "0", {"MemorySwapMax": 0}),
        ("pids.max", "5", {"TasksMax": 5}),
        ("cpu.weight", "77", {"CPUWeight": 77}),
        ("cpu.idle", "1", {"CPUWeight": 0}),
        ("cpu.idle", "0", {}),
        ("cpu.max", "max", {"CPUQuotaPeriodUSec": 100000, "CPUQuotaPerSecUSec": INFINITY}),
        ("cpu.max", "50000", {"CPUQuotaPeriodUSec": 100000, "CPUQuotaPerSecUSec": 500000}),
        ("cpu.max", "50000 200000", {"CPUQuotaPeriodUSec": 200000, "CPUQuotaPerSecUSec": 250000}),
        ("cpuset.cpus", "1,3", {"AllowedCPUs": b"\x0a"}),
        ("memory.oom.group", "1", {}),
        ("io.max", "8:0 rbps=1", {}),
        ("misc.max", "x", {}),
    ],
)
def test_unified(file: str, value: str, wanted: dict[str, Any]) -> None:
    config = samples.config()
    config["linux"]["resources"] = {"unified": {file: value}}
    spec = samples.decode(config)
    assert spec.linux is not None and spec.linux.resources is not None
    request = LimitRequest(spec.linux.resources, False, {}, "/linux/resources")
    found = [text.partition("=") for text in resource_properties(request, 252, True)]
    assert {name: parse_value(text)[1] for name, _, text in found} == wanted
    assert resource_properties(request, 252, False) == []


def test_group_oom_is_a_policy_since_253() -> None:
    from runtime.plan.systemd_properties import unified_properties

    assert unified_properties({"memory.oom.group": "1"}, "", 253) == ["OOMPolicy='kill'"]
    assert unified_properties({"memory.oom.group": "0"}, "", 253) == ["OOMPolicy='continue'"]


@pytest.mark.parametrize(("file", "value"), [("memory.max", "5k"), ("cpu.max", "a b"), ("cpuset.cpus", "1-"), ("cpuset.cpus", "3-1")])  # fmt: skip
def test_bad_values_of_unified(file: str, value: str) -> None:
    from runtime.plan.systemd_properties import unified_properties

    with pytest.raises(PlanError) as caught:
        unified_properties({file: value}, "/linux/resources", 252)
    assert str(caught.value).startswith(f'linux.resources.unified["{file}"]: "')


def test_of_two_values_for_a_property_the_last_counts() -> None:
    assert without_repetition(["A=1", "B=2", "A=3"]) == ["A=3", "B=2"]


# ---- devices -------------------------------------------------------------------------------------------------------

NONE = "deny a *:* rwm"


def test_devices_that_are_allowed() -> None:
    rules = [
        NONE,
        "allow c 1:3 rwm",
        "allow c 1:3 m",
        "allow b 8:* r",
        "allow c *:* m",
        "allow b 7:1 w",
        "deny b 7:1 w",
    ]
    assert device_properties(rules, unified=True) == [
        "DevicePolicy='strict'",
        "DeviceAllow=[('/dev/char/1:3', 'rwm'), ('block-8', 'r'), ('char-*', 'm')]",
    ]


def test_one_minor_of_every_major() -> None:
    rules = [NONE, "allow c *:3 r"]
    assert device_properties(rules, unified=True)[1] == "DeviceAllow=[('char-*', 'r')]"
    assert device_properties(rules, unified=False)[1] == "DeviceAllow=[]"


def test_exceptions_from_everything_are_not_systemds() -> None:
    wanted = ["DevicePolicy='auto'", "DeviceAllow=@a(ss) []"]
    assert device_properties(["allow a *:* rwm", "deny c 1:3 rwm"], unified=True) == wanted
    assert device_properties(["deny c 1:3 rwm"], unified=False) == wanted


# ---- annotations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("Description", "'a'", "Description='a'"),
        ("TimeoutStopSec", "5", "TimeoutStopUSec=uint64 5000000"),
        ("TimeoutStopSec", "uint64 5", "TimeoutStopUSec=uint64 5000000"),
        ("TimeoutStopSec", "0.25", "TimeoutStopUSec=uint64 250000"),
        ("TimeoutStopUSec", "uint64 5", "TimeoutStopUSec=uint64 5"),
        ("CPUQuotaPerSecUSec", "uint64 5", "CPUQuotaPerSecUSec=uint64 5"),
        ("After", " ['a', 'b'] ", "After=['a', 'b']"),
    ],
)
def test_annotations(name: str, text: str, wanted: str) -> None:
    annotations = {"org.example": "x", f"org.systemd.property.{name}": text}
    assert annotation_properties(annotations) == [wanted]


@pytest.mark.parametrize(
    ("name", "text"),
    [("", "1"), ("Ab", "1"), ("A.b", "1"), ("Größe", "1"), ("Abc", "x"), ("WaitSec", "'a'"), ("WaitSec", "-1"), ("WaitSec", "1e300")],
)  # fmt: skip
def test_bad_annotations(name: str, text: str) -> None:
    with pytest.raises(PlanError) as caught:
        annotation_properties({f"org.systemd.property.{name}": text})
    assert str(caught.value).startswith(f'annotations["org.systemd.property.{name}"]: ')
