"""cgroup v2: a container below a threaded cgroup (cgroups(7), Thread mode). Imported only then."""

from __future__ import annotations

from runtime.execute.cgroupfs import write
from runtime.linux import posix as os
from runtime.linux.cgroup import cgroup_type


def make_threaded(path: str) -> None:
    """Let processes into a new cgroup that can have none, being a domain below a threaded one.

    It and those above it become threaded themselves: then cpu, cpuset and pids are all that it can
    have. Raises OSError.
    """
    invalid: list[str] = []
    while cgroup_type(path) == "domain invalid":
        invalid.insert(0, path)
        path = os.path.dirname(path)
    for path in invalid:
        write(f"{path}/cgroup.type", b"threaded")
