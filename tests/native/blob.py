"""A tiny encoder of plans, written from csrc/native.h alone.

It shares nothing with runtime/execute/encode.py, so that a mistake there is no
mistake here too: codes and fields are read from the header itself.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

HEADER = Path(__file__).resolve().parents[2] / "csrc" / "native.h"
SLOT_NONE = (1 << 64) - 1

Operation = tuple[str, Mapping[str, object]]


def _header() -> str:
    return re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.S)


def _enumeration(name: str) -> dict[str, int]:
    body = re.search(rf"enum {name} \{{(.*?)\}}", _header(), re.S)
    assert body
    values: dict[str, int] = {}
    value = -1
    for word in filter(None, (item.strip() for item in body[1].split(","))):
        key, _, number = (part.strip() for part in word.partition("="))
        value = int(number, 0) if number else value + 1
        values[key] = value
    return values


CODES = _enumeration("plan_opcode")
MESSAGES = _enumeration("message_type")
FIELDS = {
    name: re.findall(r"(\w+)_t (\w+);", body)
    for name, body in re.findall(r"struct op_(\w+) \{(.*?)\}", _header(), re.S)
}
MAGIC = int(re.search(r"#define PLAN_MAGIC (\w+?)u\b", _header())[1], 0)  # type: ignore[index]
VERSION = int(re.search(r"#define PLAN_VERSION (\d+)", _header())[1])  # type: ignore[index]


class _Pool:
    def __init__(self, base: int) -> None:
        self.base = base
        self.data = bytearray()

    def add(self, data: bytes) -> int:
        self.data += bytes(-len(self.data) % 8)
        offset = self.base + len(self.data)
        self.data += data
        return offset

    def text(self, value: object) -> int:
        return self.add(str(value).encode("utf-8", "surrogateescape") + b"\0")

    def vector(self, numbers: Sequence[int]) -> int:
        return self.add(struct.pack(f"<{len(numbers) + 1}Q", len(numbers), *numbers))


def _argument(kind: str, value: object, pool: _Pool, slots: dict[str, int]) -> int:
    if kind == "slot":
        return SLOT_NONE if value is None else slots.setdefault(str(value), len(slots))
    if kind in ("u64", "i64"):
        return int(value or 0) & SLOT_NONE  # type: ignore[call-overload, no-any-return]
    if value is None:
        return 0
    if kind == "str":
        return pool.text(value)
    if kind == "strv":
        return pool.vector([pool.text(item) for item in value])  # type: ignore[attr-defined]
    if kind == "u64v":
        return pool.vector(list(value))  # type: ignore[call-overload]
    assert kind == "blob" and isinstance(value, bytes)
    return pool.add(struct.pack("<Q", len(value)) + value)


def encode(
    operations: Sequence[Operation],
    sync_fd: int,
    inherited: Mapping[str, int] | None = None,
    keep_fds: int = 0,
) -> bytes:
    """The blob of `operations` (code in lower case, arguments by name; absent ones are 0, none, NULL).

    Slots are named; `inherited` gives the descriptors of those that are filled from the start.
    """
    slots = {name: i for i, name in enumerate(inherited or {})}
    for code, args in operations:
        for kind, field in FIELDS[code]:
            if kind == "slot" and args.get(field) is not None:
                slots.setdefault(str(args[field]), len(slots))
    fds = [(inherited or {}).get(name, -1) for name in slots]
    slot_bytes = struct.pack(f"<{len(fds)}i", *fds)
    slot_bytes += bytes(-len(slot_bytes) % 8)
    ops_at = 40 + len(slot_bytes)
    pool = _Pool(ops_at + sum(8 + 8 * len(FIELDS[code]) for code, _ in operations))
    body = b""
    for index, (code, args) in enumerate(operations):
        fields = FIELDS[code]
        assert set(args) <= {field for _, field in fields}, (code, args)
        body += struct.pack("<HHi", CODES["OP_" + code.upper()], len(fields), index)
        for kind, field in fields:
            body += struct.pack("<Q", _argument(kind, args.get(field), pool, slots))
    size = pool.base + len(pool.data)
    header = struct.pack(
        "<4I2Q2I", MAGIC, VERSION, len(slots), len(operations), size, ops_at, sync_fd, keep_fds
    )
    return header + slot_bytes + body + bytes(pool.data)
