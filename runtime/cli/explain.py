"""planc explain"""

from __future__ import annotations

from runtime.cli.host_facts import read
from runtime.cli.prepare import namespace_paths
from runtime.cli.report import print_json, print_text
from runtime.errors import PlanError
from runtime.linux import posix as os
from runtime.linux.host import read_host
from runtime.plan.capable_host import more_capable
from runtime.plan.compile import compile_create
from runtime.plan.explain import explain_json, explain_lines
from runtime.plan.host_warnings import HostWarning, host_warnings
from runtime.plan.options import CreateOptions
from runtime.plan.refuse import dotted
from runtime.spec.bundle import load_bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context
    from runtime.linux.host import Host
    from runtime.plan.ops import Plan
    from runtime.spec.bundle import Bundle


def run(context: Context) -> int:
    """Print what `create` would do with a bundle, and warn of what this host cannot; does nothing.

    Needs no root. Where `create` would refuse the config for the host's sake, the plan is the one of a
    host that can, and the exit code 1.
    """
    bundle = load_bundle(context.options["bundle"] or ".", os.geteuid() != 0)
    host = read_host(namespace_paths(bundle.spec))
    rootless = context.rootless if context.rootless is not None else host.euid != 0 or host.user_namespace
    notes = _systemd(context, host, rootless)
    options = CreateOptions(
        id="container",
        no_pivot=context.options["no_pivot"],
        no_new_keyring=context.options["no_new_keyring"],
        rootless=rootless,
    )
    refusal = None
    try:
        plan = _compile(bundle, host, options)
    except PlanError as err:
        refusal = err
        plan, with_what = _compile_elsewhere(bundle, host, options, err)
        notes.append(f"the plan is for a host that has {with_what}")
    warnings = _warnings(bundle, plan, host, options, refusal)
    for text in [*notes, *bundle.spec.warnings, *plan.warnings, *[str(warning) for warning in warnings]]:
        context.log.warning(text)
    if context.options["json"]:
        said = [*notes, *bundle.spec.warnings, *plan.warnings]
        all_of_them = [*[HostWarning("", text) for text in said], *warnings]
        found = {"operations": explain_json(plan), "warnings": [warning.as_json() for warning in all_of_them]}
        print_json({**found, "error": str(refusal)} if refusal else found)
    else:
        print_text("\n".join(explain_lines(plan)) + "\n")
    if refusal:
        raise refusal
    return 0


def _systemd(context: Context, host: Host, rootless: bool) -> list[str]:
    if not context.systemd_cgroup:
        return []
    from runtime.cli.systemd import assume_systemd

    said = assume_systemd(host, rootless)
    return [said] if said else []


def _compile(bundle: Bundle, host: Host, options: CreateOptions) -> Plan:
    return compile_create(bundle.spec, bundle.path, bundle.rootfs, host, options)


def _compile_elsewhere(
    bundle: Bundle, host: Host, options: CreateOptions, refusal: PlanError
) -> tuple[Plan, str]:
    """The plan for a more capable host, and what that has; raises the refusal where none is capable."""
    for with_what, other in more_capable(host, bundle.spec):
        try:
            return _compile(bundle, other, options), with_what
        except PlanError:
            pass
    raise refusal


def _warnings(
    bundle: Bundle, plan: Plan, host: Host, options: CreateOptions, refusal: PlanError | None
) -> list[HostWarning]:
    """Those that say more than the refusal does."""
    spec = bundle.spec
    sources = [op.args["source"] for op in plan.ops if op.code == "open_tree" and op.args.get("userns")]
    facts = read(host, spec.linux.cgroups_path if spec.linux else None, sources)
    found = host_warnings(spec, plan, facts, options.rootless, options.no_pivot)
    return [warning for warning in found if refusal is None or dotted(warning.pointer) != refusal.pointer]
