"""The managers with their systemd cgroup driver: every container is a scope, changed and removed by systemd."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .conftest import need
from .containerd_api import update_task
from .cri import Cri, resources
from .daemons import DOCKER, DOCKERD, WITHOUT_BRIDGE, Docker, find_program
from .image import NAME, SHORT
from .machine import poll
from .systemd_daemons import NONE, SLEEP, SystemdContainerd, SystemdCri, SystemdPodman
from .systemd_machine import Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .systemd_machine import SystemdMachine

MIB = 1024 * 1024


pytestmark = pytest.mark.usefixtures("no_unit_is_left")


@pytest.fixture(scope="module")
def podman_images(systemd_machine: SystemdMachine) -> None:
    need("podman", find_program("podman"))
    SystemdPodman(systemd_machine, systemd_machine.runtime).load()


@pytest.fixture
def podman(
    systemd_machine: SystemdMachine, podman_images: None, no_unit_is_left: None
) -> Iterator[SystemdPodman]:
    command = SystemdPodman(systemd_machine, str(systemd_machine.dir / "names" / "planc"))
    yield command
    command.clean()


@pytest.fixture(scope="module")
def docker_engine(systemd_machine: SystemdMachine) -> Iterator[Docker]:
    need("docker.io", find_program(DOCKER) and find_program(*DOCKERD))
    settings = {"exec-opts": ["native.cgroupdriver=systemd"], **WITHOUT_BRIDGE}
    runtimes = {"planc": {"path": systemd_machine.runtime}}
    if (original := systemd_machine.dir / "compared" / "runc").exists():
        runtimes["compared"] = {"path": str(original)}
    engine = Docker(systemd_machine, settings={**settings, "runtimes": runtimes})
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def docker(docker_engine: Docker, no_unit_is_left: None) -> Iterator[Docker]:
    yield docker_engine
    docker_engine.clean()


@pytest.fixture(scope="module")
def containerd(systemd_machine: SystemdMachine) -> Iterator[SystemdContainerd]:
    need("containerd", find_program("containerd") and find_program("ctr"))
    daemon = SystemdContainerd(systemd_machine)
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture
def ctr(containerd: SystemdContainerd, no_unit_is_left: None) -> Iterator[SystemdContainerd]:
    yield containerd
    containerd.clean()


def docker_unit(docker: Docker, container: str) -> Unit:
    return Unit(f"docker-{docker.inspect(container, '{{.Id}}')}.scope")


def assert_memory(unit: Unit, mebibytes: int) -> None:
    """What systemd remembers and what the kernel does."""
    assert unit.get("MemoryMax") == str(mebibytes * MIB)
    assert unit.read("memory.max") == str(mebibytes * MIB)


def assert_gone(unit: Unit, cgroup: str) -> None:
    poll(lambda: unit.get("LoadState") == "not-found", what=f"{unit.name} is forgotten")
    assert not (unit.cgroup.parent / cgroup).exists()


def commands(unit: Unit) -> list[str]:
    """The command lines of the processes in its cgroup."""
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in unit.read("cgroup.procs").split()]
    return [line.replace(b"\0", b" ").decode().strip() for line in lines]


VARYING = re.compile(
    "Timestamp|Usage|Current|InvocationID|ControlGroupId|Effective|(Bytes|Operations)$|^MemoryAvail"
)
# runc sets limits twice, when the scope is there once more
OF_RUNC = ("Description", "DropInPaths", "NeedDaemonReload")


def settings(unit: Unit, identity: str) -> dict[str, str]:
    """What the runtime told systemd of a container, without what differs from one container to the next, and its
    cgroup files that hold settings."""
    shown = unit.show().items()
    found = {name: value.replace(identity, "ID") for name, value in shown if not VARYING.search(name)}
    for file in sorted(unit.cgroup.iterdir()):
        setting = file.is_file() and file.stat().st_mode & 0o200 and file.stat().st_mode & 0o400
        if setting and not file.name.endswith((".procs", ".threads", ".pressure", ".peak")):
            found[file.name] = file.read_text()
    return {name: value for name, value in found.items() if name not in OF_RUNC}


def differences(one: dict[str, str], other: dict[str, str]) -> dict[str, tuple[set[str], set[str]]]:
    """name → the lines that only one of them has; the order of lines is nobody's concern."""
    found = {}
    for name in {*one, *other}:
        lines, others = set(one.get(name, "-").splitlines()), set(other.get(name, "-").splitlines())
        if lines != others:
            found[name] = (lines - others, others - lines)
    return found


