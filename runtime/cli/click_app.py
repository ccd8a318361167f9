"""The click commands, built from the table in options.py: help, errors, completion.

Imported only when the parser of the hot path has refused a command line.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from runtime import __version__
from runtime.cli.options import COMMANDS, FLAG, GLOBAL_OPTIONS, INTEGER, MULTIPLE, Command, Option
from runtime.cli.parse import Arguments, argument_name

if TYPE_CHECKING:
    from collections.abc import Sequence

UNKNOWN_COMMAND = 3
USAGE_ERROR = 1
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class SingleDashOption(click.Option):
    """An option that answers to ``-name`` too, as runc's do, and does not say so in the help."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        shown = [name for name in self.opts if name.startswith("--") or len(name) == 2]
        hidden, self.opts = self.opts, shown
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = hidden


class Equals:
    """Takes ``-b=DIR`` as ``-b DIR``, as runc does; click would make "=DIR" of it."""

    def make_parser(self, ctx: click.Context) -> Any:
        parser = super().make_parser(ctx)  # type: ignore[misc]
        parser._long_opt.update(parser._short_opt)
        return parser

    def parse_args(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().parse_args(ctx, args)  # type: ignore[misc]
        except click.UsageError as err:
            # an option without its value does not know its command
            err.ctx = err.ctx or ctx
            raise


class Number(click.ParamType):
    """A decimal number from 0 on."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not (text.isascii() and text.isdigit()):
            self.fail(f"{text!r} is not a number from 0 on", param, ctx)
        return int(text)


class Word(click.Choice):
    """One of a few words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in self.choices:
            self.fail(f"{value!r} is none of {', '.join(self.choices)}", param, ctx)
        return value


class PlancCommand(Equals, click.Command):
    """A command."""


class Planc(Equals, click.Group):
    """The group; an unknown command ends with 3, as runc's does."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as err:
            err.exit_code = UNKNOWN_COMMAND
            raise


def option_of(option: Option) -> click.Option:
    """The click option of a table entry."""
    names = [f"--{option.long}", f"-{option.long}"]
    if option.short:
        names.insert(0, f"-{option.short}")
    settings: dict[str, Any] = {"help": option.help, "hidden": option.hidden}
    if option.kind == FLAG:
        settings["is_flag"] = True
    else:
        settings.update(metavar=option.metavar, default=option.default, multiple=option.kind == MULTIPLE)
    if option.kind == INTEGER:
        settings["type"] = Number()
    if option.choices:
        settings["type"] = Word(option.choices)
    return SingleDashOption([option.name, *names], **settings)


def command_of(name: str, command: Command) -> click.Command:
    """The click command of a table entry; running it returns Arguments."""
    parameters: list[click.Parameter] = []
    for argument in command.arguments:
        rest = "..." in argument
        required = not argument.startswith("[") and not rest
        metavar = argument.strip("[]")
        shown = metavar if required else f"[{metavar}]"
        parameters.append(
            click.Argument(
                [argument_name(argument)], required=required, nargs=-1 if rest else 1, metavar=shown
            )
        )
    parameters += [option_of(option) for option in command.options]
    own = {option.name for option in command.options}
    # runc takes global options behind the command too
    for option in GLOBAL_OPTIONS:
        if option.name not in own:
            late = option_of(option)
            late.hidden = True
            late.default = None
            late.name = f"global_{option.name}"
            parameters.append(late)
    settings = {**SETTINGS, "allow_interspersed_args": command.interspersed}
    callback = click.pass_context(lambda context, **values: collect(context, name, values))
    return PlancCommand(
        name,
        params=parameters,
        callback=callback,
        help=command.help,
        context_settings=settings,
        short_help=command.help,
    )


def collect(context: click.Context, name: str, values: dict[str, Any]) -> Arguments:
    """What click has parsed, in the form of the hot path's parser."""
    arguments = Arguments(name)
    assert context.parent is not None
    arguments.globals.update(context.parent.params)
    for key, value in values.items():
        if key.startswith("global_"):
            if value not in (None, False):
                arguments.globals[key.removeprefix("global_")] = value
        else:
            arguments.values[key] = list(value) if isinstance(value, tuple) else value
    return arguments


def build() -> Planc:
    """The whole command line."""
    planc = Planc(
        "planc",
        help="Run containers from OCI bundles. Plans first: `planc explain` shows what create would do.",
        params=[option_of(option) for option in GLOBAL_OPTIONS],
        context_settings=SETTINGS,
        invoke_without_command=True,
    )
    planc.callback = click.pass_context(_without_command)
    planc.params.append(
        click.Option(
            ["-v", "--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_version,
            help="print the version",
        )
    )
    for name, command in COMMANDS.items():
        planc.add_command(command_of(name, command))
    planc.add_command(completion_command())
    planc.add_command(help_command())
    return planc


def _without_command(context: click.Context, **_: Any) -> None:
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(version_text())
        context.exit()


def version_text() -> str:
    """Three lines, as managers parse them."""
    from runtime.cli.version import OCI_VERSION, commit

    return f"planc version {__version__}\ncommit: {commit()}\nspec: {OCI_VERSION}"


def completion_command() -> click.Command:
    """`planc completion bash|zsh|fish`: the script to source."""
    return click.Command(
        "completion",
        params=[click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]))],
        callback=_print_completion,
        help="print the completion script for a shell: source <(planc completion bash)",
        context_settings=SETTINGS,
    )


