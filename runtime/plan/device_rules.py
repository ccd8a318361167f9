"""linux.resources.devices as rules in order, each "allow c 1:3 rwm".

The user's rules come first and planc's own after them, so that no rule takes away what every
container needs; the form is that of the v1 devices controller, whose rules also hold for v2.
"""

from __future__ import annotations

from runtime.plan.refuse import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import LinuxDeviceCgroup

    #: type ("b" or "c"), major, minor (None: all)
    Device = tuple[str, int | None, int | None]

# linux/bpf.h BPF_DEVCG_ACC_*, include/linux/device_cgroup.h DEVCG_ACC_*
ACCESS = {"m": 1, "r": 2, "w": 4}
ALL_ACCESS = 7

DEFAULT_RULES = (
    # making a node is harmless where opening it is not allowed
    "allow c *:* m",
    "allow b *:* m",
    "allow c 1:3 rwm",  # null
    "allow c 1:5 rwm",  # zero
    "allow c 1:7 rwm",  # full
    "allow c 1:8 rwm",  # random
    "allow c 1:9 rwm",  # urandom
    "allow c 5:0 rwm",  # tty
    "allow c 5:2 rwm",  # ptmx
    "allow c 10:200 rwm",  # net/tun
    "allow c 136:* rwm",  # pts/*
)


class DevicePolicy:
    """What the rules come to: ``allow``, the answer for devices without an exception, and
    ``exceptions``, the access bits for which a device gets the other answer."""

    __slots__ = ("allow", "exceptions")

    def __init__(self, allow: bool = True) -> None:
        self.allow = allow
        self.exceptions: dict[Device, int] = {}

    def apply(self, rule: str) -> None:
        """Apply one rule, as a write to devices.allow or devices.deny does."""
        kind, major, minor, bits = _parse(rule)
        allow = rule.startswith("allow")
        if kind == "a":
            self.allow = allow
            self.exceptions.clear()
            return
        device = (kind, major, minor)
        if allow != self.allow:
            self.exceptions[device] = self.exceptions.get(device, 0) | bits
        elif left := self.exceptions.get(device, 0) & ~bits:
            self.exceptions[device] = left
        else:
            self.exceptions.pop(device, None)


def device_rules(wanted: list[LinuxDeviceCgroup], pointer: str) -> list[str]:
    """The rules for a container.

    Nothing is allowed but what a rule allows: in v1 too, where a new cgroup begins with all of its parent's.
    Raises PlanError for a rule that would silently not hold: see :func:`_check_hole`.
    """
    rules: list[str] = []
    if not (wanted and (wanted[0].type or "a") == "a"):
        rules.append("deny a *:* rwm")
    policy = DevicePolicy(allow=False)
    for index, rule in enumerate(wanted):
        text = _text(rule, f"{pointer}/{index}")
        if (rule.type or "a") != "a" and bool(rule.allow) == policy.allow:
            _check_hole(policy, text, f"{pointer}/{index}")
        policy.apply(text)
        rules.append(text)
    for text in DEFAULT_RULES:
        if policy.allow:
            _check_hole(policy, text, pointer)
    return rules + list(DEFAULT_RULES)


def _text(rule: LinuxDeviceCgroup, where: str) -> str:
    verb, kind = "allow" if rule.allow else "deny", rule.type or "a"
    if kind == "a":
        # for the kernel this is every device and every access, whatever else the rule says
        return f"{verb} a *:* rwm"
    if kind not in ("b", "c"):
        raise refuse(where, f'the type of a device rule is a, b or c, not "{kind}"')
    if not rule.access:
        raise refuse(where, "the rule has no access; write a combination of r, w and m")
    numbers = ["*" if number in (None, -1) else str(number) for number in (rule.major, rule.minor)]
    return f"{verb} {kind} {':'.join(numbers)} {rule.access}"


def _check_hole(policy: DevicePolicy, text: str, where: str) -> None:
    """An exception can be taken back, but not a part of one with a wildcard: the kernel would ignore
    "deny c 1:3 rwm" after "allow c *:* rwm", and the user believe that it holds."""
    kind, major, minor, bits = _parse(text)
    for wild in ((kind, None, None), (kind, major, None), (kind, None, minor)):
        if wild != (kind, major, minor) and policy.exceptions.get(wild, 0) & bits:
            earlier = ":".join(["*" if number is None else str(number) for number in wild[1:]])
            verb = "deny" if policy.allow else "allow"
            raise refuse(where, f'"{text}" cannot take a part out of "{verb} {kind} {earlier}" before it')


def _parse(rule: str) -> tuple[str, int | None, int | None, int]:
    _, kind, numbers, access = rule.split(" ")
    major, minor = [None if number == "*" else int(number) for number in numbers.split(":")]
    bits = 0
    for letter in access:
        bits |= ACCESS[letter]
    return kind, major, minor, bits
