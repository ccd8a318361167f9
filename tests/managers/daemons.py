"""Docker, Podman, containerd and Buildah inside a Machine, all told to use the runtime under test.

Every manager object is called like its command: `docker("run", "--rm", IMAGE, "true")` runs it inside the
machine, asserts the exit code (`code=`, default 0) and returns a Result.  `clean()` removes what a test left
behind and then asserts that nothing is left: no container, no cgroup, no state of the runtime, no process.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import image
from .machine import Machine, Result, poll
from .machine_init import USER, USER_ID

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping

    from .terminal import Terminal

DOCKER = "/usr/bin/docker"
DOCKERD = ("/usr/sbin/dockerd", "/usr/bin/dockerd")
WITHOUT_BRIDGE = {"bridge": "none", "iptables": False}
"""Settings of a Docker Engine that only has containers with --network none and host."""
STATE_ROOTS = ("/run/runc", "/run/planc")


def find_program(*names: str) -> str:
    """The first of these programs that exists here, or an empty string."""
    return next(
        (path for name in names if (path := shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin"))), ""
    )


def ulimits() -> list[str]:
    """Values for --ulimit within the host's hard limits; to exceed those takes CAP_SYS_RESOURCE."""
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1] % 2**63, 10_000)
    processes = min(resource.getrlimit(resource.RLIMIT_NPROC)[1] % 2**63, 10_000)
    return [f"nofile={files}:{files}", f"nproc={processes}:{processes}"]


class Manager:
    """One command of a manager, with fixed options and environment, as root or as the rootless user."""

    def __init__(
        self, machine: Machine, argv: list[str], env: Mapping[str, str] | None = None, user: str = ""
    ) -> None:
        self.machine = machine
        self.argv = argv
        self.env = dict(env or {})
        self.user = user

    def __call__(self, *args: str | Path, **options: Any) -> Result:
        return self.machine.run(*self.argv, *args, env=self.env, user=self.user, **options)

    def terminal(self, *args: str | Path) -> Terminal:
        return self.machine.terminal(*self.argv, *args, env=self.env, user=self.user)

    def popen(self, *args: str, **options: Any) -> subprocess.Popen[bytes]:
        return self.machine.popen([*self.argv, *args], env=self.env, user=self.user, **options)


def leftovers(machine: Machine, processes: str, cgroups: str, state_roots: list[str]) -> set[str]:
    """Processes with a text in their command, cgroups matching a pattern, entries of state directories."""
    found = {command for command in machine.processes().values() if processes in command}
    found |= {name for name in machine.cgroups() if re.match(cgroups, name)}
    for root in state_roots:
        entries = machine.inside(root).glob("*")
        found |= {f"{root}/{entry.name}" for entry in entries if not entry.name.startswith(".")}
    return found


def assert_nothing_left(machine: Machine, processes: str, cgroups: str, state_roots: list[str]) -> None:
    """Wait until there are no leftovers but those that an earlier test was already blamed for."""
    seen: set[str] = set()

    def nothing() -> bool:
        seen.clear()
        seen.update(leftovers(machine, processes, cgroups, state_roots) - machine.blamed)
        return not seen

    try:
        poll(nothing)
    except AssertionError:
        machine.blamed |= seen
        raise AssertionError(f"left behind: {sorted(seen)}") from None


