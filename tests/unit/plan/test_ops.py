"""The tables of operations, and that csrc/native.h says the same."""

import re
from pathlib import Path

import pytest

from runtime.plan import explain
from runtime.plan.ops import INIT_FIELDS, RUNTIME_FIELDS, Op

HEADER = (Path(__file__).parents[3] / "csrc" / "native.h").read_text()
CODE = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.DOTALL)


def structs() -> dict[str, tuple[tuple[str, str], ...]]:
    """struct op_* of the header: (name, kind) of each member."""
    found = {}
    for name, body in re.findall(r"struct op_(\w+) \{(.*?)\};", CODE, flags=re.DOTALL):
        members = re.findall(r"(\w+)_t (\w+);", body)
        found[name] = tuple((member, kind) for kind, member in members if member != "unused")
    return found


def test_init_operations_are_those_of_the_header() -> None:
    assert structs() == INIT_FIELDS


def test_every_opcode_has_a_struct() -> None:
    (body,) = re.findall(r"enum plan_opcode \{(.*?)\};", CODE, flags=re.DOTALL)
    codes = [code.lower() for code in re.findall(r"OP_(\w+)", body)]
    assert codes[-1] == "last"
    assert set(codes[:-1]) == set(INIT_FIELDS)


def test_nobody_shares_a_code() -> None:
    assert not set(INIT_FIELDS) & set(RUNTIME_FIELDS)


def test_who_does_what() -> None:
    assert Op("mount", "").who == "init"
    assert Op("id_map", "").who == "runtime"


def test_equality_is_of_all_parts() -> None:
    op = Op("umask", "/process/user/umask", mask=1)
    assert op == Op("umask", "/process/user/umask", mask=1)
    assert op != Op("umask", "(default umask)", mask=1)
    assert op != Op("umask", "/process/user/umask", mask=2)
    assert op != "umask"
    assert repr(op) == "Op('umask', '/process/user/umask', mask=1)"


@pytest.mark.parametrize("code", [*INIT_FIELDS, *RUNTIME_FIELDS])
def test_every_operation_can_be_described(code: str) -> None:
    """With everything absent, too."""
    assert explain.describe(Op(code, "(test)"))


def test_the_tables_of_explain_name_real_arguments() -> None:
    fields = {**INIT_FIELDS, **RUNTIME_FIELDS}
    for code, name in {**explain._SPELLED, **dict.fromkeys(explain._ALWAYS)}:
        assert name in dict(fields[code]), (code, name)
    assert set(explain._PHRASES) <= set(fields)
