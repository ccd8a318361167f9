"""planc exec"""

from __future__ import annotations

from runtime.cli.descriptors import passed_on
from runtime.cli.pid_file import write_pid_file
from runtime.cli.prepare import absolute, check_terminal
from runtime.errors import StateError, UsageError
from runtime.execute.cgroupfs import frozen_at_birth
from runtime.execute.exec import ExecRequest, exec_process
from runtime.execute.interrupt import hold
from runtime.linux import posix as os
from runtime.linux.host import read_host
from runtime.plan.compile import compile_exec
from runtime.plan.options import ExecOptions, ExecTarget
from runtime.spec.decode import decode_spec
from runtime.state import status, store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cli.context import Context
    from runtime.execute.terminal import Terminal
    from runtime.plan.ops import Plan
    from runtime.spec.model import Process, Spec
    from runtime.state.record import Record

SIGKILL = 9


def run(context: Context) -> int:
    """Run a process in a container; the exit code is the process's, 255 for any failure of ours."""
    options = context.options
    pid_file = absolute(options["pid_file"])
    process_file = absolute(options["process"])
    given = given_process(options, process_file)
    directory, record = store.load(context.root, options["id"])
    with directory:
        check_status(directory, record, options["ignore_paused"])
        spec, _ = decode_spec(record.config)
        process = given or own_process(options, spec)
        request = exec_request(context, record)
        check_terminal(bool(process.terminal), request.console_socket, options["detach"])
        plan = plan_exec(context, record, spec, process, request)
        if options["detach"]:
            hold()
            pid = exec_process(plan, request, directory, record)
            finish_pid_file(pid_file, pid)
            return 0
        return in_foreground(plan, request, directory, record, bool(process.terminal), pid_file)


def check_status(directory: store.ContainerDirectory, record: Record, ignore_paused: bool) -> None:
    """Raise StateError unless a process can be started in the container now."""
    now = status.container_status(directory, record)
    if now == status.STOPPED:
        raise StateError("cannot exec in a stopped container")
    if now == status.CREATING:
        raise StateError("cannot exec in a container that is being created")
    if now == status.PAUSED and not ignore_paused:
        raise StateError("cannot exec in a paused container", hint="use --ignore-paused")


def given_process(options: dict[str, Any], process_file: str) -> Process | None:
    """The process object of --process; None without it, when the other options have been checked."""
    if process_file:
        from runtime.spec.bundle import load_process

        return load_process(process_file)
    from runtime.cli.exec_process import check_options

    check_options(options)
    return None


def own_process(options: dict[str, Any], spec: Spec) -> Process:
    """The container's own process with the options applied."""
    from runtime.cli.exec_process import process_from_options

    return process_from_options(options, spec)


def exec_request(context: Context, record: Record) -> ExecRequest:
    """Sockets, descriptors and cgroups of the command line."""
    options = context.options
    request = ExecRequest(list(record.cgroups))
    if options["cgroup"]:
        from runtime.cli.exec_cgroup import chosen_cgroups

        request.cgroups, request.fallback = chosen_cgroups(options["cgroup"], record.cgroups)
    request.frozen = frozen_at_birth(request.cgroups)
    request.console_socket = absolute(options["console_socket"])
    request.pidfd_socket = absolute(options["pidfd_socket"])
    return request


def plan_exec(context: Context, record: Record, spec: Spec, process: Process, request: ExecRequest) -> Plan:
    """The plan; with --debug it is printed."""
    if context.options["process_label"] or context.options["apparmor"]:
        raise UsageError("--process-label and --apparmor: planc 0.1 does not support LSM labels yet")
    request.keep_fds, _ = passed_on(context.options["preserve_fds"])
    options = ExecOptions(keep_fds=request.keep_fds, pidfd_socket=request.pidfd_socket)
    target = ExecTarget(id=record.id, spec=spec, cgroups=request.cgroups)
    target.rootless, target.frozen = record.rootless, request.frozen
    if record.systemd_user:
        target.unit = record.systemd_unit
    plan = compile_exec(process, target, read_host(huge_pages=False, cgroups=False), options)
    if context.debug:
        from runtime.plan.explain import explain_lines

        for line in explain_lines(plan):
            context.log.message("debug", line)
    return plan


def in_foreground(
    plan: Plan,
    request: ExecRequest,
    directory: store.ContainerDirectory,
    record: Record,
    terminal_wanted: bool,
    pid_file: str,
) -> int:
    """Start the process and wait for it."""
    from runtime.execute.foreground import Foreground

    foreground = Foreground()
    hold()
    terminal = open_terminal(request) if terminal_wanted else None
    try:
        pid = exec_process(plan, request, directory, record)
        if terminal:
            terminal.take_master()
            foreground.terminal = terminal
        finish_pid_file(pid_file, pid)
        return foreground.wait(pid)
    finally:
        if terminal:
            terminal.restore()


def open_terminal(request: ExecRequest) -> Terminal:
    from runtime.execute.terminal import Terminal

    terminal = Terminal()
    request.console_fd = terminal.socket
    return terminal


def finish_pid_file(path: str, pid: int) -> None:
    """Write it; the process goes when that fails."""
    if not path:
        return
    try:
        write_pid_file(path, pid)
    except BaseException:
        os.kill(pid, SIGKILL)
        os.waitpid(pid, 0)
        raise