class Docker(Manager):
    """A Docker Engine with its own containerd; `settings` are added to its daemon.json."""

    def __init__(
        self, machine: Machine, name: str = "docker", settings: Mapping[str, Any] | None = None
    ) -> None:
        self.socket = f"/run/{name}.sock"
        super().__init__(machine, [DOCKER, "-H", f"unix://{self.socket}"], {"DOCKER_BUILDKIT": "0"})
        self.name = name
        self.exec_root = f"/run/{name}"
        self.settings = {
            "hosts": [f"unix://{self.socket}"],
            "data-root": str(machine.dir / name),
            "exec-root": self.exec_root,
            "pidfile": f"/run/{name}.pid",
            "storage-driver": "overlay2",
            "runtimes": {"planc": {"path": machine.runtime}},
            "default-runtime": "planc",
            "shutdown-timeout": 60,
            **(settings or {}),
        }
        if "native.cgroupdriver=systemd" in self.settings.get("exec-opts", ()):
            self.cgroups = r"system\.slice/docker-[0-9a-f]{64}\.scope"
        else:
            cgroup = self.settings.get("cgroup-parent", "/docker").strip("/")
            self.cgroups = f"{cgroup}/(buildkit/|[0-9a-f]{{64}})"
        self.network = ("--network", "none") if self.settings.get("bridge") == "none" else ()
        self.state_root = f"{self.exec_root}/runtime-runc/moby"
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self, load: bool = True) -> None:
        config = self.machine.dir / f"{self.name}.json"
        config.write_text(json.dumps(self.settings))
        with open(self.machine.dir / f"{self.name}.log", "ab") as log:
            argv = [find_program(*DOCKERD), "--config-file", str(config)]
            self._daemon = self.machine.popen(argv, stdout=log.fileno(), stderr=log.fileno())
        poll(lambda: self._answers(), 120, "dockerd answers")
        if load:
            self("load", "-i", self.machine.dir / "image.tar")

    def _answers(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, self.log()[-3000:]
        return self("version", code=None).code == 0

    def log(self) -> str:
        return (self.machine.dir / f"{self.name}.log").read_text(errors="replace")

    def stop(self) -> None:
        """End the daemon and all its containers in the orderly way."""
        assert self._daemon is not None
        self.machine.run("kill", self.machine.inside(f"/run/{self.name}.pid").read_text().strip())
        self._daemon.wait(120)

    def inspect(self, container: str, template: str) -> str:
        return self("inspect", "-f", template, container).out

    def pid(self, container: str) -> str:
        return self.inspect(container, "{{.State.Pid}}")

    def clean(self) -> None:
        if containers := self("ps", "-aq").out.split():
            self("rm", "-f", "-v", *containers)
        shims = f"/run/{self.name}/containerd/containerd.sock"
        assert_nothing_left(self.machine, shims, self.cgroups, [self.state_root])


class Containerd(Manager):
    """containerd and its test client ctr, in the namespace `default`."""

    cgroups = "default/"
    namespace = "default"

    def __init__(self, machine: Machine, name: str = "containerd") -> None:
        self.name = name
        self.address = f"/run/{name}/containerd.sock"
        super().__init__(machine, [find_program("ctr"), "--address", self.address])
        self.argv += ["--namespace", self.namespace]
        self.state_root = f"/run/containerd/runc/{self.namespace}"
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Its address, from outside."""
        return self.machine.inside(self.address)

    def config(self) -> str:
        """The text of its configuration file."""
        return (
            f'version = 2\nroot = "{self.machine.dir}/{self.name}"\nstate = "/run/{self.name}"\n'
            f"disabled_plugins = {json.dumps(self.disabled_plugins)}\n"
            f'[grpc]\naddress = "{self.address}"\n'
        )

    disabled_plugins: tuple[str, ...] = ("io.containerd.grpc.v1.cri",)

    def start(self) -> None:
        (self.machine.dir / f"{self.name}.toml").write_text(self.config())
        with open(self.machine.dir / f"{self.name}.log", "ab") as log:
            argv = self.daemon_command().split()
            self._daemon = self.machine.popen(argv, stdout=log.fileno(), stderr=log.fileno())
        poll(lambda: self("version", code=None).code == 0, 60, "containerd answers")
        self("images", "import", self.machine.dir / "image.tar")

    def stop(self) -> None:
        assert self._daemon is not None
        for pid, command in self.machine.processes().items():
            if command.startswith(self.daemon_command()):
                self.machine.run("kill", str(pid))
        self._daemon.wait(60)

    def daemon_command(self) -> str:
        return f"{find_program('containerd')} --config {self.machine.dir}/{self.name}.toml"

    def run_words(self, *options: str) -> list[str]:
        """`ctr run` with the runtime under test."""
        return ["run", "--runc-binary", self.machine.runtime, *options]

    def clean(self) -> None:
        for task in self("tasks", "list", "-q").out.split():
            self("tasks", "delete", "--force", task)
        for container in self("containers", "list", "-q").out.split():
            self("containers", "delete", container)
        assert_nothing_left(self.machine, f"-address {self.address}", self.cgroups, [self.state_root])


def write_containers_config(machine: Machine, directory: Path) -> dict[str, str]:
    """Configuration for Podman and Buildah; returns the environment that points to it."""
    directory.mkdir(exist_ok=True)
    etc = machine.inside("/etc/containers")
    etc.mkdir(exist_ok=True)
    (etc / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (etc / "registries.conf").write_text(
        'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "disabled"\n'
    )
    limits = ", ".join(f'"{limit}"' for limit in ulimits())
    (directory / "containers.conf").write_text(
        f"[containers]\ndefault_ulimits = [{limits}]\n"
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        'runtime_supports_json = ["runc", "crun"]\n'
        f'infra_image = "{image.PAUSE_NAME}"\n'
    )
    return {"CONTAINERS_CONF": str(directory / "containers.conf")}


class Podman(Manager):
    """Podman with `--runtime PATH`; `rootless` runs it as an ordinary user of the machine.

    Podman trusts in the JSON log only of runtimes of certain names, so the path's last component matters.
    """

    cgroups = "libpod_parent/libpod-"

    def __init__(self, machine: Machine, runtime: str, rootless: bool = False) -> None:
        env = write_containers_config(machine, machine.dir / "containers-config")
        place = Path(machine.dir, "home", USER) if rootless else machine.dir
        run = f"/run/user/{USER_ID}" if rootless else "/run"
        self.rootless = rootless
        if rootless:
            env |= {"HOME": str(place), "XDG_RUNTIME_DIR": run, "USER": USER}
        argv = [find_program("podman"), "--root", f"{place}/storage", "--runroot", f"{run}/storage"]
        argv += ["--tmpdir", f"{run}/libpod", "--storage-driver", "overlay", "--runtime", runtime]
        super().__init__(machine, argv, env, USER if rootless else "")
        self.state_roots = [f"{run}/runc", f"{run}/planc"] if rootless else list(STATE_ROOTS)

    def load(self) -> None:
        self("load", "-i", self.machine.dir / "image.tar")

    def inspect(self, container: str, template: str) -> str:
        return self("inspect", "-f", template, container).out

    def pid(self, container: str) -> str:
        return self.inspect(container, "{{.State.Pid}}")

    def clean(self) -> None:
        self("pod", "rm", "-fa", "-t", "0")
        self("rm", "-fa", "-t", "0")
        self("volume", "prune", "-f")
        assert_nothing_left(self.machine, "/usr/bin/conmon", self.cgroups, self.state_roots)


class Buildah(Manager):
    """Buildah; `run()` and `bud()` name the runtime under test."""

    def __init__(self, machine: Machine) -> None:
        env = write_containers_config(machine, machine.dir / "containers-config")
        argv = [find_program("buildah"), "--root", f"{machine.dir}/buildah", "--runroot", "/run/buildah"]
        super().__init__(machine, [*argv, "--storage-driver", "overlay"], env)
        self.network = () if machine.has_nat() else ("--network", "none")

    def load(self) -> None:
        self("pull", f"docker-archive:{self.machine.dir}/image.tar:{image.NAME}")

    def container(self) -> str:
        """A new working container; its name."""
        limits = [f"--ulimit={limit}" for limit in ulimits()]
        return self("from", "--pull-never", *limits, image.NAME).out

    def run_words(self, *options: str) -> list[str]:
        fixed = ["run", "--runtime", self.machine.runtime, "--isolation", "oci"]
        return [*fixed, *self.network, *options]

    def run(self, container: str, *args: str, options: tuple[str, ...] = (), **kept: Any) -> Result:
        return self(*self.run_words(*options), container, "--", *args, **kept)

    def bud(self, context: Path, *options: str, **kept: Any) -> Result:
        """`buildah bud` of a directory, every step in a container of its own and without cache."""
        limits = [f"--ulimit={limit}" for limit in ulimits()]
        fixed = ["bud", "--runtime", self.machine.runtime, "--isolation", "oci", "--no-cache", "--layers"]
        return self(*fixed, *limits, *self.network, "--pull-never", *options, context, **kept)

    def clean(self) -> None:
        self("rm", "--all")
        assert_nothing_left(self.machine, "buildah-oci-runtime", "buildah-", list(STATE_ROOTS))


def write_image(machine: Machine) -> None:
    """The image's unpacked files and its archive, in the machine's directory."""
    rootfs = machine.dir / "rootfs"
    rootfs.mkdir()
    image.write_rootfs(rootfs)
    image.write_archive(rootfs, machine.dir / "image.tar")
    os.chmod(machine.dir / "image.tar", 0o644)
