"""From the command line of `create` and `run` to a plan: what the two have in common."""

from __future__ import annotations

from runtime.cli.descriptors import passed_on
from runtime.errors import UsageError
from runtime.execute.create import CreateRequest
from runtime.execute.new_record import record_of
from runtime.linux import posix as os
from runtime.linux.host import read_host
from runtime.plan.cgroup import container_cgroups
from runtime.plan.compile import compile_create
from runtime.plan.options import CreateOptions
from runtime.spec.bundle import load_bundle
from runtime.state.store import check_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context
    from runtime.plan.ops import Plan
    from runtime.spec.model import Spec


class Prepared:
    """A plan and all that carrying it out needs; paths of the command line made absolute."""

    __slots__ = ("pid_file", "plan", "request", "spec")

    def __init__(self, plan: Plan, request: CreateRequest, spec: Spec, pid_file: str) -> None:
        self.plan = plan
        self.request = request
        self.spec = spec
        self.pid_file = pid_file


def prepare(context: Context, detached: bool) -> Prepared:
    """Read the bundle and plan the container. `detached`: nobody waits, a terminal needs a socket.

    The working directory becomes the bundle. Raises PlancError.
    """
    options = context.options
    check_id(options["id"])
    pid_file = absolute(options["pid_file"])
    console_socket = absolute(options["console_socket"])
    pidfd_socket = absolute(options["pidfd_socket"])
    keep_fds, listen_fds = passed_on(options["preserve_fds"])
    bundle = load_bundle(options["bundle"] or ".", os.geteuid() != 0)
    os.chdir(bundle.path)
    host = read_host(namespace_paths(bundle.spec), limits_huge_pages(bundle.spec))
    rootless = context.rootless if context.rootless is not None else host.euid != 0 or host.user_namespace
    if context.systemd_cgroup:
        from runtime.cli.systemd import find_systemd

        find_systemd(host, rootless)
    check_terminal(bool(bundle.spec.process and bundle.spec.process.terminal), console_socket, detached)

    record = record_of(bundle.spec, bundle.path, bundle.rootfs, options["id"])
    record.rootless = rootless
    record.no_pivot = options["no_pivot"]
    if host.systemd is not None:
        from runtime.cli.systemd import record_unit

        record_unit(record, bundle.spec, host)
    linux = bundle.spec.linux
    record.cgroups = list(container_cgroups(linux.cgroups_path if linux else None, options["id"], host))
    notify_dir = ""
    if os.environ.get("NOTIFY_SOCKET"):
        record.notify_socket = os.environ["NOTIFY_SOCKET"]
        notify_dir = f"{context.root}/{options['id']}/notify"
    plan = compile_create(
        bundle.spec,
        bundle.path,
        bundle.rootfs,
        host,
        CreateOptions(
            id=options["id"],
            no_pivot=options["no_pivot"],
            no_new_keyring=options["no_new_keyring"],
            keep_fds=keep_fds,
            listen_fds=listen_fds,
            notify_socket_dir=notify_dir,
            pidfd_socket=pidfd_socket,
            rootless=rootless,
        ),
    )
    request = CreateRequest(context.root, record)
    request.console_socket = console_socket
    request.pidfd_socket = pidfd_socket
    request.keep_fds = keep_fds
    request.seccomp = (bundle.spec.raw.get("linux") or {}).get("seccomp")
    warn(context, bundle.spec, plan)
    if context.debug:
        trace(context, plan, request)
    return Prepared(plan, request, bundle.spec, pid_file)


def namespace_paths(spec: Spec) -> list[str]:
    """The namespace files that the config names."""
    namespaces = (spec.linux and spec.linux.namespaces) or ()
    return [namespace.path for namespace in namespaces if namespace.path]


def limits_huge_pages(spec: Spec) -> bool:
    """Whether the config has limits whose page sizes the host must know."""
    resources = spec.linux and spec.linux.resources
    return bool(resources and resources.hugepage_limits)


def absolute(path: str | None) -> str:
    """A path of the command line, from the directory the caller was in; "" for none."""
    return os.path.abspath(path) if path else ""


def check_terminal(terminal: bool, console_socket: str, detached: bool) -> None:
    """Raise UsageError unless terminal, socket and waiting go together."""
    if detached and terminal and not console_socket:
        raise UsageError(
            "process.terminal is true, but nobody would hold the terminal",
            hint="give --console-socket, or run in the foreground",
        )
    if console_socket and not detached:
        raise UsageError(
            "--console-socket is for create and --detach: in the foreground planc holds the terminal"
        )
    if console_socket and not terminal:
        raise UsageError(
            f"--console-socket: {console_socket} would get no terminal: process.terminal is not true",
            hint="set it, or leave the option out",
        )


def warn(context: Context, spec: Spec, plan: Plan) -> None:
    """Warnings go to the debug output only: Podman takes a log with two lines for no log at all."""
    if context.debug:
        for text in [*spec.warnings, *plan.warnings]:
            context.log.warning(text)


def trace(context: Context, plan: Plan, request: CreateRequest) -> None:
    """With --debug: the lines of `explain`; the runtime's once more when they are done."""
    from runtime.plan.explain import explain_lines

    lines = explain_lines(plan)
    for line in lines:
        context.log.message("debug", line)
    request.trace = lambda index, op: context.log.message("debug", f"now: {lines[index]}")
