"""explain: the plan of a bundle, for anybody, without doing any of it."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from . import cgroup, proc
from .harness import Container

pytestmark = pytest.mark.planc_only("explain")

POINTER = re.compile(r"(/[^/]+)+$|/$")


def _lines(container: Container, *flags: str, **options: Any) -> list[str]:
    container.bundle.write()
    result = container.runtime.call("explain", "--bundle", container.bundle.path, *flags, **options)
    return result.ok().stdout.splitlines()


def _operations(container: Container, *flags: str, **options: Any) -> list[dict[str, Any]]:
    found = json.loads("\n".join(_lines(container, "--json", *flags, **options)))
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
    mapping = [{"containerID": 0, "hostID": 64321, "size": 1}]
    container.linux["uidMappings"] = container.linux["gidMappings"] = mapping
    container.linux.pop("cgroupsPath")
    for mount in container.config["mounts"]:
        mount["options"] = [word for word in mount["options"] if word != "gid=5"]
    assert _operations(container, user=64321)


def test_has_no_side_effect(container: Container, directory: str) -> None:
    _with_everything(container, directory)
    container.mount("/made/by/runtime", "t", "tmpfs")
    container.process["cwd"] = "/also/made"
    before = sorted(os.listdir(container.bundle.rootfs))
    mounts = [mount.mount_point for mount in proc.mountinfo()]
    _lines(container)
    assert sorted(os.listdir(container.bundle.rootfs)) == before
    assert [mount.mount_point for mount in proc.mountinfo()] == mounts
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
