"""The order of a plan whose cgroups systemd makes, and the operations of exec and update."""

from typing import Any

from runtime.linux.host import CgroupLayout, Systemd
from runtime.plan.compile import compile_exec
from runtime.plan.options import ExecOptions, ExecTarget
from runtime.plan.systemd import plan_unit_update

from . import samples


def config(**resources: Any) -> Any:
    value = samples.config()
    value["linux"].update(cgroupsPath="a-b.slice:pre:web", resources=resources)
    return value


def codes(value: Any, **host: Any) -> list[str]:
    plan = samples.create(value, samples.root_host(systemd=Systemd(), **host))
    return [op.code for op in plan.ops]


def test_the_scope_is_made_around_the_waiting_stage() -> None:
    found = codes(config(memory={"limit": 4096}, pids={"limit": 5}))
    assert found[:7] == [
        "reserve_state", "spawn", "systemd_scope", "cgroup_adopt", "cgroup_set", "cgroup_set", "cgroup_devices",
    ]  # fmt: skip
    assert "cgroup_create" not in found and "cgroup_join" not in found


def test_the_stage_enters_what_systemd_does_not_look_after() -> None:
    v1 = ((("freezer",), "/c/freezer", "/"), (("name=systemd",), "/c/systemd", "/"))
    found = codes(config(), cgroup=CgroupLayout("v1", v1, ""))
    assert found[:6] == [
        "reserve_state",
        "spawn",
        "systemd_scope",
        "cgroup_adopt",
        "cgroup_adopt",
        "enter_cgroups",
    ]


def test_a_limit_of_one_process_comes_when_the_stage_has_gone() -> None:
    plan = samples.create(config(pids={"limit": 1}), samples.root_host(systemd=Systemd()))
    found = [op.code for op in plan.ops]
    assert (
        found.index("fork")
        < found.index("cgroup_set")
        < found.index("systemd_set")
        < found.index("save_state")
    )
    scope = next(op for op in plan.ops if op.code == "systemd_scope")
    assert not any(text.startswith("TasksMax") for text in scope.args["properties"])
    late = next(op for op in plan.ops if op.code == "systemd_set")
    assert late.args == {"unit": "pre-web.scope", "user": 0, "properties": ["TasksMax=uint64 1"]}


def test_what_a_scope_is_given() -> None:
    value = config(memory={"limit": 4096})
    value["annotations"] = {"org.systemd.property.CollectMode": "'inactive-or-failed'"}
    plan = samples.create(value, samples.root_host(systemd=Systemd()))
    scope = next(op for op in plan.ops if op.code == "systemd_scope")
    assert (scope.args["unit"], scope.args["user"], scope.cause) == ("pre-web.scope", 0, "/linux/cgroupsPath")
    assert scope.args["properties"][:-2] == [
        "Description='planc container web'",
        "Slice='a-b.slice'",
        "Delegate=true",
        "MemoryAccounting=true",
        "CPUAccounting=true",
        "IOAccounting=true",
        "TasksAccounting=true",
        "DefaultDependencies=false",
        "CollectMode='inactive-or-failed'",
        "MemoryMax=uint64 4096",
    ]
    assert scope.args["properties"][-2] == "DevicePolicy='strict'"


def test_rootless_has_no_device_rules() -> None:
    systemd = Systemd(user=True, control_group="/m")
    plan = samples.create(
        samples.with_namespaces(samples.config(), "user"), samples.user_host(systemd=systemd), rootless=True
    )
    scope = next(op for op in plan.ops if op.code == "systemd_scope")
    assert scope.args["user"] == 1
    assert not any(text.startswith("Device") for text in scope.args["properties"])


def test_an_update() -> None:
    spec = samples.decode(config(memory={"limit": 4096}))
    assert spec.linux is not None and spec.linux.resources is not None
    host = samples.root_host(systemd=Systemd())
    ops = plan_unit_update(spec.linux.resources, host, {"limit": 1024, "swap": 8192}, "", "u.scope")
    assert [op.args["properties"] for op in ops] == [["MemoryMax=uint64 4096", "MemorySwapMax=uint64 4096"]]


def test_an_update_of_what_systemd_has_no_word_for() -> None:
    spec = samples.decode(config(cpu={"burst": 5}))
    assert spec.linux is not None and spec.linux.resources is not None
    assert (
        plan_unit_update(spec.linux.resources, samples.root_host(systemd=Systemd()), {}, "", "u.scope") == []
    )


def test_exec_into_the_scope_of_a_users_manager() -> None:
    spec = samples.decode(samples.config())
    assert spec.process is not None
    cgroups = [((), "/sys/fs/cgroup/x/u.scope/below")]
    target = ExecTarget(id="demo", spec=spec, cgroups=cgroups, unit="u.scope", rootless=True)
    plan = compile_exec(spec.process, target, samples.root_host(), ExecOptions())
    assert [op.code for op in plan.ops[:2]] == ["spawn", "systemd_attach"]
    assert plan.ops[1].args == {"unit": "u.scope", "user": 1, "below": "/below"}
