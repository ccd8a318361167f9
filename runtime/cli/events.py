"""planc events"""

from __future__ import annotations

import time

import prctl

from runtime.cli.report import print_json
from runtime.cli.size import duration
from runtime.errors import StateError
from runtime.execute.cgroup_stats import oom_count, stats
from runtime.state import store
from runtime.state.status import STOPPED, container_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context

OOM_INTERVAL = 0.1


def run(context: Context) -> int:
    """JSON lines of type stats (every --interval) and oom (when one happens), until the container stops."""
    # it may run for as long as the container: ps(1) shall not call it python3
    prctl.set_name("planc")
    interval = duration(context.options["interval"], "interval")
    directory, record = store.load(context.root, context.options["id"])
    with directory:
        if container_status(directory, record) == STOPPED:
            raise StateError(f"container not running: {record.id}")
        if context.options["stats"]:
            print_event("stats", record.id, stats(record.cgroups))
            return 0
        next_stats = time.monotonic() + interval
        ooms = oom_count(record.cgroups)
        while container_status(directory, record) != STOPPED:
            time.sleep(min(OOM_INTERVAL, interval))
            now = oom_count(record.cgroups)
            if now > ooms:
                ooms = now
                print_event("oom", record.id, None)
            if time.monotonic() >= next_stats:
                next_stats += interval
                print_event("stats", record.id, stats(record.cgroups))
    return 0


def print_event(kind: str, container_id: str, data: object) -> None:
    """One line."""
    event: dict[str, object] = {"type": kind, "id": container_id}
    if data is not None:
        event["data"] = data
    print_json(event, indent=None)
