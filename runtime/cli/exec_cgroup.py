"""`exec --cgroup`: a sub-cgroup for the process."""

from __future__ import annotations

from runtime.errors import UsageError
from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Cgroups = list[tuple[Sequence[str], str]]


def chosen_cgroups(values: list[str], cgroups: Cgroups) -> tuple[Cgroups, bool]:
    """(directories to enter, whether init's cgroup will do when that fails).

    A value is PATH, relative to the container's cgroup, or CONTROLLER[,CONTROLLER]:PATH on v1.
    Raises UsageError.
    """
    chosen = list(cgroups)
    for value in values:
        names, colon, path = value.rpartition(":")
        wanted = names.split(",") if colon else []
        known = {name for controllers, _ in cgroups for name in controllers}
        for name in wanted:
            if name not in known:
                raise UsageError(f"--cgroup {value}: the container has no cgroup of controller {name!r}")
        chosen = [
            (
                controllers,
                below(old, path, value) if not wanted or set(wanted) & set(controllers) else current,
            )
            for (controllers, old), (_, current) in zip(cgroups, chosen, strict=True)
        ]
    return chosen, False


def below(directory: str, path: str, value: str) -> str:
    """`path` below the container's `directory`. Raises UsageError when it leads out or is not there."""
    joined = os.path.normpath(f"{directory}/{path}")
    if joined != directory and not joined.startswith(directory + "/"):
        raise UsageError(f"--cgroup {value}: it is not below the container's cgroup")
    if not os.path.isdir(joined):
        raise UsageError(f"--cgroup {value}: {joined} does not exist")
    return joined
