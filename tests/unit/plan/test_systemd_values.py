"""GVariant text: what annotations are written in, and what a plan keeps properties as."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.plan.systemd_values import complete_types, parse_value, string, uint64


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("true", "b", True),
        (" false ", "b", False),
        ("5", "i", 5),
        ("-5", "i", -5),
        ("+5", "i", 5),
        ("0x1f", "i", 31),
        ("017", "i", 15),
        ("1.5", "d", 1.5),
        ("1e3", "d", 1000.0),
        ("inf", "d", float("inf")),
        ("double 5", "d", 5.0),
        ("uint64 5", "t", 5),
        ("uint64 18446744073709551615", "t", 2**64 - 1),
        ("@t 5", "t", 5),
        ("byte 0xff", "y", 255),
        ("int16 -3", "n", -3),
        ("'a b'", "s", "a b"),
        ('"it\'s"', "s", "it's"),
        ("'it\\'s \\t\\u00e9\\\\'", "s", "it's \té\\"),
        ("objectpath '/a'", "o", "/a"),
        ("b'abc'", "ay", b"abc\0"),
        ("['a', 'b']", "as", ["a", "b"]),
        ("@as []", "as", []),
        ("[uint32 1, 2]", "au", [1, 2]),
        ("@ay [1, 2]", "ay", b"\x01\x02"),
        ("[byte 1, 2]", "ay", b"\x01\x02"),
        ("('/dev/null', 'rw')", "(ss)", ("/dev/null", "rw")),
        ("(5,)", "(i)", (5,)),
        ("[('a', uint64 1), ('b', 2)]", "a(st)", [("a", 1), ("b", 2)]),
        ("@a(st) [('a', 1)]", "a(st)", [("a", 1)]),
        ("{'a': 1}", "a{si}", {"a": 1}),
        ("@a{sv} {}", "a{sv}", {}),
        ("{'a': <5>, 'b': <'x'>}", "a{sv}", {"a": ("i", 5), "b": ("s", "x")}),
        ("<true>", "v", ("b", True)),
    ],
)
def test_values(text: str, kind: str, value: object) -> None:
    assert parse_value(text) == (kind, value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no value"),
        ("abc", "a string needs quotes"),
        ("'abc", "has no end"),
        ("'a' 'b'", "is left over"),
        ("5 5", "is left over"),
        ("4294967296", "write uint64 4294967296"),
        ("byte 256", "does not fit type y"),
        ("uint64 -1", "does not fit type t"),
        ("uint64 'x'", "a string stands where type t is wanted"),
        ("uint64 true", "type b stands where type t is wanted"),
        ("uint64 1.5", "where type t is wanted"),
        ("[]", "not known"),
        ("{}", "not known"),
        ("()", "no empty tuple"),
        ("['a', 5]", "where type s is wanted"),
        ("['a' 'b']", '"," is missing'),
        ("['a'", '"," is missing'),
        ("@as 5", "where type as is wanted"),
        ("@(ss) ('a',)", "too short"),
        ("@(s) ('a', 'b')", "longer than"),
        ("@zz 5", "is not one type"),
        ("@ss 5", "is not one type"),
        ("nothing", "a string needs quotes"),
        ("!", "is no value"),
        ("'\\uzzzz'", "is no character"),
        ("'\\ud800'", "cannot carry"),
        ("'a\\u0000'", "cannot carry"),
        ("objectpath 'a'", "not an object path"),
        ("objectpath '/a/'", "not an object path"),
        ("signature 'zz'", "not a signature"),
        ("handle 0", "a string needs quotes"),
        ("{[1]: 2}", "a key is"),
        ("{<1>: 2}", "a key is"),
        (40 * "[", "inside of each other"),
        (5000 * "(", "inside of each other"),
        (5000 * "uint64 ", "inside of each other"),
    ],
)
def test_what_is_no_value_is_said(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="(?s).*") as caught:
        parse_value(text)
    assert words in str(caught.value)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_string_comes_back(text: str) -> None:
    assert parse_value(string(text)) == ("s", text)


@given(st.integers(0, 2**64 - 1))
def test_any_number_comes_back(number: int) -> None:
    assert parse_value(uint64(number)) == ("t", number)


def test_a_negative_number_is_no_limit() -> None:
    assert parse_value(uint64(-1)) == ("t", 2**64 - 1)


@given(st.text() | st.text("[](){}<>@'\\\"b,:0 1.asuxtov", max_size=40))
def test_whatever_the_text_nothing_but_value_error(text: str) -> None:
    try:
        kind, _ = parse_value(text)
    except ValueError:
        return
    assert len(complete_types(kind)) == 1


@pytest.mark.parametrize(
    ("signature", "types"),
    [
        ("s", ["s"]),
        ("sa(ss)a{sv}", ["s", "a(ss)", "a{sv}"]),
        ("aas", ["aas"]),
        ("", []),
        ("a", []),
        ("(", []),
        ("()", []),
        ("a{s}", []),
        ("a{sss}", []),
        ("z", []),
    ],
)
def test_complete_types(signature: str, types: list[str]) -> None:
    assert complete_types(signature) == types
