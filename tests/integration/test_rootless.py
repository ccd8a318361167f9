"""What is otherwise where a user runs the containers: the machine's devices, no rules for them, a delegated cgroup."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from . import caller, cgroup, proc
from .harness import Container

pytestmark = pytest.mark.skipif(not caller.ROOTLESS, reason="run by root: its containers are not rootless")

MIB = 1 << 20


def _enter(pid: int) -> list[str]:
    """As slirp4netns does to set a network up."""
    return ["nsenter", "--target", str(pid), "--user", "--net", "--preserve-credentials", "--"]


def test_config_of_spec(container: Container) -> None:
    container.runtime.call("spec", "--rootless", cwd=container.bundle.path).ok()
    config = json.loads(Path(container.bundle.path, "config.json").read_text())
    config["process"].update(terminal=False, args=["sh", "-c", "id -u; hostname"], env=["PATH=/bin"])
    container.bundle.config.clear()
    container.bundle.config.update(config)
    assert container.run().ok().stdout == f"0\n{config['hostname']}\n"


# ---- namespaces of a container that waits --------------------------------------------------------------------------


def test_created_container_can_be_entered(container: Container) -> None:
    container.create()
    seen = subprocess.check_output([*_enter(container.pid), "readlink", "/proc/self/ns/net"], text=True)
    assert seen.strip() == proc.ns(container.pid, "net") != proc.ns("self", "net")


@pytest.mark.parametrize("kind", ["prestart", "createRuntime"])
def test_hook_sets_the_network_up(container: Container, kind: str) -> None:
    if not shutil.which("ip"):
        pytest.skip("no ip (Debian: iproute2)")
    script = (
        "pid=$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); exec nsenter --target $pid --user --net"
        " --preserve-credentials -- ip addr add 192.0.2.7/32 dev lo"
    )
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script], "env": [f"PATH={os.environ['PATH']}"]}
    container.config["hooks"] = {kind: [hook]}
    assert "192.0.2.7" in container.sh("ip addr show lo")


def test_filter_against_prctl(container: Container) -> None:
    """init makes itself visible to its user before a filter can forbid it."""
    container.process["noNewPrivileges"] = True
    container.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["prctl"], "action": "SCMP_ACT_ERRNO"}],
    }
    container.args("sleep", "1000").create()
    assert proc.ns(container.pid, "net") != proc.ns("self", "net")
    container.start()
    container.await_exec()


# ---- devices -------------------------------------------------------------------------------------------------------


def test_device_is_the_machines(container: Container) -> None:
    container.linux["devices"] = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]
    container.sleeping()
    assert os.stat(f"{container.root}/dev/kmsg").st_rdev == os.stat("/dev/kmsg").st_rdev
    assert proc.mount_at(proc.mountinfo(container.pid), "/dev/kmsg").root.endswith("/kmsg")


def test_device_that_the_machine_lacks_is_refused(container: Container) -> None:
    container.linux["devices"] = [{"path": "/dev/nowhere", "type": "c", "major": 1, "minor": 5}]
    container.try_create().failed("linux.devices[0]", "/dev/nowhere")
    assert container.runtime.leftovers() == []


def test_device_rules_are_left_out(container: Container) -> None:
    """The kernel takes them from CAP_SYS_ADMIN only; no manager's deny-all may keep a container from running."""
    container.resources(devices=[{"allow": False, "access": "rwm"}])
    assert container.sh("echo x > /dev/null; head -c2 /dev/zero | wc -c") == "2"


# ---- cgroups -------------------------------------------------------------------------------------------------------


@pytest.mark.needs_cgroupfs_driver
def test_without_a_cgroup_of_its_own(container: Container) -> None:
    """Where cgroupsPath leads out of what is delegated, it stays in the caller's."""
    container.linux["cgroupsPath"] = f"/{container.id}"
    container.sleeping()
    assert cgroup.membership(container.pid) == cgroup.membership("self")
    assert container.exec_sh("echo in") == "in"
    container.kill_and_wait().delete()
    assert os.path.isdir(cgroup.directory("self", ""))


@pytest.mark.needs_cgroupfs_driver
@pytest.mark.needs_controller("memory")
def test_limits_outside_of_what_is_delegated_are_refused(container: Container) -> None:
    container.linux["cgroupsPath"] = f"/{container.id}"
    container.resources(memory={"limit": 64 * MIB}).try_create().failed(
        "linux.resources.memory.limit", "permission"
    )
    assert container.runtime.leftovers() == []
    assert cgroup.find_named(container.id) == []


# ---- refusals ------------------------------------------------------------------------------------------------------


def test_id_mapped_mount_is_refused_in_words(container: Container, directory: str) -> None:
    container.mount("/data", directory, "bind", "idmap")
    mapping = [{"containerID": 0, "hostID": caller.first_subordinate(0), "size": 1}]
    container.config["mounts"][-1] |= {"uidMappings": mapping, "gidMappings": mapping}
    container.try_create().failed("mounts[6]", "id-mapped mount", "CAP_SYS_ADMIN")


@pytest.mark.parametrize("field", ["uidMappings", "gidMappings"])
def test_ids_of_others_are_refused(container: Container, field: str) -> None:
    container.linux[field][1]["hostID"] = 0
    container.try_create().failed(f"linux.{field}")
    assert container.runtime.leftovers() == []
