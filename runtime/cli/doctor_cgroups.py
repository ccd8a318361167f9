"""The verdicts of `planc doctor` on cgroups. Pure."""

from __future__ import annotations

from runtime.cli.doctor_check import LIMITED, MISSING, OK, Check
from runtime.plan.host_advice import cgroup_advice, controller_problem, writing_problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.linux.facts import HostFacts

LIMITS = ("cpu", "cpuset", "io", "memory", "pids")
V1_NAMES = {"io": "blkio"}


def cgroup_checks(facts: HostFacts) -> list[Check | None]:
    """The group of that name; None for what does not arise."""
    layout = facts.host.cgroup
    if not layout.v1 and not layout.unified:
        means = "containers run without cgroups: no limits, pause, ps or events"
        advice = "mount -t cgroup2 cgroup2 /sys/fs/cgroup"
        return [Check("version", MISSING, "none mounted", means, advice)]
    found = {"v2": "v2", "v1": "v1", "hybrid": "v1, with a v2 hierarchy beside (hybrid)"}[layout.mode]
    rows: list[Check | None] = [Check("version", OK, found), _writable(facts)]
    rows += [_controllers(facts), _freezer(facts), _kill(facts), _swap(facts), _io_weight(facts)]
    pages = ", ".join(facts.cgroup.page_sizes)
    rows += [Check("huge pages", OK, pages or "none"), _psi(facts)]
    return rows


def _psi(facts: HostFacts) -> Check:
    if facts.kernel.psi:
        return Check("PSI", OK, "yes")
    advice = "boot with psi=1, or use a kernel with CONFIG_PSI"
    return Check("PSI", LIMITED, "no", "events --stats has no pressure", advice)


def _writable(facts: HostFacts) -> Check:
    failed = [(names, path, number) for names, path, number in facts.cgroup.parents if number]
    if facts.cgroup.join and not failed:
        unified = [path for names, path, _ in facts.cgroup.parents if not names]
        failed = [((), f"{unified[0]}/cgroup.procs", facts.cgroup.join)]
    if not failed:
        where = [path for names, path, _ in facts.cgroup.parents]
        return Check("place", OK, where[0] if len(where) == 1 else f"{len(where)} hierarchies", required=True)
    rootless = facts.host.euid != 0 or facts.host.user_namespace
    shown = [f"{path} ({writing_problem(number)})" for _, path, number in failed[:2]]
    more = f" and {len(failed) - 2} more" if len(failed) > 2 else ""
    means = (
        "containers get no cgroup of their own there, and limits fail" if rootless else "no container can run"
    )
    status = LIMITED if rootless else MISSING
    return Check("place", status, ", ".join(shown) + more, means, cgroup_advice(facts), not rootless)


def usable_controllers(facts: HostFacts) -> list[str]:
    """The controllers that a container of this caller can have limits from, by the kernel's names."""
    found = [name for names, _, number in facts.cgroup.parents for name in names if not number]
    unified = [number for names, _, number in facts.cgroup.parents if not names]
    if unified and not unified[0] and not facts.cgroup.join:
        found += facts.cgroup.available
    return sorted({name for name in found if not name.startswith("name=")})


def _controllers(facts: HostFacts) -> Check:
    usable = usable_controllers(facts)
    missing = [name for name in LIMITS if name not in usable and V1_NAMES.get(name) not in usable]
    found = ", ".join(usable) or "none"
    if not missing:
        return Check("controllers", OK, found)
    means = f"no limits of {', '.join(missing)}"
    if facts.cgroup.join or any(number for _, _, number in facts.cgroup.parents):
        advice = cgroup_advice(facts)
    else:
        name = missing[0]
        why, advice = controller_problem(V1_NAMES.get(name, name) if facts.host.cgroup.v1 else name, facts)
        means += f": {why}"
    return Check("controllers", LIMITED if usable else MISSING, found, means, advice)


def _freezer(facts: HostFacts) -> Check | None:
    if facts.cgroup.freezer is None:
        return None
    if facts.cgroup.freezer:
        return Check("freezer", OK, "yes")
    advice = "mount the freezer controller, or use cgroup v2 on Linux 5.2 or newer"
    return Check("freezer", MISSING, "no", "pause and resume fail", advice)


def _kill(facts: HostFacts) -> Check | None:
    if facts.host.cgroup.mode != "v2" or facts.cgroup.kill is None:
        return None
    if facts.cgroup.kill:
        return Check("cgroup.kill", OK, "yes")
    means = "the processes of a container without a pid namespace are killed one by one"
    return Check("cgroup.kill", LIMITED, "no", means, "use Linux 5.14 or newer")


def _swap(facts: HostFacts) -> Check | None:
    if facts.cgroup.swap is None:
        return None
    if facts.cgroup.swap:
        return Check("swap limits", OK, "yes")
    advice = "boot with swapaccount=1, or use a kernel with CONFIG_SWAP"
    return Check("swap limits", LIMITED, "no", "linux.resources.memory.swap fails", advice)


def _io_weight(facts: HostFacts) -> Check | None:
    if facts.host.cgroup.mode != "v2" or "io" not in facts.cgroup.available:
        return None
    if facts.cgroup.io_weight:
        return Check("block IO weights", OK, ", ".join(facts.cgroup.io_weight))
    means = "linux.resources.blockIO.weight fails; limits of rates work"
    return Check(
        "block IO weights", LIMITED, "no", means, "as root: modprobe bfq, and make it the disk's scheduler"
    )
