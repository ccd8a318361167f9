"""runtime.linux.json gives what the json package gives."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.linux.json import JSONError, dumps, loads

ROOT = Path(__file__).parents[3]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.lists(inner).map(tuple),
)
KEYS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
SPACE = st.text(" \t\r\n", max_size=4)


def untuple(value: Any) -> Any:
    return json.loads(json.dumps(value))


@given(VALUES)
def test_dumps(value: Any) -> None:
    assert dumps(value) == json.dumps(value)


@given(VALUES, st.sampled_from([0, 1, 2, 4, "\t", " - "]))
def test_dumps_indented(value: Any, indent: int | str) -> None:
    assert dumps(value, indent) == json.dumps(value, indent=indent)


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, st.integers())))
def test_keys_that_are_no_strings(value: Any) -> None:
    assert dumps(value) == json.dumps(value)
    assert dumps(value, 2) == json.dumps(value, indent=2)


@given(VALUES, SPACE, SPACE, st.booleans())
def test_loads(value: Any, before: str, after: str, ascii_only: bool) -> None:
    text = before + json.dumps(value, ensure_ascii=ascii_only) + after
    assert loads(text) == untuple(value)


@settings(max_examples=500)
@given(st.text('{}[]",:0123456789.eE+-truefalsn \\u\n', max_size=20))
def test_texts_that_may_be_json(text: str) -> None:
    try:
        wanted = json.loads(text)
    except ValueError:
        with pytest.raises(JSONError):
            loads(text)
    else:
        assert loads(text) == wanted


@given(VALUES, st.integers(0, 200), st.text(max_size=2))
def test_spoiled_json(value: Any, position: int, spoil: str) -> None:
    good = json.dumps(value)
    text = good[:position] + spoil + good[position + 1 :]
    try:
        wanted = json.loads(text)
    except json.JSONDecodeError as error:
        with pytest.raises(JSONError) as caught:
            loads(text)
        assert (caught.value.line, caught.value.column) == (error.lineno, error.colno)
    else:
        if not has_constant(wanted):
            assert loads(text) == wanted


def has_constant(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, list) and any(has_constant(item) for item in value)


def test_the_last_of_equal_keys_wins() -> None:
    assert loads('{"a": 1, "b": 2, "a": 3}') == {"a": 3, "b": 2}


def test_big_integers() -> None:
    assert loads(str(10**300)) == 10**300
    assert loads("18446744073709551615") == 2**64 - 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: the document is empty"),
        (" \n ", "line 2, column 2: the document is empty"),
        ("[1, 2", "line 1, column 6: the text ends too early"),
        ("[1, 2 3]", "line 1, column 7: expecting ',' delimiter"),
        ('{"a": 1, \n}', "line 1, column 8: leave out the comma before }"),
        ("[[1],]", "line 1, column 5: leave out the comma before ]"),
        ("[1,, 2]", 'line 1, column 4: expecting a value, not ","'),
        ('["a,"', "line 1, column 6: the text ends too early"),
        ("]", 'line 1, column 1: expecting a value, not "]"'),
        ('{"a":\n', "line 2, column 1: the text ends too early"),
        ('{"a"\n 1}', "line 2, column 2: expecting ':' delimiter"),
        ("\n\n  tru", 'line 3, column 3: expecting a value, not "t"'),
        ("{'a': 1}", "line 1, column 2: expecting property name enclosed in double quotes"),
        ("{} {}", "line 1, column 4: unexpected text after the JSON document"),
        ("[]\n\x00", "line 2, column 1: unexpected text after the JSON document"),
        ("\ufeff{}", "line 1, column 1: a byte order mark is not JSON"),
        ('"\t"', "line 1, column 2: invalid control character"),
        ('"\\x"', "line 1, column 2: invalid \\escape"),
        ('"abc', "line 1, column 1: unterminated string"),
        ("NaN", "line 1, column 1: NaN is not a number of JSON"),
        ("[1, Infinity]", "line 1, column 5: Infinity is not a number of JSON"),
        ('{"a": -Infinity}', "line 1, column 7: -Infinity is not a number of JSON"),
        ('["NaN", "\\"NaN", NaN]', "line 1, column 18: NaN is not a number of JSON"),
        ("[" * 100000, "nested too deeply"),
        ('{"a":' * 100000, "nested too deeply"),
        ("9" * 5000, "line 1, column 1: this number has too many digits"),
    ],
)
def test_messages(text: str, message: str) -> None:
    with pytest.raises(JSONError) as caught:
        loads(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("indent", [None, 2])
def test_what_json_cannot_hold(indent: int | None) -> None:
    with pytest.raises(TypeError, match="Object of type set is not JSON serializable"):
        dumps([set()], indent)
    with pytest.raises(TypeError, match="keys must be str, int, float, bool or None, not tuple"):
        dumps([{(1, 2): 3}], indent)
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(JSONError):
            dumps([value], indent)
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(JSONError):
        dumps(endless, indent)
    assert dumps([1], indent) == json.dumps([1], indent=indent)


def run(code: str) -> str:
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_an_error_without_the_json_package_loaded() -> None:
    """The accelerator looks for json.decoder only to raise its error, and does not import it."""
    code = """
from runtime.linux.json import loads
loads('[1]')
print('json' in sys.modules)
for text in ('[1', '[1 2]'):
    try:
        loads(text)
    except ValueError as error:
        print(error)
"""
    assert run(f"exec({code!r})").splitlines() == [
        "False",
        "line 1, column 3: the text ends too early",
        "line 1, column 4: expecting ',' delimiter",
    ]


def test_without_the_accelerator() -> None:
    code = """
sys.modules['_json'] = None
from runtime.linux.json import dumps, loads
print(loads(' {"a": [1, "x"]} '), dumps({'a': [1, 'é']}), dumps([1], 1).split())
for text in ('[1', 'NaN', '[' * 100000, '1 2'):
    try:
        print(loads(text))
    except ValueError as error:
        print(error)
try:
    dumps([float('nan')])
except ValueError as error:
    print('refused')
"""
    assert run(f"exec({code!r})").splitlines() == [
        "{'a': [1, 'x']} {\"a\": [1, \"\\u00e9\"]} ['[', '1', ']']",
        "line 1, column 3: the text ends too early",
        "line 1, column 1: NaN is not a number of JSON",
        "nested too deeply",
        "line 1, column 3: unexpected text after the JSON document",
        "refused",
    ]
