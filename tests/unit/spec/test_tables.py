"""Names and numbers of signals, capabilities and sysctls."""

import signal
from pathlib import Path

import pytest

from runtime.errors import UsageError
from runtime.linux.capabilities import (
    CAPABILITIES,
    LAST_CAPABILITY,
    capability_mask,
    capability_names,
)
from runtime.linux.signals import RTMAX, RTMIN, SIGNALS, parse_signal, signal_name
from runtime.spec.sysctl import sysctl_namespace, sysctl_parts


def test_signals_are_those_of_python() -> None:
    for number in signal.Signals:
        if number.name not in ("SIGRTMIN", "SIGRTMAX"):
            assert SIGNALS[number.name] == number.value
    assert (RTMIN, RTMAX) == (signal.SIGRTMIN, signal.SIGRTMAX)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("TERM", 15),
        ("SIGTERM", 15),
        ("term", 15),
        ("sigterm", 15),
        ("15", 15),
        ("0", 0),
        ("64", 64),
        ("SIGCLD", 17),
        ("RTMIN", 34),
        ("SIGRTMIN", 34),
        ("RTMIN+3", 37),
        ("sigrtmin+30", 64),
        ("RTMAX", 64),
        ("SIGRTMAX-30", 34),
    ],
)
def test_parse_signal(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FOO",
        "SIG",
        "65",
        "-1",
        "1.5",
        "²",
        "9" * 5000,
        "RTMIN+31",
        "RTMAX-31",
        "RTMIN+",
        "RTMIN-1",
        "SIGSIGTERM",
    ],
)
def test_no_signal(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_signal(text)
    assert str(caught.value) == (
        f'"{text}" is not a signal; give a name such as TERM or SIGTERM, or a number from 0 to 64'
    )


def test_signal_names() -> None:
    assert [signal_name(number) for number in (6, 17, 29, 34, 37, 99)] == [
        "SIGABRT",
        "SIGCHLD",
        "SIGIO",
        "SIGRTMIN",
        "SIGRTMIN+3",
        "99",
    ]
    for number in range(1, 65):
        name = signal_name(number)
        assert parse_signal(name) == number


def test_capabilities() -> None:
    """The numbers of <linux/capability.h>; the kernel that runs has no fewer than it says."""
    assert len(CAPABILITIES) == 41
    assert (CAPABILITIES["CAP_CHOWN"], CAPABILITIES["CAP_KILL"], CAPABILITIES["CAP_SETPCAP"]) == (0, 5, 8)
    assert (CAPABILITIES["CAP_SYS_ADMIN"], CAPABILITIES["CAP_MKNOD"]) == (21, 27)
    assert (CAPABILITIES["CAP_AUDIT_READ"], CAPABILITIES["CAP_CHECKPOINT_RESTORE"]) == (37, 40)
    assert LAST_CAPABILITY == 40
    assert int(Path("/proc/sys/kernel/cap_last_cap").read_text()) <= LAST_CAPABILITY


def test_capability_masks() -> None:
    assert capability_mask(["CAP_CHOWN", "CAP_KILL", "CAP_NO"]) == 0b100001
    assert capability_names(0b100001 | 1 << 63) == ["CAP_CHOWN", "CAP_KILL"]
    assert capability_mask(list(CAPABILITIES)) == 2**41 - 1


@pytest.mark.parametrize(
    ("name", "parts", "namespace"),
    [
        ("net.ipv4.ip_forward", ["net", "ipv4", "ip_forward"], "network"),
        ("net/ipv4/ip_forward", ["net", "ipv4", "ip_forward"], "network"),
        ("net.ipv4.conf.eth0/1.forwarding", ["net", "ipv4", "conf", "eth0.1", "forwarding"], "network"),
        ("net/ipv4/conf/eth0.1/forwarding", ["net", "ipv4", "conf", "eth0.1", "forwarding"], "network"),
        ("kernel.msgmax", ["kernel", "msgmax"], "ipc"),
        ("fs.mqueue.queues_max", ["fs", "mqueue", "queues_max"], "ipc"),
        ("kernel.domainname", ["kernel", "domainname"], "uts"),
        ("user.max_user_namespaces", ["user", "max_user_namespaces"], "user"),
        ("kernel.panic", ["kernel", "panic"], ""),
        ("kernel.shmmax.x", ["kernel", "shmmax", "x"], ""),
        ("fs.file-max", ["fs", "file-max"], ""),
    ],
)
def test_sysctls(name: str, parts: list[str], namespace: str) -> None:
    assert sysctl_parts(name) == parts
    assert sysctl_namespace(parts) == namespace


@pytest.mark.parametrize("name", ["", "net", ".net.x", "net..x", "net.x.", "net/../x", "net/./x", "/net/x"])
def test_no_sysctls(name: str) -> None:
    assert sysctl_parts(name) is None
