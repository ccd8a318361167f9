"""explain: the plan of a bundle, for anybody, without doing any of it."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from . import cgroup, unprivileged
from .harness import Container, Result, Tracker

pytestmark = pytest.mark.planc_only("explain")

POINTER = re.compile(r"(/[^/]+)+$|/$")


def _lines(container: Container, *flags: str, **options: Any) -> list[str]:
    container.bundle.write()
    result = container.runtime.call("explain", "--bundle", container.bundle.path, *flags, **options)
    return result.ok().stdout.splitlines()


def _operations(container: Container, *flags: str, **options: Any) -> list[dict[str, Any]]:
    found = json.loads("\n".join(_lines(container, "--json", *flags, **options)))["operations"]
    assert isinstance(found, list)
    return found


def _with_everything(container: Container, directory: str) -> Container:
    container.mount("/data", directory, "bind", "rbind", "ro", "rslave").namespace("cgroup")
    container.config["root"]["readonly"] = True
    container.config["hooks"] = {
        "createRuntime": [{"path": "/bin/true"}],
        "startContainer": [{"path": "/bin/true"}],
    }
    container.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    container.linux["maskedPaths"] = ["/proc/kcore"]
    container.linux["readonlyPaths"] = ["/proc/sys"]
    container.linux["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 3}]
    container.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}],
    }
    container.resources(pids={"limit": 50})
    container.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20}]
    return container


def test_json_operations_have_all_fields(container: Container, directory: str) -> None:
    operations = _operations(_with_everything(container, directory))
    assert [operation["index"] for operation in operations] == list(range(len(operations)))
    for operation in operations:
        assert operation["who"] in ("runtime", "init")
        assert re.fullmatch(r"[a-z_]+", operation["op"])
        assert isinstance(operation["args"], dict)
        assert operation["text"]
        assert POINTER.match(operation["cause"]) or re.fullmatch(r"\(.+\)", operation["cause"]), operation


def test_pointers_lead_into_the_config(container: Container, directory: str) -> None:
    for operation in _operations(_with_everything(container, directory)):
        value: Any = container.config
        if not operation["cause"].startswith("/"):
            continue
        for word in operation["cause"].lstrip("/").split("/"):
            word = word.replace("~1", "/").replace("~0", "~")
            value = value[int(word)] if isinstance(value, list) else value[word]


@pytest.mark.parametrize(
    "pointer",
    [
        "/mounts/0", "/mounts/6", "/hooks/createRuntime/0", "/hooks/startContainer/0", "/linux/sysctl",
        "/linux/maskedPaths/0", "/linux/readonlyPaths/0", "/linux/devices/0", "/linux/seccomp", "/process/rlimits/0",
        "/linux/resources/pids", "/hostname", "/root/readonly", "/process/cwd", "/process/capabilities",
        "/linux/namespaces", "/process/args",
    ],
)  # fmt: skip
def test_every_entry_has_its_operation(container: Container, directory: str, pointer: str) -> None:
    causes = [operation["cause"] for operation in _operations(_with_everything(container, directory))]
    assert any(cause == pointer or cause.startswith(pointer + "/") for cause in causes), causes


def test_both_actors_take_part(container: Container) -> None:
    assert {operation["who"] for operation in _operations(container)} == {"runtime", "init"}


def test_the_last_deed_of_init_is_exec(container: Container) -> None:
    last = [operation for operation in _operations(container) if operation["who"] == "init"][-1]
    assert last["op"] == "exec"
    assert last["args"]["argv"] == ["true"]


def test_text_has_a_line_per_operation(container: Container, directory: str) -> None:
    _with_everything(container, directory)
    lines, operations = _lines(container), _operations(container)
    assert len(lines) == len(operations)
    for line, operation in zip(lines, operations, strict=True):
        assert operation["who"] in line and operation["op"] in line and operation["cause"] in line


def test_arguments_are_spelled_as_the_kernels(container: Container) -> None:
    text = "\n".join(_lines(container))
    for word in ("CLONE_NEWNS", "CLONE_NEWPID", "MOUNT_ATTR_NOSUID", "tmpfs", "hostname"):
        assert word in text


def test_mounts_are_in_list_order(container: Container) -> None:
    targets = [op["args"]["target"] for op in _operations(container) if op["op"] == "mount"]
    wanted = [mount["destination"] for mount in container.config["mounts"]]
    assert [target for target in targets if target in wanted] == wanted


def test_it_is_the_same_each_time(container: Container, directory: str) -> None:
    _with_everything(container, directory)
    assert _lines(container) == _lines(container)


def test_works_without_root(container: Container) -> None:
    container.namespace("user").without_namespace("network").without_mount("/sys")
    mapping = [{"containerID": 0, "hostID": unprivileged.UID, "size": 1}]
    container.linux["uidMappings"] = container.linux["gidMappings"] = mapping
    container.linux.pop("cgroupsPath")
    for mount in container.config["mounts"]:
        mount["options"] = [word for word in mount["options"] if word != "gid=5"]
    assert _operations(container, user=unprivileged.UID)


def test_has_no_side_effect(container: Container, directory: str, tracker: Tracker) -> None:
    _with_everything(container, directory)
    container.mount("/made/by/runtime", "t", "tmpfs")
    container.process["cwd"] = "/also/made"
    before = sorted(os.listdir(container.bundle.rootfs))
    mounts = tracker.mount_points()
    _lines(container)
    assert sorted(os.listdir(container.bundle.rootfs)) == before
    assert tracker.mount_points() == mounts
    assert cgroup.find_named(container.id) == []
    assert not os.path.exists(container.runtime.root)


def test_current_directory_is_the_default_bundle(container: Container) -> None:
    container.bundle.write()
    assert container.runtime.call("explain", cwd=container.bundle.path).ok().stdout


def test_reports_problems_of_the_config(container: Container) -> None:
    container.process["args"] = []
    container.process["cwd"] = "relative"
    container.bundle.write()
    result = container.runtime.call("explain", "--bundle", container.bundle.path)
    result.failed("process.args", "process.cwd")
    assert result.stdout == ""


def test_missing_bundle(container: Container) -> None:
    container.runtime.call("explain", "--bundle", "/no/such/bundle").failed("/no/such/bundle")


def test_create_with_debug_shows_the_same_operations(container: Container) -> None:
    """As it goes: one line for each, with the same words."""
    container.bundle.write()
    container.runtime.global_flags = ["--debug"]
    shown = container.try_create().ok().stderr
    container.runtime.global_flags = []
    for operation in _operations(container):
        assert operation["op"] in shown and operation["cause"] in shown


def test_an_error_names_its_operation(container: Container) -> None:
    container.mount("/data", "x", "nosuchfs")
    (operation,) = [op for op in _operations(container) if op["cause"] == "/mounts/6" and op["op"] == "mount"]
    container.try_create().failed(operation["text"])


# what this host cannot


def _explain(container: Container, *flags: str, **options: Any) -> Result:
    container.bundle.write()
    return container.runtime.call("explain", "--bundle", container.bundle.path, *flags, **options)


def _warnings(container: Container, **options: Any) -> list[dict[str, str]]:
    found = json.loads(_explain(container, "--json", **options).stdout)["warnings"]
    assert isinstance(found, list)
    return found


def test_no_warning_of_what_works(container: Container) -> None:
    if "memory" in cgroup.controllers():
        container.resources(memory={"limit": 1 << 30})
    container.namespace("cgroup")
    assert _explain(container).ok().stderr == ""
    assert container.shell("true").run().ok()


def test_no_warning_of_what_works_without_root(container: Container, directory: str) -> None:
    unprivileged.prepare(container, directory)
    options = unprivileged.with_subordinate_ids(container, directory)
    assert _explain(container, **options).ok().stderr == ""
    assert container.shell("true").run(**options).ok()


def test_ids_that_are_not_the_callers(container: Container, directory: str) -> None:
    unprivileged.prepare(container, directory)
    options = unprivileged.with_subordinate_ids(container, directory)
    container.linux["uidMappings"][1]["hostID"] += 1
    container.linux["gidMappings"][1]["size"] += 1
    assert [one["pointer"] for one in _warnings(container, **options)] == [
        "/linux/uidMappings/1",
        "/linux/gidMappings/1",
    ]
    text = _explain(container, **options).ok().stderr
    assert "warning: linux.uidMappings[1]: " in text and "/etc/subuid" in text
    container.shell("true").run(**options).failed("newuidmap")


def test_rlimits_of_the_caller(container: Container, directory: str) -> None:
    unprivileged.prepare(container, directory)
    container.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 101}]
    options = {"prefix": ["prlimit", "--nofile=100:100"]}
    (found,) = _warnings(container, **options)
    assert found["pointer"] == "/process/rlimits/0/hard" and "100 at most" in found["advice"]
    container.shell("true").run(**options).failed("process.rlimits[0]")


@pytest.mark.parametrize("kind", ["uts", "ipc"])
def test_namespaces_that_are_forbidden(container: Container, kind: str) -> None:
    """By the root of a user namespace, for those inside of it: nothing of the machine changes."""
    index = [entry["type"] for entry in container.linux["namespaces"]].index(kind)
    script = f'echo 0 > /proc/sys/user/max_{kind}_namespaces && exec "$@"'
    prefix = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]
    found = [
        one for one in _warnings(container, prefix=prefix) if one["pointer"] == f"/linux/namespaces/{index}"
    ]
    assert len(found) == 1
    assert f"forbidden by user.max_{kind}_namespaces=0" in found[0]["message"]
    assert f"user.max_{kind}_namespaces" in found[0]["advice"]


def test_a_controller_that_is_missing(container: Container) -> None:
    """create refuses it; explain shows the plan of a host that has it, the same error, and fails too."""
    if "rdma" in cgroup.controllers():
        pytest.skip("this host has the rdma controller")
    container.resources(rdma={"mlx": {"hcaHandles": 1}})
    refused = container.try_create().failed("linux.resources.rdma", "rdma controller").stderr
    result = _explain(container).failed("the plan is for a host that has every cgroup controller")
    assert result.stderr.splitlines()[-1] == refused.strip().removeprefix("planc create failed: ")
    assert any("/linux/resources/rdma" in line for line in result.stdout.splitlines())
    found = json.loads(_explain(container, "--json").stdout)
    assert "rdma" in found["error"] and found["operations"]


@pytest.mark.needs_root("a configuration for root")
def test_what_root_could(container: Container) -> None:
    """Somebody looks at a bundle of root's."""
    container.bundle.write()
    result = _explain(container, user=unprivileged.UID).failed("user namespace")
    assert "internal error" not in result.stderr


def test_unprivileged_place_of_cgroups(container: Container, directory: str) -> None:
    unprivileged.prepare(container, directory)
    if "pids" not in cgroup.controllers():
        pytest.skip("no cgroup controller pids")
    container.resources(pids={"limit": 50})
    found = [one for one in _warnings(container) if one["pointer"].startswith("/linux/resources/pids")]
    works = container.shell("true").run().returncode == 0
    assert works is not bool(found), found
