"""argv to exit code."""

from __future__ import annotations

import sys
from _signal import SIGINT

from runtime.cli.context import Context
from runtime.cli.parse import parse
from runtime.cli.report import Log
from runtime.errors import KernelError, PlancError, PlanError, errno_text
from runtime.execute.interrupt import Interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.cli.parse import Arguments

EXEC_FAILURE = 255
SIGNALLED = 128


def main(argv: Sequence[str]) -> int:
    """Run one command; `argv` is without the program's name. Returns the exit code, raises nothing."""
    log = Log(None, "text", False)
    command = ""
    try:
        arguments = parse(argv) or ask_click(argv)
        if isinstance(arguments, int):
            return arguments
        command = arguments.command
        log = open_log(arguments)
        return run_command(arguments, log)
    except PlancError as err:
        log.error(failure_text(command, located(command, err)))
        _traceback(log)
        return EXEC_FAILURE if command == "exec" else err.exit_code
    except Interrupted as err:
        log.error(failure_text(command, f"interrupted by signal {err.number}, and taken back"))
        return SIGNALLED + err.number
    except KeyboardInterrupt:
        log.error(failure_text(command, "interrupted"))
        return SIGNALLED + int(SIGINT)
    except Exception as err:
        log.error(failure_text(command, unexpected(err)))
        _traceback(log)
        return EXEC_FAILURE if command == "exec" else 1


def ask_click(argv: Sequence[str]) -> Arguments | int:
    """The rare command lines: help, completion, mistakes. An exit code when click has said it all."""
    from runtime.cli.click_app import parse_with_click

    return parse_with_click(argv)


def open_log(arguments: Arguments) -> Log:
    values = arguments.globals
    return Log(values["log"], values["log_format"], values["debug"])


def run_command(arguments: Arguments, log: Log) -> int:
    """Import the command's module and run it."""
    module = __import__(f"runtime.cli.{arguments.command}", fromlist=["run"])
    code: int = module.run(Context(arguments, log))
    return code


def located(command: str, err: PlancError) -> str:
    """The message; a place in a config.json that the command has read is named together with the file."""
    reads = command in ("create", "run", "explain")
    if reads and isinstance(err, (PlanError, KernelError)) and err.pointer:
        return f"config.json: {err}"
    return str(err)


def unexpected(err: Exception) -> str:
    """What to say of a failure that nobody has put into words; one of proc(5) is the host's, not ours."""
    if isinstance(err, FileNotFoundError) and str(err.filename).startswith("/proc/"):
        return f"cannot read {err.filename}: {errno_text(err.errno or 0)}; mount proc on /proc"
    return f"internal error: {type(err).__name__}: {err}; please report it, with what --debug says"


def failure_text(command: str, text: str) -> str:
    """Managers find "exec failed" and "create failed" in front of what went wrong."""
    if command == "exec":
        return f"exec failed: {text}"
    if command in ("create", "run"):
        return f"planc {command} failed: {text}"
    return text


def _traceback(log: Log) -> None:
    if log.debug:
        import traceback

        traceback.print_exc(file=sys.stderr)
