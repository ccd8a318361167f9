"""process.rlimits, checked through /proc/PID/limits. Values stay below the machine's hard limits."""

from __future__ import annotations

import pytest

from . import proc
from .harness import Container

# type → (name in /proc/PID/limits, soft, hard)
LIMITS = {
    "RLIMIT_AS": ("Max address space", 1 << 32, 1 << 33),
    "RLIMIT_CORE": ("Max core file size", 4096, 8192),
    "RLIMIT_CPU": ("Max cpu time", 1000, 2000),
    "RLIMIT_DATA": ("Max data size", 1 << 30, 1 << 31),
    "RLIMIT_FSIZE": ("Max file size", 1 << 20, 1 << 21),
    "RLIMIT_LOCKS": ("Max file locks", 100, 200),
    "RLIMIT_MEMLOCK": ("Max locked memory", 4096, 8192),
    "RLIMIT_MSGQUEUE": ("Max msgqueue size", 4096, 8192),
    "RLIMIT_NICE": ("Max nice priority", 0, 0),
    "RLIMIT_NOFILE": ("Max open files", 123, 456),
    "RLIMIT_NPROC": ("Max processes", 1000, 2000),
    "RLIMIT_RSS": ("Max resident set", 1 << 30, 1 << 31),
    "RLIMIT_RTPRIO": ("Max realtime priority", 0, 0),
    "RLIMIT_RTTIME": ("Max realtime timeout", 1000, 2000),
    "RLIMIT_SIGPENDING": ("Max pending signals", 100, 200),
    "RLIMIT_STACK": ("Max stack size", 1 << 20, 1 << 21),
}


def _limit(container: Container, kind: str, soft: int, hard: int) -> Container:
    container.process.setdefault("rlimits", []).append({"type": kind, "soft": soft, "hard": hard})
    return container


@pytest.mark.parametrize("kind", LIMITS)
def test_each_type(container: Container, kind: str) -> None:
    name, soft, hard = LIMITS[kind]
    _limit(container, kind, soft, hard).sleeping()
    assert proc.limits(container.pid)[name] == (str(soft), str(hard))


def test_all_at_once(container: Container) -> None:
    for kind, (_, soft, hard) in LIMITS.items():
        _limit(container, kind, soft, hard)
    container.sleeping()
    found = proc.limits(container.pid)
    assert {name: found[name] for name, _, _ in LIMITS.values()} == {
        name: (str(soft), str(hard)) for name, soft, hard in LIMITS.values()
    }


def test_infinity(container: Container) -> None:
    if proc.limits("self")["Max core file size"][1] != "unlimited":
        pytest.skip("the hard limit of this session is not infinite")
    _limit(container, "RLIMIT_CORE", 2**64 - 1, 2**64 - 1).sleeping()
    assert proc.limits(container.pid)["Max core file size"] == ("unlimited", "unlimited")


@pytest.mark.old_runc_lacks("an exec that always leaves RLIMIT_NOFILE alone", strict=False)
def test_exec_has_the_same_limits(container: Container) -> None:
    _limit(container, "RLIMIT_NOFILE", 123, 456).sleeping()
    assert container.exec_sh("ulimit -Sn; ulimit -Hn") == "123\n456"


def test_without_rlimits_those_of_the_caller_stay(container: Container) -> None:
    container.sleeping(prefix=["prlimit", "--core=1000:2000", "--"])
    assert proc.limits(container.pid)["Max core file size"] == ("1000", "2000")


def test_limits_are_in_force(container: Container) -> None:
    _limit(container, "RLIMIT_FSIZE", 1000, 1000)
    assert container.shell("head -c 5000 /dev/zero > /file").run().returncode != 0


@pytest.mark.old_runc_lacks("an exec that needs no further descriptor")
def test_low_nofile_does_not_hurt_the_runtime(container: Container) -> None:
    _limit(container, "RLIMIT_NOFILE", 4, 4)
    assert container.args("echo", "fine").run().ok().stdout == "fine\n"


def test_unprivileged_user_keeps_the_hard_limit(container: Container) -> None:
    """Limits are set while there is still a privilege."""
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.process["capabilities"] = {}
    _limit(container, "RLIMIT_NOFILE", 100, 100).sleeping()
    assert proc.limits(container.pid)["Max open files"] == ("100", "100")


@pytest.mark.needs_capability("CAP_SYS_RESOURCE")
def test_raising_above_the_hard_limit(container: Container) -> None:
    _limit(container, "RLIMIT_MEMLOCK", 1 << 40, 1 << 40).sleeping()
    assert proc.limits(container.pid)["Max locked memory"] == (str(1 << 40), str(1 << 40))


def test_raising_without_the_capability_is_an_error(container: Container) -> None:
    container.args("sleep", "1000")
    _limit(container, "RLIMIT_CORE", 3000, 3000)
    prefix = ["prlimit", "--core=1000:2000", "--", "setpriv", "--bounding-set=-sys_resource", "--"]
    container.try_create(prefix=prefix).failed("operation not permitted")
    assert container.runtime.leftovers() == []


def test_unknown_type_is_refused(container: Container) -> None:
    _limit(container, "RLIMIT_NONSENSE", 1, 1).try_create().failed("rlimit", "RLIMIT_NONSENSE")


def test_soft_above_hard_is_refused(container: Container) -> None:
    _limit(container, "RLIMIT_NOFILE", 200, 100).try_create().failed("rlimit")


@pytest.mark.old_runc_lacks("a refusal of duplicate rlimits")
def test_duplicate_type_is_refused(container: Container) -> None:
    _limit(container, "RLIMIT_NOFILE", 10, 20)
    _limit(container, "RLIMIT_NOFILE", 30, 40).try_create().failed("rlimits[1]", "RLIMIT_NOFILE")
