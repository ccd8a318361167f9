"""Every operation that a plan can hold for the runtime is one that the runtime can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from runtime.execute.create import LIMITS, Creation
from runtime.execute.exec import Execution
from runtime.plan.compile import compile_exec
from runtime.plan.ops import RUNTIME_FIELDS, Plan
from runtime.plan.options import ExecOptions, ExecTarget
from runtime.spec.decode import decode_spec
from tests.unit.plan import samples
from tests.unit.plan.goldens import GOLDENS


def runtime_ops(plan: Plan) -> Iterator[tuple[str, bool]]:
    """The codes of the runtime's operations, each with whether it comes after the stage was started."""
    spawned = False
    for op in plan.ops:
        if op.who == "runtime":
            yield op.code, spawned
        spawned = spawned or op.code == "spawn"


def full_exec(unit: str = "") -> Plan:
    """An exec plan with every step of compile_exec that is the runtime's; `unit`: of a systemd that attaches."""
    config = samples.config()
    config["process"]["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    config["linux"]["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": "/run/agent.sock",
        "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}],
    }
    spec, _ = decode_spec(config)
    cgroups = [((), f"/sys/fs/cgroup/{unit}")]
    target = ExecTarget(id="demo", spec=spec, rootless=True, unit=unit, cgroups=cgroups)
    return compile_exec(
        spec.process, target, samples.root_host(), ExecOptions(pidfd_socket="/run/pidfd.sock")
    )


def attached_exec() -> Plan:
    return full_exec("demo.scope")


ONLY_EXEC = {"systemd_attach"}


@pytest.mark.parametrize("code", sorted(set(RUNTIME_FIELDS) - ONLY_EXEC))
def test_create_can_do_every_operation(code: str) -> None:
    assert callable(getattr(Creation, f"do_{code}", None)) or code in LIMITS


@pytest.mark.parametrize("name", [name for name in GOLDENS if not name.startswith("exec")])
def test_create_can_do_it_where_it_stands(name: str) -> None:
    """Limits are set together; those behind the spawn by the method of the first."""
    for code, spawned in runtime_ops(GOLDENS[name]()):
        assert hasattr(Creation, f"do_{code}") or (code in LIMITS and not spawned), code


@pytest.mark.parametrize(
    "make", [full_exec, attached_exec, *[GOLDENS[name] for name in GOLDENS if name.startswith("exec")]]
)
def test_exec_can_do_every_operation_of_its_plans(make: Callable[[], Plan]) -> None:
    codes = [code for code, _ in runtime_ops(make())]
    assert codes.count("spawn") == 1
    assert [code for code in codes if not hasattr(Execution, f"do_{code}")] == []


def test_the_full_exec_plan_is_full() -> None:
    """What Execution can do is what the two of them ask for."""
    known = {name.removeprefix("do_") for name in dir(Execution) if name.startswith("do_")}
    assert {code for plan in (full_exec(), attached_exec()) for code, _ in runtime_ops(plan)} == known


def test_no_method_is_for_an_operation_that_is_not_there() -> None:
    for kind in (Creation, Execution):
        codes = {name.removeprefix("do_") for name in dir(kind) if name.startswith("do_")}
        assert codes <= set(RUNTIME_FIELDS)
