"""Device rules as a BPF program: it answers as the v1 devices controller would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import PlanError
from runtime.plan.device_filter import device_filter
from runtime.plan.device_rules import DEFAULT_RULES, device_rules
from runtime.spec.model import LinuxDeviceCgroup

from . import bpf_simulator

ACCESS = {"m": 1, "r": 2, "w": 4}
KINDS = {"b": 1, "c": 2}


class DevicesCgroup:
    """The v1 devices controller, written after security/device_cgroup.c and nothing of planc's."""

    def __init__(self) -> None:
        self.allows = True
        self.exceptions: list[list[object]] = []

    def write(self, rule: str) -> None:
        verb, kind, numbers, access = rule.split()
        if kind == "a":
            self.allows = verb == "allow"
            self.exceptions = []
        elif (verb == "allow") != self.allows:
            self._add(kind, numbers, set(access))
        else:
            self._remove(kind, numbers, set(access))

    def _add(self, kind: str, numbers: str, access: set[str]) -> None:
        for entry in self.exceptions:
            if entry[:2] == [kind, numbers]:
                entry[2] |= access  # type: ignore[operator]
                return
        self.exceptions.append([kind, numbers, set(access)])

    def _remove(self, kind: str, numbers: str, access: set[str]) -> None:
        for entry in self.exceptions:
            if entry[:2] == [kind, numbers]:
                entry[2] -= access  # type: ignore[operator]
        self.exceptions = [entry for entry in self.exceptions if entry[2]]

    def may(self, access: str, kind: str, major: int, minor: int) -> bool:
        wanted = set(access)
        for entry_kind, numbers, has in self.exceptions:
            entry_major, entry_minor = str(numbers).split(":")
            if entry_kind != kind or entry_major not in ("*", str(major)):
                continue
            if entry_minor not in ("*", str(minor)):
                continue
            assert isinstance(has, set)
            if self.allows and wanted & has:
                return False
            if not self.allows and wanted <= has:
                return True
        return self.allows


numbers = st.sampled_from(["*", "0", "1", "3", "255", "4294967295"])
rules = st.one_of(
    st.sampled_from(["allow a *:* rwm", "deny a *:* rwm"]),
    st.builds(
        lambda verb, kind, major, minor, access: f"{verb} {kind} {major}:{minor} {access}",
        st.sampled_from(["allow", "deny"]),
        st.sampled_from(["b", "c"]),
        numbers,
        numbers,
        st.sampled_from(["r", "w", "m", "rw", "wm", "rm", "rwm"]),
    ),
)
accesses = st.sampled_from(["r", "w", "m", "rw", "wm", "rm", "rwm"])


def answer(program: bytes, access: str, kind: str, major: int, minor: int) -> bool:
    bits = sum(ACCESS[letter] for letter in access)
    return bpf_simulator.run(program, bits, KINDS[kind], major, minor)


@given(
    st.lists(rules, max_size=12),
    accesses,
    st.sampled_from(["b", "c"]),
    st.sampled_from([0, 1, 2, 3, 255, 4294967295]),
    st.sampled_from([0, 1, 3, 4, 255, 4294967295]),
)
def test_it_answers_as_v1(listed: list[str], access: str, kind: str, major: int, minor: int) -> None:
    cgroup = DevicesCgroup()
    for rule in listed:
        cgroup.write(rule)
    assert answer(device_filter(listed), access, kind, major, minor) == cgroup.may(access, kind, major, minor)


@pytest.mark.parametrize(
    ("access", "kind", "major", "minor", "allowed"),
    [
        ("rw", "c", 1, 3, True),
        ("rwm", "c", 136, 77, True),
        ("m", "c", 8, 0, True),
        ("m", "b", 8, 0, True),
        ("r", "b", 8, 0, False),
        ("rm", "b", 8, 0, False),
        ("r", "b", 1, 3, False),
        ("r", "c", 1, 1, False),
        ("r", "c", 5, 1, False),
        ("rw", "c", 5, 2, True),
    ],
)
def test_what_every_container_may(access: str, kind: str, major: int, minor: int, allowed: bool) -> None:
    listed = device_rules([LinuxDeviceCgroup(allow=False, access="rwm")], "/linux/resources/devices")
    assert listed == ["deny a *:* rwm", *DEFAULT_RULES]
    assert answer(device_filter(listed), access, kind, major, minor) is allowed


