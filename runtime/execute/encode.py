"""Plan to blob: the one place where operations meet the structures of csrc/native.h.

`_struct`, not `struct` or `array`: the latter's import brings in `collections`.
"""

from __future__ import annotations

from _struct import pack

from runtime.errors import PlanError
from runtime.native import PLAN_MAGIC, PLAN_VERSION, SLOT_MAX, opcode
from runtime.plan.ops import INIT_FIELDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runtime.plan.ops import Op

HEADER_SIZE = 40
SLOT_NONE = (1 << 64) - 1
MASK = (1 << 64) - 1


class Encoder:
    """Collects one blob. Words that point into the pool are moved by its place at the end."""

    __slots__ = ("blobs", "count", "inherited", "pointers", "pool", "slots", "strings", "words")

    def __init__(self, inherited: Mapping[str, int], blobs: Mapping[str, bytes]) -> None:
        self.inherited = inherited
        self.blobs = blobs
        self.slots: dict[str, int] = {}
        self.words: list[int] = []
        self.pointers: list[int] = []
        self.pool = bytearray()
        self.strings: dict[str, int] = {}
        self.count = 0

    def operation(self, code: str, index: int, values: Sequence[object], kinds: Sequence[str]) -> None:
        """Append struct plan_op and its arguments."""
        self.words.append(opcode(code) | len(kinds) << 16 | index << 32)
        for kind, value in zip(kinds, values, strict=True):
            ENCODERS[kind](self, value)
        self.count += 1

    def number(self, value: object) -> None:
        self.words.append(int(value or 0) & MASK)  # type: ignore[call-overload]

    def slot(self, value: object) -> None:
        if value is None:
            self.words.append(SLOT_NONE)
            return
        name = str(value)
        if name not in self.slots:
            if len(self.slots) == SLOT_MAX:
                raise PlanError(
                    f"too many descriptors: at most {SLOT_MAX} mounts and namespaces fit in a plan"
                )
            self.slots[name] = len(self.slots)
        self.words.append(self.slots[name])

    def string(self, value: object) -> None:
        if value is None:
            self.words.append(0)
        else:
            self._point(self._intern(str(value)))

    def strings_vector(self, value: object) -> None:
        if value is None:
            self.words.append(0)
            return
        offsets = [self._intern(text) for text in value]  # type: ignore[attr-defined]
        place = self._align()
        self.pool += pack("<Q", len(offsets))
        for offset in offsets:
            self.pointers.append(-1 - len(self.pool))
            self.pool += offset.to_bytes(8, "little")
        self._point(place)

    def numbers_vector(self, value: object) -> None:
        if value is None:
            self.words.append(0)
            return
        numbers = list(value)  # type: ignore[call-overload]
        place = self._align()
        self.pool += pack(f"<{1 + len(numbers)}Q", len(numbers), *numbers)
        self._point(place)

    def blob(self, value: object) -> None:
        if value is None:
            self.words.append(0)
            return
        data = self.blobs[value] if isinstance(value, str) else value
        assert isinstance(data, bytes)
        place = self._align()
        self.pool += len(data).to_bytes(8, "little") + data
        self._point(place)

    def _intern(self, text: str) -> int:
        if text not in self.strings:
            self.strings[text] = len(self.pool)
            # a path or argument that is not UTF-8 came in with surrogate escapes and leaves as it came
            self.pool += text.encode("utf-8", "surrogateescape") + b"\0"
        return self.strings[text]

    def _align(self) -> int:
        self.pool += bytes(-len(self.pool) % 8)
        return len(self.pool)

    def _point(self, offset: int) -> None:
        self.pointers.append(len(self.words))
        self.words.append(offset)

    def finish(self, sync_fd: int, keep_fds: int) -> bytes:
        """The whole blob."""
        slots = [self.inherited.get(name, -1) for name in self.slots]
        if len(slots) % 2:
            slots.append(-1)
        ops = HEADER_SIZE + len(slots) * 4
        base = ops + len(self.words) * 8
        pool = self.pool
        for place in self.pointers:
            if place >= 0:
                self.words[place] += base
            else:
                at = -1 - place
                pool[at : at + 8] = (int.from_bytes(pool[at : at + 8], "little") + base).to_bytes(8, "little")
        size = base + len(pool)
        header = pack(
            "<4I2Q2I", PLAN_MAGIC, PLAN_VERSION, len(self.slots), self.count, size, ops, sync_fd, keep_fds
        )
        body = pack(f"<{len(slots)}i", *slots) + pack(f"<{len(self.words)}Q", *self.words)
        return b"".join((header, body, pool))


ENCODERS = {
    "u64": Encoder.number,
    "i64": Encoder.number,
    "slot": Encoder.slot,
    "str": Encoder.string,
    "strv": Encoder.strings_vector,
    "u64v": Encoder.numbers_vector,
    "blob": Encoder.blob,
}


def encode(
    ops: Sequence[Op],
    first: int,
    inherited: Mapping[str, int],
    blobs: Mapping[str, bytes],
    sync_fd: int,
    keep_fds: int,
) -> bytes:
    """The blob of ``ops[first:]``.

    `inherited`: descriptors by slot name; other slots start empty. `blobs`: bytes by the name an
    operation gives. Where operations of the runtime follow, an OP_SYNC with the index of the first.
    """
    encoder = Encoder(inherited, blobs)
    init_before = True
    for index in range(first, len(ops)):
        op = ops[index]
        fields = INIT_FIELDS.get(op.code)
        if fields is None:
            if init_before:
                encoder.operation("sync", index, (0,), ("u64",))
            init_before = False
            continue
        init_before = True
        args = op.args
        if fields:
            encoder.operation(
                op.code, index, [args.get(name) for name, _ in fields], [kind for _, kind in fields]
            )
        else:
            encoder.operation(op.code, index, (0,), ("u64",))
    return encoder.finish(sync_fd, keep_fds)
