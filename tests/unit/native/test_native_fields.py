"""The contract has two readers: csrc/native.h as cffi compiled it, and runtime.plan.ops."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from init_harness import fields_of
from runtime.native._native import ffi, lib

import runtime.native as native
from runtime.plan.ops import INIT_FIELDS

MAIN = Path(__file__).resolve().parents[3] / "csrc" / "main.c"


@pytest.mark.parametrize("code", INIT_FIELDS)
def test_fields_of_an_operation_are_those_of_its_struct(code: str) -> None:
    expected = list(INIT_FIELDS[code]) or [("unused", "u64")]
    assert fields_of(code) == expected
    assert ffi.sizeof(f"struct op_{code}") == 8 * len(expected)


def test_every_opcode_has_its_row_and_every_row_its_opcode() -> None:
    opcodes = {name[3:].lower(): getattr(lib, name) for name in dir(lib) if name.startswith("OP_")}
    last = opcodes.pop("last")
    assert set(opcodes) == set(INIT_FIELDS)
    assert sorted(opcodes.values()) == list(range(1, last))


def test_order_of_the_table_is_the_order_of_the_opcodes() -> None:
    assert [native.opcode(code) for code in INIT_FIELDS] == list(range(1, len(INIT_FIELDS) + 1))


def test_dispatch_table_names_every_operation_once() -> None:
    rows = re.findall(r"^\s*X\(OP_(\w+), (\w+)\)", MAIN.read_text(), re.M)
    assert [code for code, _ in rows] == [code.upper() for code in INIT_FIELDS]
    assert [name for _, name in rows] == list(INIT_FIELDS)


def test_message_has_the_size_that_both_sides_know() -> None:
    assert native.MESSAGE_SIZE == 4 * 4 + 8 + lib.MESSAGE_TEXT
    assert native.MESSAGE_SIZE <= 4096, "PIPE_BUF: exec.status wants it in one piece"
