"""linux.resources.devices in force: what a container may open, and that runc's may open the same."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import NamedTuple

import pytest

from . import cgroup
from .device_rule_table import DEFAULT, DEFAULT_LINES, DEVICES, TABLE, Rules
from .harness import Container, Runtime
from .limit_reading import Limits, read_unit
from .other_runc import NEEDS, as_runc, discard, runc_is_old

pytestmark = [*NEEDS, pytest.mark.needs_controller("devices"), pytest.mark.needs_root("device rules")]

SCRIPT = r"""
opens() {
    case $( { eval ": $1 /dev/tried"; } 2>&1 ) in *"not permitted"*) ;; *) printf "$2" ;; esac
}
while read kind major minor; do
    if mknod /dev/tried $kind $major $minor 2> /dev/null; then
        echo "$kind $major:$minor=$(opens '<' r)$(opens '>' w)"
        rm /dev/tried
    else
        echo "$kind $major:$minor=-"
    fi
done <<END
DEVICES
END
"""


class Seen(NamedTuple):
    """What the container could open, v1's devices.list, and what systemd says of the unit."""

    opens: dict[str, str]
    lines: list[str]
    unit: Limits


def make(container: Container, rules: Rules) -> Seen:
    """Create a container with the rules, read them back, and let it try to open each device.

    v1's list tells all, but where everything is allowed it does not tell the exceptions.
    """
    if rules.rules is not None:
        container.resources(devices=rules.rules)
    devices = "\n".join(name.replace(":", " ") for name in DEVICES)
    script = SCRIPT.replace("DEVICES", devices)
    v1 = "devices" in cgroup.v1_controllers()
    if not v1 and cgroup.DRIVER != "systemd":
        return Seen(_opens(container.sh(script)), [], {})
    container.shell(script).create()
    lines = sorted(cgroup.read(container.pid, "devices", "devices.list").splitlines()) if v1 else []
    unit = read_unit(container.pid)
    if v1 and rules.lines is not None:
        discard(container)
        return Seen({}, lines, unit)
    container.start()
    assert container.wait() == 0, container.output()
    container.delete()
    cgroup.remove_tree(container.id)
    assert container.created is not None
    return Seen(_opens(container.created.stdout), lines, unit)


def _opens(output: str) -> dict[str, str]:
    return {device: opens for device, _, opens in (line.partition("=") for line in output.splitlines())}


def lines_of(rules: Rules) -> list[str]:
    """What devices.list must say: one line for a device, whatever the number of rules."""
    if rules.lines is None:
        return ["a *:* rwm"]
    named = {line.rpartition(" ")[0] for line in rules.lines}
    return sorted([*rules.lines, *(line for line in DEFAULT_LINES if line.rpartition(" ")[0] not in named)])


@pytest.mark.parametrize("rules", TABLE, ids=[rules.name for rules in TABLE])
def test_devices(
    make_container: Callable[..., Container], make_runtime: Callable[[], Runtime], rules: Rules
) -> None:
    planc = make(make_container(), rules)
    if planc.opens:
        assert planc.opens == dict.fromkeys(DEVICES, "") | DEFAULT | rules.opens
    if planc.lines:
        assert planc.lines == lines_of(rules)
    runc = make(make_container(runtime=as_runc(make_runtime())), rules)
    assert (runc.opens, runc.lines) == (planc.opens, planc.lines)
    check_unit(rules, planc.unit, runc.unit)


def check_unit(rules: Rules, planc: Limits, runc: Limits) -> None:
    """What systemd was told; nothing without one."""
    if runc_is_old() and planc and rules.has_exceptions:
        # systemd has no words for them: old runc tells it to deny all, and undoes that by itself
        assert (runc["DevicePolicy"], allowed(runc)) == ("strict", set())
        assert (planc["DevicePolicy"], allowed(planc)) == ("auto", set())
        return
    assert runc.get("DevicePolicy") == planc.get("DevicePolicy")
    assert allowed(runc) == {rule for rule in allowed(planc) if not left_out(rule)}


def left_out(rule: str) -> bool:
    """Old runc does not tell systemd of devices that the kernel does not know (yet)."""
    if not runc_is_old():
        return False
    node = rule.split(" ")[0]
    if node.startswith("/"):
        return not os.path.exists(node.replace("/dev/", "/sys/dev/", 1))
    kind, _, number = node.partition("-")
    return number != "*" and number not in majors(kind).values()


def allowed(unit: Limits) -> set[str]:
    """DeviceAllow, with numbers for the names of drivers."""
    found = set()
    for rule in filter(None, unit.get("DeviceAllow", "").splitlines()):
        path, access = rule.split(" ")
        kind, dash, name = path.partition("-")
        number = majors(kind).get(name, name) if dash else ""
        found.add(f"{kind}{dash}{number} {''.join(sorted(access))}")
    return found


@functools.cache
def majors(kind: str) -> dict[str, str]:
    """Names in /proc/devices; kind: `char` or `block`."""
    with open("/proc/devices") as file:
        chars, blocks = file.read().split("\n\n")
    lines = (chars if kind == "char" else blocks).splitlines()[1:]
    return {name: number for number, name in (line.split() for line in lines)}
