"""Sysctls and hooks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import PlanError

from . import samples


def with_sysctl(sysctl: dict[str, str]) -> Any:
    value = samples.config()
    value["linux"]["sysctl"] = sysctl
    return value


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
        ("kernel.shm_rmid_forced", "kernel/shm_rmid_forced"),
        ("fs.mqueue.msg_max", "fs/mqueue/msg_max"),
        ("kernel.domainname", "kernel/domainname"),
    ],
)
def test_the_path_of_a_sysctl(name: str, path: str) -> None:
    op = samples.only(samples.create(with_sysctl({name: "1 2"})), "sysctl")
    assert op.args == {"path": path, "value": "1 2"}
    assert op.cause == "/linux/sysctl/" + name.replace("/", "~1")


def test_a_joined_namespace_that_is_the_callers_own_is_refused() -> None:
    value = samples.with_namespaces(with_sysctl({"net.ipv4.ip_forward": "1"}), ("network", "/proc/1/ns/net"))
    assert samples.only(samples.create(value), "sysctl")
    host = samples.root_host(own_namespaces=frozenset(["/proc/1/ns/net"]))
    with pytest.raises(PlanError) as caught:
        samples.create(value, host)
    assert str(caught.value) == (
        'linux.sysctl["net.ipv4.ip_forward"]: would change the host: '
        "/proc/1/ns/net is the runtime's own network namespace"
    )


def test_a_namespace_that_is_not_there_is_refused_here_too() -> None:
    """validate() says so first; a plan must not depend on it."""
    value = with_sysctl({})
    spec = samples.decode(samples.without_namespaces(value, "network"))
    assert spec.linux is not None
    for name, message in (
        ("net.core.somaxconn", "would change the host: there is no network namespace"),
        ("vm.swappiness", "would change the host: there is no such namespace"),
        ("nonsense", "is not the name of a sysctl"),
    ):
        spec.linux.sysctl = {name: "1"}
        with pytest.raises(PlanError, match=message):
            samples.compile_create(
                spec, samples.BUNDLE, samples.ROOTFS, samples.root_host(), samples.CreateOptions(id="demo")
            )


TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)


@given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=3), st.integers(1, 2**22))
def test_a_hook_reads_one_json_object(annotations: dict[str, str], pid: int) -> None:
    value = samples.config(annotations=annotations)
    value["hooks"] = {kind: [{"path": "/h"}] for kind in ("createContainer", "startContainer")}
    inside, late = samples.ops(samples.create(value), "hook")
    for op, status in ((inside, "created"), (late, "created")):
        state = json.loads(f"{op.args['head']}{pid}{op.args['tail']}")
        wanted = {"ociVersion": "1.3.0", "id": "demo", "status": status, "pid": pid, "bundle": "/bundle"}
        assert state == ({**wanted, "annotations": annotations} if annotations else wanted)


def test_where_hooks_run() -> None:
    kinds = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
    value = samples.config()
    value["hooks"] = {kind: [{"path": f"/{kind}/{number}"} for number in range(2)] for kind in kinds}
    plan = samples.create(value)
    paths = [op.args["path"] for op in samples.ops(plan, "run_hook", "hook")]
    assert paths == [f"/{kind}/{number}" for kind in kinds[:4] for number in range(2)]
    last_mount = max(index for index, op in enumerate(plan.ops) if op.code in ("mount", "mknod", "symlink"))
    assert last_mount < samples.position(plan, "run_hook", path="/prestart/0")
    assert samples.position(plan, "hook", path="/createContainer/1") < samples.position(plan, "pivot_root")
    assert (
        samples.position(plan, "hook", path="/startContainer/0") == samples.position(plan, "wait_start") + 1
    )
    assert samples.position(plan, "hook", path="/startContainer/1") == samples.position(plan, "exec") - 1


def test_a_hooks_arguments() -> None:
    value = samples.config()
    full = {"path": "/h", "args": ["h", "x"], "env": ["A=b"], "timeout": 3}
    value["hooks"] = {"createRuntime": [full, {"path": "/h"}], "startContainer": [full, {"path": "/h"}]}
    plan = samples.create(value)
    for op in (samples.ops(plan, "run_hook")[0], samples.ops(plan, "hook")[0]):
        assert (op.args["argv"], op.args["env"], op.args["timeout"]) == (["h", "x"], ["A=b"], 3)
    bare_outside, bare_inside = samples.ops(plan, "run_hook")[1], samples.ops(plan, "hook")[1]
    assert bare_outside.args["argv"] == bare_inside.args["argv"] == ["/h"]
    assert bare_outside.args["timeout"] == bare_inside.args["timeout"] == 0
    # of planc's own environment nothing gets into the container
    assert (bare_outside.args["env"], bare_inside.args["env"]) == (None, [])
