"""All facts of the host at once."""

from __future__ import annotations

from runtime.linux.capabilities import CAPABILITIES
from runtime.linux.facts import CriuFacts, HostFacts, IdmapFacts, SystemdFacts
from runtime.linux.host import Host
from runtime.linux.probe.cgroup import read_cgroup
from runtime.linux.probe.criu import read_criu
from runtime.linux.probe.idmap import read_idmap
from runtime.linux.probe.ids import read_ids
from runtime.linux.probe.kernel import read_kernel
from runtime.linux.probe.limits import read_limits
from runtime.linux.probe.namespaces import read_namespaces
from runtime.linux.probe.seccomp import read_seccomp
from runtime.linux.probe.security import read_security
from runtime.linux.probe.systemd import read_systemd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SYS_ADMIN = CAPABILITIES["CAP_SYS_ADMIN"]


def read_facts(
    host: Host,
    parents: Sequence[tuple[Sequence[str], str]],
    bindings: bool,
    idmap_places: Sequence[str] | None,
    systemd: bool = True,
    criu: bool = True,
) -> HostFacts:
    """The facts of the host for this caller.

    `parents`, `bindings`: see read_cgroup and read_seccomp. What is not asked for (`idmap_places` None,
    `systemd`, `criu` False) is not looked at: that takes time.
    """
    privileged = host.capable(_SYS_ADMIN)
    whole = privileged and not host.user_namespace
    return HostFacts(
        host=host,
        kernel=read_kernel(),
        namespaces=read_namespaces(privileged),
        cgroup=read_cgroup(host, parents),
        seccomp=read_seccomp(bindings),
        security=read_security(),
        idmap=IdmapFacts() if idmap_places is None else read_idmap(whole, idmap_places),
        ids=read_ids(),
        systemd=read_systemd() if systemd else SystemdFacts(),
        criu=read_criu() if criu else CriuFacts(),
        limits=read_limits(),
    )