@pytest.fixture
def kubernetes(systemd_machine: SystemdMachine, no_unit_is_left: None) -> Iterator[SystemdCri]:
    need("containerd", find_program("containerd") and find_program("ctr"))
    daemon = SystemdCri(systemd_machine)
    daemon.start()
    yield daemon
    daemon.clean()
    daemon.stop()


# Podman


def test_podman_life(podman: SystemdPodman) -> None:
    podman("run", "-d", "--name", "c1", *NONE, "--memory", "64m", "--pids-limit", "50", SHORT, *SLEEP)
    unit = podman.unit("c1")
    cgroup = unit.cgroup
    assert unit.get("ActiveState") == "active"
    assert unit.get("Slice") == "machine.slice"
    assert_memory(unit, 64)
    assert unit.get("TasksMax") == unit.read("pids.max") == "50"
    assert podman("exec", "c1", "sh", "-c", "cat /proc/self/cgroup; exit 4", code=4).out.startswith("0::/")
    podman("update", "--memory", "96m", "c1")
    assert_memory(unit, 96)
    assert unit.get("TasksMax") == unit.read("pids.max") == "50"
    podman("stop", "-t", "1", "c1")
    poll(lambda: not cgroup.exists())
    podman("start", "c1")
    assert cgroup.exists()
    podman("rm", "-f", "-t", "0", "c1")
    assert not cgroup.exists()


def test_podman_run_and_remove(podman: SystemdPodman) -> None:
    assert podman("run", "--rm", *NONE, SHORT, "sh", "-c", "echo hi; exit 3", code=3).out == "hi"


def test_podman_exec_in_the_scope(podman: SystemdPodman) -> None:
    podman("run", "-d", "--name", "c1", *NONE, SHORT, *SLEEP)
    podman("exec", "-d", "c1", "sleep", "4751")
    unit = podman.unit("c1")
    poll(lambda: sorted(commands(unit)) == ["sleep 1000", "sleep 4751"])


def test_podman_pause(podman: SystemdPodman) -> None:
    podman("run", "-d", "--name", "c1", *NONE, SHORT, *SLEEP)
    unit = podman.unit("c1")
    podman("pause", "c1")
    assert unit.read("cgroup.events").splitlines()[-1] == "frozen 1"
    podman("unpause", "c1")
    assert unit.read("cgroup.events").splitlines()[-1] == "frozen 0"
    podman("pause", "c1")
    podman("rm", "-f", "-t", "0", "c1")


def test_podman_stats(podman: SystemdPodman) -> None:
    podman("run", "-d", "--name", "c1", *NONE, "--memory", "64m", SHORT, *SLEEP)
    shown = podman("stats", "--no-stream", "--format", "{{.MemUsage}} / {{.PIDs}}", "c1").out.split(" / ")
    assert shown[1:] == ["67.11MB", "1"]


def test_podman_cpu(podman: SystemdPodman) -> None:
    podman("run", "-d", "--name", "c1", *NONE, "--cpus", "0.5", "--cpu-shares", "512", SHORT, *SLEEP)
    unit = podman.unit("c1")
    assert unit.read("cpu.max") == "50000 100000"
    assert unit.get("CPUQuotaPerSecUSec") == "500ms"
    assert unit.get("CPUWeight") == unit.read("cpu.weight") != "100"
    podman("update", "--cpus", "0.25", "c1")
    assert unit.read("cpu.max") == "25000 100000"
    assert unit.get("CPUQuotaPerSecUSec") == "250ms"


def test_limits_outlive_a_reload_of_systemd(podman: SystemdPodman) -> None:
    """daemon-reload writes every property that systemd knows into the cgroup files again."""
    podman("run", "-d", "--name", "c1", *NONE, "--memory", "64m", "--pids-limit", "50", SHORT, *SLEEP)
    podman("update", "--memory", "96m", "--cpus", "0.5", "c1")
    unit = podman.unit("c1")
    before = {file: unit.read(file) for file in ("memory.max", "memory.swap.max", "cpu.max", "pids.max")}
    podman.machine.run("systemctl", "daemon-reload")
    assert {file: unit.read(file) for file in before} == before
    podman("exec", "c1", "sh", "-c", "echo x > /dev/null")


