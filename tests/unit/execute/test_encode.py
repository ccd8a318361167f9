"""Plans to blobs and back: what csrc/plan.c will read is what was planned."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan.goldens import GOLDENS

from runtime.errors import PlanError
from runtime.execute.encode import encode
from runtime.native import PLAN_MAGIC, PLAN_VERSION, SLOT_MAX, SLOT_NONE, opcode
from runtime.plan.ops import INIT_FIELDS, Op

HEADER = struct.Struct("<4I2Q2I")
OP = struct.Struct("<HHi")
NAMES = {opcode(name): name for name in INIT_FIELDS}


class Decoded:
    """A blob read as csrc/native.h describes it, with bounds and alignment checked on the way."""

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        magic, version, slots, count, size, at, self.sync_fd, self.keep_fds = HEADER.unpack_from(blob)
        assert (magic, version, size) == (PLAN_MAGIC, PLAN_VERSION, len(blob))
        self.slots = list(struct.unpack_from(f"<{slots}i", blob, HEADER.size))
        assert at % 8 == 0 and at >= HEADER.size + 4 * slots
        self.ops: list[tuple[str, int, dict[str, Any]]] = []
        for _ in range(count):
            code, words, index = OP.unpack_from(blob, at)
            values = struct.unpack_from(f"<{words}Q", blob, at + OP.size)
            at += OP.size + 8 * words
            self.ops.append((NAMES[code], index, self.arguments(NAMES[code], values)))

    def arguments(self, name: str, values: tuple[int, ...]) -> dict[str, Any]:
        fields = INIT_FIELDS[name]
        if not fields:
            assert values == (0,), "a structure of C has at least one member"
            return {}
        return {field: self.value(kind, value) for (field, kind), value in zip(fields, values, strict=True)}

    def value(self, kind: str, word: int) -> Any:
        if kind == "u64":
            return word
        if kind == "i64":
            return word - (1 << 64) if word >> 63 else word
        if kind == "slot":
            assert word == SLOT_NONE or word < len(self.slots)
            return None if word == SLOT_NONE else word
        if word == 0:
            return None
        if kind == "str":
            return self.text(word)
        assert word % 8 == 0
        (count,) = struct.unpack_from("<Q", self.blob, word)
        if kind == "blob":
            data = self.blob[word + 8 : word + 8 + count]
            assert len(data) == count
            return data
        numbers = list(struct.unpack_from(f"<{count}Q", self.blob, word + 8))
        return numbers if kind == "u64v" else [self.text(number) for number in numbers]

    def text(self, offset: int) -> str:
        assert HEADER.size <= offset < len(self.blob)
        return self.blob[offset : self.blob.index(b"\0", offset)].decode("utf-8", "surrogateescape")


def wanted(op: Op, blobs: dict[str, bytes]) -> dict[str, Any]:
    """The arguments as they should arrive; absent numbers are 0, absent others nothing."""
    found = {}
    for name, kind in INIT_FIELDS[op.code]:
        value = op.args.get(name)
        if kind in ("u64", "i64"):
            value = int(value or 0)
        elif kind == "blob" and isinstance(value, str):
            value = blobs[value]
        found[name] = value
    return found


@pytest.mark.parametrize("name", GOLDENS)
def test_golden_plans_arrive_as_they_were_planned(name: str) -> None:
    plan = GOLDENS[name]()
    blobs = {"seccomp": b"\x06\0\0\0\0\0\xff\x7f"}
    first = next(index for index, op in enumerate(plan.ops) if op.code == "spawn") + 1
    inherited = {"console": 12, "exec.fifo": 7}
    decoded = Decoded(encode(plan.ops, first, inherited, blobs, 5, 2))
    assert (decoded.sync_fd, decoded.keep_fds) == (5, 2)
    slots: dict[str, int] = {}
    arrived = [entry for entry in decoded.ops if entry[0] != "sync"]
    planned = [(index, op) for index, op in enumerate(plan.ops) if index >= first and op.who == "init"]
    assert [(name, index) for name, index, _ in arrived] == [(op.code, index) for index, op in planned]
    for (_, op), (_, _, found) in zip(planned, arrived, strict=True):
        expected = wanted(op, blobs)
        for field, kind in INIT_FIELDS[op.code]:
            if kind == "slot" and expected[field] is not None:
                expected[field] = slots.setdefault(expected[field], found[field])
        assert found == expected
    assert len(set(slots.values())) == len(slots)
    for slot, number in slots.items():
        assert decoded.slots[number] == inherited.get(slot, -1)


@pytest.mark.parametrize("name", GOLDENS)
def test_init_waits_wherever_it_is_the_runtimes_turn(name: str) -> None:
    plan = GOLDENS[name]()
    first = next(index for index, op in enumerate(plan.ops) if op.code == "spawn") + 1
    decoded = Decoded(encode(plan.ops, first, {}, {"seccomp": b""}, 3, 0))
    turns = [index for name, index, _ in decoded.ops if name == "sync"]
    runtimes = [index for index in range(first, len(plan.ops)) if plan.ops[index].who == "runtime"]
    assert turns == [index for index in runtimes if index == first or index - 1 not in runtimes]


TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=8)
RAW = st.binary(max_size=8).map(lambda data: data.replace(b"\0", b"/").decode("utf-8", "surrogateescape"))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "u64": st.integers(0, 2**64 - 1),
    "i64": st.integers(-(2**63), 2**63 - 1),
    "str": st.none() | TEXT | RAW,
    "strv": st.none() | st.lists(TEXT | RAW, max_size=4),
    "u64v": st.none() | st.lists(st.integers(0, 2**64 - 1), max_size=4),
    "blob": st.none() | st.binary(max_size=20),
    "slot": st.none() | st.sampled_from(["a", "b", "c", "d"]),
}


@st.composite
def operations(draw: st.DrawFn) -> Op:
    code = draw(st.sampled_from(sorted(INIT_FIELDS)))
    values = {name: draw(VALUES[kind]) for name, kind in INIT_FIELDS[code]}
    return Op(code, "(test)", **values)


@settings(deadline=None, database=None)
@given(st.lists(operations(), max_size=6), st.dictionaries(st.sampled_from("abcd"), st.integers(0, 900)))
def test_any_operations_arrive(ops: list[Op], inherited: dict[str, int]) -> None:
    decoded = Decoded(encode(ops, 0, inherited, {}, 3, 0))
    slots: dict[str, int] = {}
    for (code, index, found), op in zip(decoded.ops, ops, strict=True):
        assert (code, ops[index]) == (op.code, op)
        expected = wanted(op, {})
        for field, kind in INIT_FIELDS[code]:
            if kind == "slot" and expected[field] is not None:
                expected[field] = slots.setdefault(expected[field], found[field])
        assert found == expected
    assert sorted(slots.values()) == list(range(len(slots)))
    assert all(decoded.slots[number] == inherited.get(name, -1) for name, number in slots.items())


def test_equal_strings_are_kept_once() -> None:
    ops = [Op("hostname", "(test)", name="x" * 1000) for _ in range(50)]
    assert len(encode(ops, 0, {}, {}, 3, 0)) < 4000


def test_too_many_slots_are_refused() -> None:
    ops = [Op("setns", "(test)", ns=f"ns{index}", type=0) for index in range(SLOT_MAX)]
    assert len(Decoded(encode(ops, 0, {}, {}, 3, 0)).slots) == SLOT_MAX
    ops.append(Op("setns", "(test)", ns="one more", type=0))
    with pytest.raises(PlanError, match=f"at most {SLOT_MAX} mounts and namespaces"):
        encode(ops, 0, {}, {}, 3, 0)


def test_order_of_the_calls_does_not_matter() -> None:
    """One process encodes many plans: nothing of the one is in the next."""
    first, second = GOLDENS["default"](), GOLDENS["hooks"]()
    start = next(index for index, op in enumerate(first.ops) if op.code == "spawn") + 1
    alone = encode(first.ops, start, {}, {"seccomp": b""}, 3, 0)
    encode(second.ops, 3, {}, {"seccomp": b"x"}, 4, 9)
    assert encode(first.ops, start, {}, {"seccomp": b""}, 3, 0) == alone
