"""Resources: every limit is read back from the cgroup files, some are run into, updates are live."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .cgroup_files import has_controller
from .conftest import need
from .image import SHORT as IMAGE
from .machine import poll
from .machine_init import cgroup_mounts, unified_only

if TYPE_CHECKING:
    from .daemons import Docker

MIB = 1024 * 1024


class Limited:
    """A sleeping container with limits."""

    def __init__(self, docker: Docker, *words: str, command: tuple[str, ...] = ("sleep", "1000")) -> None:
        docker("run", "-d", "--name", "limited", "--network", "none", *words, IMAGE, *command)
        self.machine = docker.machine
        self.look(docker)

    def look(self, docker: Docker) -> None:
        self.pid = docker.pid("limited")
        self.files = self.machine.cgroup(self.pid)


def test_memory(docker: Docker) -> None:
    box = Limited(docker, "--memory", "64m", "--memory-reservation", "32m")
    assert (box.files.memory, box.files.memory_reservation) == (64 * MIB, 32 * MIB)


def test_swappiness(docker: Docker) -> None:
    need("cgroup v1, which alone has swappiness", not unified_only(cgroup_mounts()))
    assert Limited(docker, "--memory-swappiness", "10").files.read("memory.swappiness") == "10"


def test_no_limits_by_default(docker: Docker) -> None:
    box = Limited(docker)
    assert (box.files.memory, box.files.cpu[0], box.files.pids) == (None, None, None)


def test_oom_killer_disabled(docker: Docker) -> None:
    need("cgroup v1, which alone can do without the OOM killer", not unified_only(cgroup_mounts()))
    box = Limited(docker, "--memory", "64m", "--oom-kill-disable")
    assert "oom_kill_disable 1" in box.files.read("memory.oom_control")


def test_deprecated_kernel_memory_is_no_error(docker: Docker) -> None:
    box = Limited(docker, "--memory", "64m", "--kernel-memory", "50m")
    assert box.files.memory == 64 * MIB


def test_cpu(docker: Docker) -> None:
    box = Limited(docker, "--cpus", "0.5", "--cpu-shares", "256")
    assert box.files.cpu == (50000, 100000)
    assert box.files.has_shares(256)


def test_cpuset(docker: Docker) -> None:
    need("the cgroup controller cpuset", has_controller("cpuset"))
    box = Limited(docker, "--cpuset-cpus", "0", "--cpuset-mems", "0")
    assert box.files.cpus == "0"
    assert box.machine.status(box.pid, "Cpus_allowed_list") == "0"


def test_cpu_period_and_quota(docker: Docker) -> None:
    box = Limited(docker, "--cpu-period", "50000", "--cpu-quota", "20000")
    assert box.files.cpu == (20000, 50000)


def test_pids(docker: Docker) -> None:
    script = "(for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done); exec sleep 1000"
    box = Limited(docker, "--pids-limit", "5", command=("sh", "-c", script))
    assert box.files.pids == 5
    poll(lambda: "fork" in docker("logs", "limited").err)
    assert int(box.files.read("pids.current", "pids.current")) <= 5, "the limit holds"


def test_block_io_throttle(docker: Docker) -> None:
    need("/dev/vda", os.path.exists("/dev/vda"))
    number = os.stat("/dev/vda").st_rdev
    device = f"{os.major(number)}:{os.minor(number)}"
    box = Limited(docker, "--device-read-bps", "/dev/vda:1mb", "--device-write-iops", "/dev/vda:100")
    assert box.files.read("blkio.throttle.read_bps_device") == f"{device} 1048576"
    assert box.files.read("blkio.throttle.write_iops_device") == f"{device} 100"


def test_device_list(docker: Docker) -> None:
    box = Limited(docker, "--device-cgroup-rule", "c 42:* rmw", "--device", "/dev/kmsg:/dev/kmsg:r")
    rules = set(box.files.read("devices.list").splitlines())
    assert {"c 42:* rwm", "c 1:11 r", "c 1:3 rwm", "c 1:5 rwm", "c 5:2 rwm", "c 136:* rwm"} <= rules
    assert "a *:* rwm" not in rules


def test_cgroup_parent(docker: Docker) -> None:
    box = Limited(docker, "--cgroup-parent", "/elsewhere/parent")
    directory = box.files.directory("memory")
    assert directory.parent.name == "parent"
    docker("rm", "-f", "limited")
    poll(lambda: not directory.exists())
    docker.machine.run("find", "/sys/fs/cgroup", "-depth", "-path", "*/elsewhere*", "-type", "d", "-delete")


def test_every_process_is_in_every_cgroup(docker: Docker) -> None:
    box = Limited(docker)
    identity = docker.inspect("limited", "{{.Id}}")
    lines = box.machine.proc(box.pid, "cgroup").read_text().splitlines()
    used = [line for line in lines if box.files.v2 or not line.startswith("0:")]
    assert used and all(line.endswith(f"/docker/{identity}") for line in used)


def test_update_of_a_running_container(docker: Docker) -> None:
    box = Limited(docker, "--memory", "64m", "--cpus", "0.5", "--pids-limit", "50")
    docker("update", "--memory", "32m", "--memory-swap", "32m", "limited")
    assert box.files.memory == 32 * MIB
    assert (box.files.cpu[0], box.files.pids) == (50000, 50), "zero means unchanged"
    docker("update", "--cpus", "0.25", "--cpu-shares", "512", "--pids-limit", "60", "limited")
    assert (box.files.cpu[0], box.files.pids, box.files.memory) == (25000, 60, 32 * MIB)
    assert box.files.has_shares(512)
    error = docker("exec", "limited", "sh", "-c", "echo x > /dev/null; mknod /d c 1 1; : < /d", code=1).err
    assert error.endswith("Operation not permitted"), "devices are as before"


def test_cpuset_and_device_list_after_an_update(docker: Docker) -> None:
    need(
        "the cgroup v1 controllers cpuset and devices", has_controller("devices") and has_controller("cpuset")
    )
    box = Limited(docker, "--memory", "64m", "--cpuset-cpus", "0")
    before = box.files.read("devices.list")
    docker("update", "--memory", "32m", "--memory-swap", "32m", "limited")
    assert box.files.cpus == "0"
    assert box.files.read("devices.list") == before


def test_update_that_the_kernel_refuses(docker: Docker) -> None:
    need("the cgroup controller cpuset", has_controller("cpuset"))
    box = Limited(docker, "--memory", "64m")
    docker("update", "--cpuset-cpus", "4000", "limited", code=1)
    assert box.files.memory == 64 * MIB


def test_updated_limits_survive_a_restart(docker: Docker) -> None:
    box = Limited(docker, "--memory", "64m")
    docker("update", "--pids-limit", "70", "limited")
    docker("restart", "-t", "0", "limited")
    box.look(docker)
    assert box.files.pids == 70
    assert box.files.memory == 64 * MIB


def test_out_of_memory(docker: Docker) -> None:
    words = ("--name", "oom", "--network", "none", "--memory", "8m", "--memory-swap", "8m")
    docker("run", *words, IMAGE, "sh", "-c", "exec tail /dev/zero", code=137)
    poll(lambda: docker.inspect("oom", "{{.State.OOMKilled}} {{.State.ExitCode}}") == "true 137")


def test_out_of_memory_of_a_child_only(docker: Docker) -> None:
    words = ("--rm", "--network", "none", "--memory", "8m", "--memory-swap", "8m")
    assert docker("run", *words, IMAGE, "sh", "-c", "tail /dev/zero; echo survived").out == "survived"


def test_impossible_limit_is_an_error(docker: Docker) -> None:
    need("the cgroup controller cpuset", has_controller("cpuset"))
    error = docker("run", "--rm", "--network", "none", "--cpuset-cpus", "0-4000", IMAGE, "true", code=125).err
    assert "cpus" in error.lower()