def test_podman_pod(podman: SystemdPodman) -> None:
    podman("pod", "create", "--name", "pod1", *NONE)
    podman("run", "-d", "--pod", "pod1", "--name", "one", "--memory", "64m", SHORT, *SLEEP)
    unit = podman.unit("one")
    pod = podman("pod", "inspect", "pod1", "--format", "{{.ID}}").out
    assert unit.get("Slice") == f"machine-libpod_pod_{pod}.slice"
    assert_memory(unit, 64)
    assert podman("exec", "one", "echo", "hi").out == "hi"
    podman("pod", "stop", "-t", "1", "pod1")
    podman("pod", "start", "pod1")
    assert_memory(unit, 64)
    podman("pod", "rm", "-f", "-t", "0", "pod1")


def test_podman_death_from_outside(podman: SystemdPodman) -> None:
    podman("run", "-d", "--name", "c1", *NONE, SHORT, *SLEEP)
    podman.machine.run("systemctl", "kill", "--signal=KILL", podman.unit("c1").name)
    assert podman("wait", "c1").out == "137"


def test_podman_out_of_memory(podman: SystemdPodman) -> None:
    """systemd keeps a unit as failed whose processes were killed for lack of memory; deletion forgets it."""
    words = ("--memory", "16m", "--memory-swap", "16m")
    podman("run", "--name", "c1", *NONE, *words, SHORT, "sh", "-c", "exec tail /dev/zero", code=137)
    podman("rm", "c1")


def test_podman_command_that_is_missing(podman: SystemdPodman) -> None:
    assert "/no/such" in podman("run", "--rm", *NONE, SHORT, "/no/such", code=127).err


def test_podman_tells_systemd_what_runc_tells(podman: SystemdPodman) -> None:
    original = podman.machine.dir / "compared" / "runc"
    need("runc, to compare with", original.exists())
    compared = SystemdPodman(podman.machine, str(original))
    words = ("--memory", "64m", "--memory-reservation", "32m", "--cpus", "0.5", "--pids-limit", "50")
    seen = []
    for command, name in ((podman, "c1"), (compared, "c2")):
        command("run", "-d", "--name", name, *NONE, *words, SHORT, *SLEEP)
        unit = command.unit(name)
        seen.append(settings(unit, command.inspect(name, "{{.Id}}")))
        # runc leaves out a device that this host has not, and takes a group's name from /proc/devices
        devices = seen[-1]["DeviceAllow"].replace("/dev/char/10:200 rwm\n", "")
        seen[-1]["DeviceAllow"] = devices.replace("char-136 ", "char-pts ")
    assert not differences(*seen)


# Docker


def test_docker_life(docker: Docker) -> None:
    docker("run", "-d", "--name", "c1", *NONE, "--memory", "64m", "--pids-limit", "50", SHORT, *SLEEP)
    unit = docker_unit(docker, "c1")
    cgroup = unit.cgroup
    assert unit.get("ActiveState") == "active"
    assert unit.get("Slice") == "system.slice"
    assert_memory(unit, 64)
    assert docker("exec", "c1", "sh", "-c", "cat /proc/self/cgroup; exit 4", code=4).out == "0::/"
    docker("update", "--memory", "96m", "--memory-swap", "192m", "c1")
    assert_memory(unit, 96)
    assert unit.read("memory.swap.max") == unit.get("MemorySwapMax") == str(96 * MIB)
    assert unit.get("TasksMax") == unit.read("pids.max") == "50"
    usage = docker("stats", "--no-stream", "--format", "{{.MemUsage}} / {{.PIDs}}", "c1").out.split(" / ")
    assert usage[1:] == ["96MiB", "1"]
    docker("pause", "c1")
    assert unit.read("cgroup.events").splitlines()[-1] == "frozen 1"
    docker("unpause", "c1")
    docker("stop", "-t", "1", "c1")
    assert not cgroup.exists()
    docker("start", "c1")
    assert_memory(unit, 96)
    docker("rm", "-f", "c1")
    assert not cgroup.exists()


def test_docker_run_and_remove(docker: Docker) -> None:
    assert docker("run", "--rm", *NONE, SHORT, "sh", "-c", "echo hi; exit 3", code=3).out == "hi"


def test_docker_parent_slice(docker: Docker) -> None:
    """A slice that nothing has started yet: systemd starts it, and those above it, for the scope."""
    docker("run", "-d", "--name", "c1", *NONE, "--cgroup-parent", "plancdeep-er.slice", SHORT, *SLEEP)
    unit = docker_unit(docker, "c1")
    assert unit.get("ControlGroup") == f"/plancdeep.slice/plancdeep-er.slice/{unit.name}"
    docker("rm", "-f", "c1")
    docker.machine.run("systemctl", "stop", "plancdeep-er.slice", "plancdeep.slice")


