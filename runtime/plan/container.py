"""What a create plan is made from: config, host and options, and what follows from them at once."""

from __future__ import annotations

from runtime.linux.capabilities import CAPABILITIES
from runtime.plan.idmap import IdMap, MountMaps
from runtime.plan.mounts import plan_mounts
from runtime.plan.namespaces import Namespaces
from runtime.plan.seccomp import needs_filter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.linux.host import Host
    from runtime.plan.mounts import PlannedMount
    from runtime.plan.options import CreateOptions
    from runtime.spec.model import Linux, LinuxSeccomp, Process, Spec

_CAP_SYS_ADMIN = CAPABILITIES["CAP_SYS_ADMIN"]


class Container:
    """The subject of planning, handed from step to step.

    privileged   the caller has CAP_SYS_ADMIN in its own user namespace
    in_userns    the container's processes are not in the initial user namespace
    mounts       config.json's, parsed and checked
    mount_maps   user namespaces for id-mapped mounts, filled by the steps that ask for them
    seccomp      the profile, None where there is nothing to load
    trees_early  sources are opened before namespaces are entered (see compile.py)
    warnings     collects lines for a person
    """

    __slots__ = (
        "bundle", "host", "idmap", "in_userns", "linux", "mount_maps", "mounts", "namespaces", "options",
        "privileged", "process", "rootfs", "seccomp", "spec", "trees_early", "warnings",
    )  # fmt: skip

    def __init__(self, spec: Spec, bundle: str, rootfs: str, host: Host, options: CreateOptions) -> None:
        self.spec = spec
        self.linux: Linux | None = spec.linux
        self.process: Process = spec.process
        self.bundle = bundle
        self.rootfs = rootfs
        self.host = host
        self.options = options
        self.warnings: list[str] = []
        self.namespaces = Namespaces(spec.linux)
        self.idmap = IdMap(spec.linux, self.namespaces, host)
        self.privileged = host.capable(_CAP_SYS_ADMIN)
        self.in_userns = host.user_namespace or self.namespaces.own("user")
        profile = spec.linux.seccomp if spec.linux else None
        self.seccomp: LinuxSeccomp | None = profile if needs_filter(profile) else None
        # a mount namespace of the caller's own making is as good a place to open them, and the only
        # one for a caller who owns no other
        self.trees_early = self.privileged and (
            self.namespaces.own("user") or "mount" not in self.namespaces.new
        )
        self.mount_maps = MountMaps()
        self.mounts: list[PlannedMount] = plan_mounts(self)

    @property
    def holds_trees(self) -> bool:
        """Whether the trees go with the stage into a mount namespace of another user namespace."""
        return self.trees_early and self.namespaces.own("user") and "mount" in self.namespaces.new

    @property
    def own_mounts(self) -> bool:
        """Whether the container has a mount namespace of its own, new or joined."""
        return self.namespaces.own("mount")

    @property
    def dev_is_bind(self) -> bool:
        """Whether config.json binds a /dev of its own, in which nothing must be touched."""
        return any(mount.is_bind and mount.target == "/dev" for mount in self.mounts)
