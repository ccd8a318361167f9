"""planc explain"""

from __future__ import annotations

from runtime.cli.prepare import namespace_paths
from runtime.cli.report import print_json, print_text
from runtime.linux import posix as os
from runtime.linux.host import read_host
from runtime.plan.compile import compile_create
from runtime.plan.explain import explain_json, explain_lines
from runtime.plan.options import CreateOptions
from runtime.spec.bundle import load_bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context


def run(context: Context) -> int:
    """Print what `create` would do with a bundle; needs no root and does nothing."""
    options = context.options
    bundle = load_bundle(options["bundle"] or ".", os.geteuid() != 0)
    host = read_host(namespace_paths(bundle.spec))
    rootless = context.rootless if context.rootless is not None else host.euid != 0 or host.user_namespace
    create_options = CreateOptions(
        id="container",
        no_pivot=options["no_pivot"],
        no_new_keyring=options["no_new_keyring"],
        rootless=rootless,
    )
    plan = compile_create(bundle.spec, bundle.path, bundle.rootfs, host, create_options)
    for text in [*bundle.spec.warnings, *plan.warnings]:
        context.log.warning(text)
    if options["json"]:
        print_json(explain_json(plan))
    else:
        print_text("\n".join(explain_lines(plan)) + "\n")
    return 0
