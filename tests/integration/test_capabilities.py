"""process.capabilities: each of the five sets exactly as asked, checked through /proc/PID/status."""

from __future__ import annotations

import pytest

from . import caller, proc
from .base_config import CAPABILITIES
from .harness import Container

NUMBERS = {
    "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_FOWNER": 3, "CAP_FSETID": 4, "CAP_KILL": 5,
    "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETPCAP": 8, "CAP_LINUX_IMMUTABLE": 9, "CAP_NET_BIND_SERVICE": 10,
    "CAP_NET_BROADCAST": 11, "CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_IPC_LOCK": 14, "CAP_IPC_OWNER": 15,
    "CAP_SYS_MODULE": 16, "CAP_SYS_RAWIO": 17, "CAP_SYS_CHROOT": 18, "CAP_SYS_PTRACE": 19, "CAP_SYS_PACCT": 20,
    "CAP_SYS_ADMIN": 21, "CAP_SYS_BOOT": 22, "CAP_SYS_NICE": 23, "CAP_SYS_RESOURCE": 24, "CAP_SYS_TIME": 25,
    "CAP_SYS_TTY_CONFIG": 26, "CAP_MKNOD": 27, "CAP_LEASE": 28, "CAP_AUDIT_WRITE": 29, "CAP_AUDIT_CONTROL": 30,
    "CAP_SETFCAP": 31, "CAP_MAC_OVERRIDE": 32, "CAP_MAC_ADMIN": 33, "CAP_SYSLOG": 34, "CAP_WAKE_ALARM": 35,
    "CAP_BLOCK_SUSPEND": 36, "CAP_AUDIT_READ": 37, "CAP_PERFMON": 38, "CAP_BPF": 39, "CAP_CHECKPOINT_RESTORE": 40,
}  # fmt: skip
SETS = {
    "bounding": "CapBnd",
    "effective": "CapEff",
    "permitted": "CapPrm",
    "inheritable": "CapInh",
    "ambient": "CapAmb",
}


def _numbers(names: list[str]) -> set[int]:
    return {NUMBERS[name] for name in names}


def _found(pid: int) -> dict[str, set[int]]:
    return {name: proc.capability_set(pid, field) for name, field in SETS.items()}


def test_base_sets(container: Container) -> None:
    container.sleeping()
    wanted = _numbers(CAPABILITIES)
    assert _found(container.pid) == {
        "bounding": wanted, "effective": wanted, "permitted": wanted, "inheritable": set(), "ambient": set(),
    }  # fmt: skip


def test_no_capabilities(container: Container) -> None:
    container.process["capabilities"] = {"bounding": [], "effective": [], "permitted": []}
    container.sleeping()
    assert all(not found for found in _found(container.pid).values())


def test_empty_object_drops_everything(container: Container) -> None:
    container.process["capabilities"] = {}
    container.sleeping()
    assert all(not found for found in _found(container.pid).values())


@pytest.mark.old_runc_lacks("capabilities of a process without the object")
def test_absent_object_keeps_what_the_runtime_has(container: Container) -> None:
    del container.process["capabilities"]
    container.sleeping()
    assert proc.capability_set(container.pid, "CapBnd") == proc.capability_set("self", "CapBnd")
    # a user has them all in its own user namespace
    expected = proc.capability_set("self", "CapBnd" if caller.ROOTLESS else "CapEff")
    assert proc.capability_set(container.pid, "CapEff") == expected


def test_all_five_sets(container: Container) -> None:
    net = ["CAP_NET_BIND_SERVICE", "CAP_NET_RAW"]
    container.process["capabilities"] = {
        "bounding": [*net, "CAP_KILL", "CAP_CHOWN"],
        "permitted": [*net, "CAP_KILL"],
        "effective": net,
        "inheritable": net,
        "ambient": net[:1],
    }
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.sleeping()
    found = _found(container.pid)
    assert found["bounding"] == _numbers([*net, "CAP_KILL", "CAP_CHOWN"])
    assert found["inheritable"] == _numbers(net)
    assert found["ambient"] == _numbers(net[:1])
    # exec by a user other than root leaves only the ambient ones (capabilities(7))
    assert found["permitted"] == found["effective"] == _numbers(net[:1])


@pytest.mark.parametrize("name", NUMBERS)
def test_each_name(container: Container, name: str) -> None:
    if NUMBERS[name] not in proc.capability_set("self", "CapBnd"):
        pytest.skip(f"root lacks {name}")
    container.process["capabilities"] = {"bounding": [name], "effective": [name], "permitted": [name]}
    container.create()
    assert proc.capability_set(container.pid, "CapBnd") == {NUMBERS[name]}


def test_user_without_root_loses_the_permitted_set(container: Container) -> None:
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.sleeping()
    found = _found(container.pid)
    assert found["bounding"] == _numbers(CAPABILITIES)
    assert not found["permitted"] and not found["effective"]


def test_ambient_gives_a_user_a_capability(container: Container) -> None:
    names = ["CAP_NET_BIND_SERVICE"]
    container.process["capabilities"] = dict.fromkeys(SETS, names)
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.sleeping()
    assert proc.capability_set(container.pid, "CapEff") == _numbers(names)


def test_ambient_without_inheritable_does_not_fail(container: Container) -> None:
    """Managers send such configurations; the kernel would refuse to raise it."""
    container.process["capabilities"]["ambient"] = ["CAP_NET_RAW"]
    container.sleeping()
    assert not proc.capability_set(container.pid, "CapAmb")


def test_unknown_name_is_at_most_a_warning(container: Container) -> None:
    container.process["capabilities"]["bounding"].append("CAP_NONSENSE")
    container.sleeping()
    assert proc.capability_set(container.pid, "CapBnd") == _numbers(CAPABILITIES)


def test_unknown_name_is_named_with_debug(container: Container) -> None:
    container.process["capabilities"]["bounding"].append("CAP_NONSENSE")
    container.runtime.global_flags = ["--debug"]
    assert "CAP_NONSENSE" in container.try_create().ok().stderr
    container.runtime.global_flags = []


def test_bounding_set_is_dropped_for_good(container: Container) -> None:
    container.process["capabilities"] = {
        kind: ["CAP_CHOWN"] for kind in ("bounding", "effective", "permitted")
    }
    assert container.shell("chown 1:1 /tmp && mknod /x c 1 3").run().returncode == 1


def test_capabilities_take_effect(container: Container) -> None:
    container.process["capabilities"]["effective"] = []
    container.process["capabilities"]["permitted"] = []
    container.process["capabilities"]["bounding"] = []
    container.bundle.file("closed", "x", 0o000)
    assert container.shell("chown 1:1 /tmp").run().returncode == 1


def test_exec_has_the_same_sets(container: Container) -> None:
    container.sleeping()
    output = container.exec_sh("grep ^Cap /proc/self/status")
    assert output.splitlines() == _cap_lines(container.pid)


def _cap_lines(pid: int) -> list[str]:
    with open(f"/proc/{pid}/status") as file:
        return [line.rstrip("\n") for line in file if line.startswith("Cap")]


@pytest.mark.planc_only("JSON pointers in its errors")
def test_other_types_are_named(container: Container) -> None:
    container.process["capabilities"]["effective"] = "CAP_CHOWN"
    container.try_create().failed("process.capabilities.effective")
