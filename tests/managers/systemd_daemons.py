"""The managers of daemons.py with their systemd cgroup driver, in a SystemdMachine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .daemons import Containerd, Podman
from .image import NAME, PAUSE_NAME
from .systemd_machine import Unit

if TYPE_CHECKING:
    from .machine import Machine

NONE = ("--network", "none")
SLEEP = ("sleep", "1000")


class SystemdPodman(Podman):
    """Podman whose containers are machine.slice/libpod-ID.scope."""

    cgroups = r"(.*/)?libpod[-_]"

    def __init__(self, machine: Machine, runtime: str) -> None:
        super().__init__(machine, runtime)
        self.argv += ["--cgroup-manager", "systemd"]

    def unit(self, container: str) -> Unit:
        return Unit(f"libpod-{self.inspect(container, '{{.Id}}')}.scope")


class SystemdContainerd(Containerd):
    """containerd; a task T started with run_words(cgroup(T)) is system.slice/ctr-T.scope."""

    cgroups = r"system\.slice/ctr-"

    def run_words(self, *options: str) -> list[str]:
        return super().run_words("--runc-systemd-cgroup", *options)

    def started(self, name: str, *options: str) -> Unit:
        words = self.run_words("-d", "--cgroup", f"system.slice:ctr:{name}", *options)
        self(*words, NAME, name, *SLEEP)
        return Unit(f"ctr-{name}.scope")


class SystemdCri(Containerd):
    """containerd for a Kubernetes node: its CRI plugin, with SystemdCgroup = true."""

    cgroups = r"(.*/)?cri-containerd-"
    namespace = "k8s.io"
    disabled_plugins = ()

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine, "cri")

    def config(self) -> str:
        plugin = 'plugins."io.containerd.grpc.v1.cri"'
        runtime = f"{plugin}.containerd.runtimes.planc"
        return super().config() + (
            f'[{plugin}]\nsandbox_image = "{PAUSE_NAME}"\n'
            f'[{plugin}.containerd]\ndefault_runtime_name = "planc"\n'
            f'[{runtime}]\nruntime_type = "io.containerd.runc.v2"\n'
            f'[{runtime}.options]\nBinaryName = "{self.machine.runtime}"\nSystemdCgroup = true\n'
        )
