"""planc doctor: what this host can and cannot give a container of this caller."""

from __future__ import annotations

from runtime.cli.doctor_checks import can_run, checks
from runtime.cli.host_facts import read
from runtime.cli.report import print_json, print_text
from runtime.linux.capabilities import capability_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cli.context import Context
    from runtime.cli.doctor_check import Check
    from runtime.linux.facts import HostFacts

CANNOT_RUN = 1


def run(context: Context) -> int:
    """Print the report; 0 when a default container of this caller can run, 1 when not."""
    facts = read()
    found = checks(facts)
    if context.options["json"]:
        print_json(report(facts, found))
    else:
        from runtime.cli.doctor_table import table

        print_text(table(found, verdict(facts, found)))
    return 0 if can_run(found) else CANNOT_RUN


def verdict(facts: HostFacts, found: list[Check]) -> str:
    """The last line."""
    who = "root" if facts.host.euid == 0 else f"uid {facts.host.euid}"
    if can_run(found):
        return f"A default container of {who} can run."
    return f"No default container of {who} can run, for what is missing with *."


def report(facts: HostFacts, found: list[Check]) -> dict[str, Any]:
    """The JSON object; docs/doctor.md has its shape."""
    from runtime import __version__

    return {
        "version": __version__,
        "canRun": can_run(found),
        "caller": _caller(facts),
        "checks": [check.as_json() for check in found],
        "facts": _facts(facts),
    }


def _caller(facts: HostFacts) -> dict[str, Any]:
    host = facts.host
    return {
        "uid": host.euid,
        "gid": host.egid,
        "userNamespace": host.user_namespace,
        "rootless": host.euid != 0 or host.user_namespace,
        "capabilities": capability_names(host.capabilities),
    }


def _facts(facts: HostFacts) -> dict[str, Any]:
    layout = facts.host.cgroup
    shown = {name: getattr(facts, name).as_json() for name in facts.names() if name != "host"}
    shown["cgroup"] = {
        "mode": layout.mode if layout.v1 or layout.unified else "none",
        "v1": [{"controllers": list(names), "mountpoint": at, "own": own} for names, at, own in layout.v1],
        "unified": layout.unified,
        "own": layout.own if layout.unified else "",
        "controllers": list(layout.controllers),
        **shown["cgroup"],
    }
    return shown
