"""The facts of the host for `doctor` and `explain`: what reading them needs to be told."""

from __future__ import annotations

from runtime.errors import PlanError
from runtime.linux import posix as os
from runtime.linux.host import Host, read_host
from runtime.linux.probe.everything import read_facts
from runtime.linux.probe.idmap import PLACES, one_of_each
from runtime.plan.cgroup import container_cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.linux.facts import HostFacts


def read(
    host: Host | None = None,
    cgroups_path: str | None = None,
    sources: Sequence[str] | None = None,
) -> HostFacts:
    """The facts for this caller; nothing is changed.

    `cgroups_path`: of the container in question. `sources`: the sources of its idmapped mounts, for
    facts without what no config asks for (systemd, CRIU); None: all facts. Raises OSError without /proc.
    """
    host = host or read_host()
    cgroups = container_cgroups(cgroups_path, "container", host)
    parents = [(names, os.path.dirname(path)) for names, path in cgroups]
    if sources is None:
        return read_facts(host, parents, has_bindings(), one_of_each(PLACES))
    return read_facts(host, parents, has_bindings(), sources or None, systemd=False, criu=False)


def has_bindings() -> bool:
    """Whether the Python bindings of libseccomp can be imported."""
    from runtime.execute.seccomp_compile import import_bindings

    try:
        import_bindings()
    except PlanError:
        return False
    return True
