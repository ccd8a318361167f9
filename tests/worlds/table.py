"""The worlds: which kernel, which cgroups, which init and whose command; one entry each.

A world is switched into `make test` by `everyday=True`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SUITE = ("tests/integration", "tests/cgroups")
SYSTEMD_SUITE = ("tests/integration", "tests/systemd")
SYSTEMD_MANAGERS = ("tests/managers/test_systemd_driver.py",)
USER_MANAGERS = ("tests/managers/test_systemd_rootless.py",)

# What a v1 world must run under a kernel with the v1 memory controller, which only Debian 12's UML has; the rest of
# the suite runs under the newer one, three times as fast.
LIMITS = (
    "tests/cgroups",
    "tests/integration/test_cgroup_mounts.py",
    "tests/integration/test_cgroups.py",
    "tests/integration/test_cgroup_v2.py",
    "tests/integration/test_device_rules_against_runc.py",
    "tests/integration/test_features.py",
    "tests/integration/test_limits_against_runc.py",
    "tests/integration/test_pause.py",
    "tests/integration/test_ps_events.py",
    "tests/integration/test_small_memory.py",
    "tests/integration/test_update.py",
)

# Of the suite, what UML has not got the controllers for; an emulated processor takes its time.
EMULATED = (
    *("-k", "cpuset or huge or weight or rdma or network or misc or pressure"),
    "tests/cgroups",
    "tests/integration/test_cgroups.py",
    "tests/integration/test_cgroup_v2.py",
    "tests/integration/test_limits_against_runc.py",
    "tests/integration/test_update.py",
)


@dataclass(frozen=True)
class Part:
    """One VM's share of a world's suite: pytest's words, the kernel, how long it usually takes (to start the longest
    first) and how long it may take, in seconds."""

    select: tuple[str, ...] = SUITE
    instead: tuple[str, ...] = LIMITS
    """What `make test` selects where the kernel is to be the newer one and cannot be had: all would take hours."""
    kernel: str = "newer"
    usual: int = 400
    limit: int = 2400


@dataclass(frozen=True)
class World:
    """A machine to test on."""

    name: str
    what: str
    cgroups: str = "v2"
    """`v2`, `v1` (pure) or `hybrid`."""
    init: str = "plain"
    """`plain` (a shell script) or `systemd`."""
    user: str = "root"
    """`root` or `rootless`, who has subordinate ids and a delegated cgroup."""
    driver: str = "cgroupfs"
    """What the suite's runtime is called with: `systemd` adds --systemd-cgroup."""
    everyday: bool = False
    """Part of `make test`."""
    parts: tuple[Part, ...] = (Part(),)
    kernel_arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def _without(paths: tuple[str, ...]) -> tuple[str, ...]:
    return ("tests/integration", *(f"--ignore={path}" for path in paths))


WORLDS = {
    world.name: world
    for world in (
        World("v2", "pure cgroup v2, cgroupfs driver", everyday=True),
        World(
            "systemd",
            "pure cgroup v2 under systemd, systemd driver",
            init="systemd",
            driver="systemd",
            everyday=True,
            parts=(
                Part(SYSTEMD_SUITE, instead=("tests/systemd", *LIMITS), usual=850),
                Part(SYSTEMD_MANAGERS, instead=SYSTEMD_MANAGERS, usual=135, limit=1200),
            ),
        ),
        World("rootless", "a user with a delegated cgroup, cgroupfs driver", user="rootless", everyday=True),
        World(
            "systemd-rootless",
            "a user with a systemd of its own, systemd driver",
            init="systemd",
            user="rootless",
            driver="systemd",
            everyday=True,
            parts=(Part(usual=650), Part(USER_MANAGERS, instead=USER_MANAGERS, usual=30, limit=600)),
        ),
        World(
            "v1",
            "pure cgroup v1, cgroupfs driver",
            cgroups="v1",
            everyday=True,
            parts=(
                Part(LIMITS, kernel="debian", usual=225),
                Part(_without(LIMITS), instead=("tests/integration/test_lifecycle.py",), usual=350),
            ),
        ),
        World(
            "hybrid",
            "cgroup v1 with an empty v2 beside it, cgroupfs driver",
            cgroups="hybrid",
            parts=(
                Part(LIMITS, kernel="debian", usual=500),
                Part(_without(LIMITS), instead=("tests/integration/test_lifecycle.py",), usual=350),
            ),
        ),
        World(
            "systemd-v1",
            "pure cgroup v1 under systemd, systemd driver",
            cgroups="v1",
            init="systemd",
            driver="systemd",
            parts=(Part(LIMITS, kernel="debian"),),
            kernel_arguments=(
                "systemd.unified_cgroup_hierarchy=0",
                "systemd.legacy_systemd_cgroup_controller=1",
            ),
        ),
        World(
            "systemd-hybrid",
            "hybrid cgroups under systemd, systemd driver",
            cgroups="hybrid",
            init="systemd",
            driver="systemd",
            parts=(Part(LIMITS, kernel="debian"),),
            kernel_arguments=("systemd.unified_cgroup_hierarchy=0",),
        ),
        World(
            "qemu",
            "Debian's cloud kernel with all controllers (pure v2), emulated by QEMU",
            parts=(Part(EMULATED, kernel="qemu", usual=300, limit=3600),),
        ),
        World(
            "qemu-v1",
            "Debian's cloud kernel with all controllers (pure v1), emulated by QEMU",
            cgroups="v1",
            parts=(Part(EMULATED, kernel="qemu", usual=300, limit=3600),),
        ),
        World(
            "qemu-systemd",
            "Debian's cloud kernel with all controllers (pure v2) under systemd, emulated by QEMU",
            init="systemd",
            driver="systemd",
            parts=(Part(EMULATED, kernel="qemu", usual=300, limit=3600),),
        ),
    )
}