def _print_completion(shell: str) -> None:
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(build(), {}, "planc", "_PLANC_COMPLETE").source())


def help_command() -> click.Command:
    """`planc help [COMMAND]`: as --help."""
    return click.Command(
        "help",
        params=[click.Argument(["command"], required=False)],
        callback=click.pass_context(_print_help),
        help="print this help, or that of a command",
        context_settings=SETTINGS,
    )


def _print_help(context: click.Context, command: str | None) -> None:
    assert context.parent is not None
    group = context.parent.command
    assert isinstance(group, click.Group)
    if command is None:
        click.echo(context.parent.get_help())
        return
    _, found, _ = group.resolve_command(context.parent, [command])
    assert found is not None
    with click.Context(found, info_name=command, parent=context.parent) as inner:
        click.echo(found.get_help(inner))


def parse_with_click(argv: Sequence[str]) -> Arguments | int:
    """Arguments, or the exit code when click has said all there is to say."""
    import os

    if os.environ.get("_PLANC_COMPLETE"):
        from click.shell_completion import shell_complete

        return shell_complete(build(), {}, "planc", "_PLANC_COMPLETE", os.environ["_PLANC_COMPLETE"])
    try:
        answer = build().main(args=list(argv), prog_name="planc", standalone_mode=False)
    except click.UsageError as err:
        click.echo(usage_line(err), err=True)
        return err.exit_code if err.exit_code == UNKNOWN_COMMAND else USAGE_ERROR
    except click.exceptions.Exit as err:
        return err.exit_code
    return answer if isinstance(answer, Arguments) else 0


def usage_line(error: click.UsageError) -> str:
    """One line: what is wrong, and where the help is."""
    path = error.ctx.command_path if error.ctx else "planc"
    return f"planc: {usage_text(error)}; see {path} --help"


def usage_text(error: click.UsageError) -> str:
    """What is wrong, the option named as --help names it, where click's words would not do."""
    if isinstance(error, click.NoSuchOption):
        close = get_close_matches(error.option_name, error.possibilities or (), 1, 0.8)
        return f"no such option: {error.option_name}" + (f" (did you mean {close[0]}?)" if close else "")
    if isinstance(error, click.BadParameter) and isinstance(error.param, click.Option):
        shown = max(error.param.opts, key=len)
        return f"{shown}: {error.message}"
    if isinstance(error, click.BadOptionUsage) and "requires an argument" in error.message:
        return f"{error.option_name}: the value is missing"
    return error.format_message().rstrip(".")
