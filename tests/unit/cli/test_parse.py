"""The parser of the hot path and click give the same answers, or the first refuses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.cli.click_app import parse_with_click
from runtime.cli.options import COMMANDS, FLAG, GLOBAL_OPTIONS, INTEGER, Option
from runtime.cli.parse import parse

WORDS = st.sampled_from(
    ["c1", "x", "0", "-1", "TERM", "a=b", "--", "-", "", "json", "table", "sh", "-c", "/tmp", "3"]
)


def option_words(option: Option) -> st.SearchStrategy[list[str]]:
    short = [f"-{option.short}"] if option.short else []
    names = st.sampled_from([f"--{option.long}", f"-{option.long}", *short])
    if option.kind == FLAG:
        return names.map(lambda name: [name])
    value = st.sampled_from(["0", "2"]) if option.kind == INTEGER else WORDS
    if option.choices:
        value = st.sampled_from(option.choices)
    separate = st.tuples(names, value).map(list)
    joined = st.tuples(names, value).map(lambda pair: ["=".join(pair)])
    return separate | joined


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    name = draw(st.sampled_from(sorted(COMMANDS)))
    command = COMMANDS[name]
    front = draw(st.lists(st.sampled_from(GLOBAL_OPTIONS).flatmap(option_words), max_size=2))
    pieces = [WORDS.map(lambda word: [word])] * 2
    for option in (*command.options, *GLOBAL_OPTIONS):
        pieces.append(option_words(option))
    back = draw(st.lists(st.one_of(pieces), max_size=6))
    return [word for piece in front for word in piece] + [name] + [word for piece in back for word in piece]


@settings(max_examples=800, deadline=None)
@given(command_lines())
def test_same_as_click(argv: list[str]) -> None:
    fast = parse(argv)
    if fast is None:
        return
    slow = parse_with_click(argv)
    assert not isinstance(slow, int), "click refuses what the fast parser takes"
    assert fast.command == slow.command
    assert fast.globals == slow.globals
    assert fast.values == slow.values


@pytest.mark.parametrize(
    "argv",
    [
        "--root /r --log /l --log-format json create --bundle /b --pid-file /p ID",
        "--root=/r create --bundle=/b ID",
        "-root=/r create -b=/b ID",
        "create --no-pivot --console-socket /s -b /b ID",
        "start ID",
        "--systemd-cgroup --root /r kill --all ID 9",
        "kill ID SIGKILL",
        "delete --force ID",
        "delete ID --force",
        "list --format json",
        "list -format json",
        "ps --format json ID",
        "exec --process /p --detach --pid-file /f ID",
        "exec --tty --env A=b -e C=d ID sh -c ls -l",
        "update --resources - ID",
        "update --resources=/var/tmp/x ID",
        "list --root /r",
    ],
)
def test_what_managers_send_is_parsed_without_click(argv: str) -> None:
    assert parse(argv.split()) is not None


@pytest.mark.parametrize(
    "argv",
    [
        "",
        "--help",
        "create",
        "create a b",
        "nonsense",
        "create --nonsense ID",
        "create -b/b ID",
        "delete -f=1 ID",
        "list -qf json",
        "exec",
        "--root",
    ],
)
def test_what_needs_words_goes_to_click(argv: str) -> None:
    assert parse(argv.split()) is None


def test_exec_options_end_at_the_id() -> None:
    arguments = parse(["exec", "-t", "ID", "ls", "-t", "--env"])
    assert arguments is not None
    assert arguments.values["command"] == ["ls", "-t", "--env"]
    assert arguments.values["tty"] is True
    assert arguments.values["env"] == []


@pytest.mark.parametrize(
    "argv", ["create -b=/b ID", "create -b /b ID", "create -b/b ID", "create -bundle=/b ID"]
)
def test_forms_of_a_short_option(argv: str) -> None:
    arguments = parse_with_click(argv.split())
    assert not isinstance(arguments, int)
    assert arguments.values["bundle"] == "/b"


def test_a_flag_takes_no_value(capfd: pytest.CaptureFixture[str]) -> None:
    assert parse_with_click(["delete", "-f=1", "ID"]) == 1
    assert capfd.readouterr().err == "planc: Option '-f' does not take a value; see planc delete --help\n"


def test_help_is_a_command_too(capfd: pytest.CaptureFixture[str]) -> None:
    for words, others in ((["help"], ["--help"]), (["help", "create"], ["create", "--help"])):
        assert parse_with_click(words) == parse_with_click(others) == 0
        text = capfd.readouterr().out
        assert text[: len(text) // 2] == text[len(text) // 2 :]
    assert parse_with_click(["help", "nonsense"]) == 3
    assert capfd.readouterr().err == "planc: No such command 'nonsense'; see planc --help\n"


def test_unknown_command_is_3(capfd: pytest.CaptureFixture[str]) -> None:
    assert parse_with_click(["nonsense"]) == 3
    assert capfd.readouterr().err == "planc: No such command 'nonsense'; see planc --help\n"


def test_missing_argument_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert parse_with_click(["create"]) == 1
    assert capfd.readouterr().err == "planc: Missing argument 'ID'; see planc create --help\n"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert parse_with_click([command, "--help"]) == 0
    text = capfd.readouterr().out
    for option in COMMANDS[command].options:
        assert option.hidden or f"--{option.long}" in text