def test_without_a_rule_nothing_is_allowed() -> None:
    fuse = LinuxDeviceCgroup(allow=True, type="c", major=10, minor=229, access="rw")
    listed = device_rules([fuse], "/linux/resources/devices")
    assert listed == ["deny a *:* rwm", "allow c 10:229 rw", *DEFAULT_RULES]


def test_allow_all_is_short() -> None:
    program = device_filter(["allow a *:* rwm"])
    assert answer(program, "rwm", "b", 8, 0) is True
    assert len(program) == 8 * 8


def test_numbers_absent_and_minus_one_are_all() -> None:
    wanted = [
        LinuxDeviceCgroup(allow=False, access="rwm"),
        LinuxDeviceCgroup(allow=True, type="c", major=10, minor=-1, access="r"),
        LinuxDeviceCgroup(allow=True, type="b", access="r"),
    ]
    assert device_rules(wanted, "/linux/resources/devices")[:3] == [
        "deny a *:* rwm",
        "allow c 10:* r",
        "allow b *:* r",
    ]


def rule(allow: bool, kind: str, major: int | None, minor: int | None, access: str) -> LinuxDeviceCgroup:
    return LinuxDeviceCgroup(allow=allow, type=kind, major=major, minor=minor, access=access)


ALL = LinuxDeviceCgroup(allow=False, access="rwm")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            [ALL, rule(True, "c", None, None, "rwm"), rule(False, "c", 1, 1, "w")],
            'linux.resources.devices[2]: "deny c 1:1 w" cannot take a part out of "allow c *:*" before it',
        ),
        (
            [ALL, rule(True, "c", 1, None, "rw"), rule(False, "c", 1, 1, "w")],
            'linux.resources.devices[2]: "deny c 1:1 w" cannot take a part out of "allow c 1:*" before it',
        ),
        (
            [ALL, rule(True, "c", None, 1, "rw"), rule(False, "c", 1, 1, "w")],
            'linux.resources.devices[2]: "deny c 1:1 w" cannot take a part out of "allow c *:1" before it',
        ),
        (
            [LinuxDeviceCgroup(allow=True), rule(False, "c", None, None, "r")],
            'linux.resources.devices: "allow c 1:3 rwm" cannot take a part out of "deny c *:*" before it',
        ),
        (
            [rule(True, "p", 1, 1, "r")],
            'linux.resources.devices[0]: the type of a device rule is a, b or c, not "p"',
        ),
        (
            [rule(True, "c", 1, 1, "")],
            "linux.resources.devices[0]: the rule has no access; write a combination of r, w and m",
        ),
    ],
)
def test_rules_that_would_not_hold(wanted: list[LinuxDeviceCgroup], message: str) -> None:
    with pytest.raises(PlanError) as caught:
        device_rules(wanted, "/linux/resources/devices")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "wanted",
    [
        # taken back whole, or by its own wildcard
        [ALL, rule(True, "c", 1, 1, "rw"), rule(False, "c", 1, 1, "w")],
        [
            ALL,
            rule(True, "c", None, None, "rw"),
            rule(False, "c", None, None, "w"),
            rule(False, "c", 1, 1, "w"),
        ],
        # other access, other kind
        [ALL, rule(True, "c", None, None, "r"), rule(False, "c", 1, 1, "w")],
        [ALL, rule(True, "b", None, None, "rwm"), rule(False, "c", 1, 1, "w")],
        # what came before "all" no longer counts
        [rule(False, "c", None, None, "r"), ALL],
    ],
)
def test_rules_that_hold(wanted: list[LinuxDeviceCgroup]) -> None:
    rules_ = device_rules(wanted, "/linux/resources/devices")
    assert rules_[0] == "deny a *:* rwm"
    assert rules_[-len(DEFAULT_RULES) :] == list(DEFAULT_RULES)


@pytest.mark.parametrize(
    "program",
    [
        b"\x95\0\0\0\0\0\0\0",  # r0 was never set
        b"\xb7\0\0\0\x01\0\0\0",  # no exit
        b"\x05\0\xff\xff\0\0\0\0",  # unknown
    ],
)
def test_the_simulator_refuses_what_the_verifier_refuses(program: bytes) -> None:
    with pytest.raises(bpf_simulator.BadProgram):
        bpf_simulator.run(program, 1, 1, 1, 1)