def test_docker_parent_that_is_no_slice(docker: Docker) -> None:
    error = docker("run", "--rm", *NONE, "--cgroup-parent", "/elsewhere", SHORT, "true", code=125).err
    assert "slice" in error


def test_docker_device_rules(docker: Docker) -> None:
    docker("run", "-d", "--name", "c1", *NONE, "--device-cgroup-rule", "c 42:* rmw", SHORT, *SLEEP)
    unit = docker_unit(docker, "c1")
    assert unit.get("DevicePolicy") == "strict"
    allowed = unit.get("DeviceAllow").splitlines()
    assert {"/dev/char/42:* rwm", "char-42 rwm"} & set(allowed), allowed
    assert {"/dev/char/1:3 rwm", "char-* m", "block-* m"} <= set(allowed), allowed
    docker("update", "--memory", "96m", "--memory-swap", "96m", "c1")
    assert unit.get("DeviceAllow").splitlines() == allowed
    error = docker("exec", "c1", "sh", "-c", "echo x > /dev/null; mknod /d c 1 1; : < /d", code=1).err
    assert error.endswith("Operation not permitted")


# containerd


def test_containerd_life(ctr: SystemdContainerd) -> None:
    unit = ctr.started("t1", "--memory-limit", str(64 * MIB))
    cgroup = unit.cgroup
    assert unit.get("ActiveState") == "active"
    assert unit.get("Slice") == "system.slice"
    assert_memory(unit, 64)
    assert ctr("tasks", "exec", "--exec-id", "e1", "t1", "sh", "-c", "echo in; exit 4", code=4).out == "in"
    update_task(ctr.socket, "t1", {"memory": {"limit": 96 * MIB}, "pids": {"limit": 50}})
    assert_memory(unit, 96)
    assert unit.get("TasksMax") == unit.read("pids.max") == "50"
    metrics = json.loads(ctr("tasks", "metrics", "--format", "json", "t1").out)
    assert metrics["memory"]["usage_limit"] == 96 * MIB
    ctr("tasks", "pause", "t1")
    assert unit.read("cgroup.events").splitlines()[-1] == "frozen 1"
    ctr("tasks", "resume", "t1")
    ctr("tasks", "kill", "-s", "KILL", "t1")
    poll(lambda: "STOPPED" in ctr("tasks", "list").out)
    ctr("tasks", "delete", "t1", code=None)
    ctr("containers", "delete", "t1")
    assert not cgroup.exists()


def test_containerd_run_and_remove(ctr: SystemdContainerd) -> None:
    words = ctr.run_words("--rm", "--cgroup", "system.slice:ctr:t1")
    assert ctr(*words, NAME, "t1", "sh", "-c", "echo hi; exit 3", code=3).out == "hi"


def test_containerd_refused_update(ctr: SystemdContainerd) -> None:
    """containerd passes the runtime's words on."""
    import grpc

    unit = ctr.started("t1", "--memory-limit", str(64 * MIB))
    with pytest.raises(grpc.RpcError, match="cpuset"):
        update_task(ctr.socket, "t1", {"cpu": {"cpus": "0-4000"}})
    assert_memory(unit, 64)


# Kubernetes


def test_pod_of_a_kubernetes_node(kubernetes: SystemdCri) -> None:
    """The slices are made by systemd, and go with their last scope."""
    cri = Cri(kubernetes.socket, "kubepods-podx.slice")
    pod = cri.run_pod()
    container = cri.create(pod, NAME, SLEEP, resources(64 * MIB, 64 * MIB))
    unit = Unit(f"cri-containerd-{container}.scope")
    assert unit.get("ControlGroup") == f"/kubepods.slice/kubepods-podx.slice/{unit.name}"
    assert_memory(unit, 64)
    assert cri.run(container, "sh", "-c", "echo in; exit 4") == (4, "in\n")
    cri.update(container, resources(96 * MIB, 96 * MIB))
    assert_memory(unit, 96)
    assert unit.read("memory.swap.max") == unit.get("MemorySwapMax") == "0"
    cgroup = unit.cgroup
    cri.remove(container)
    assert not cgroup.exists()
    cri.remove_pod(pod)
    kubernetes.machine.run("systemctl", "stop", "kubepods.slice")
