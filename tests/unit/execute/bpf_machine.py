"""A machine for classic BPF as seccomp(2) runs it; it refuses what the kernel refuses to load."""

from __future__ import annotations

import struct

KILL_PROCESS = 0x80000000
KILL_THREAD = 0x00000000
TRAP = 0x00030000
ERRNO = 0x00050000
NOTIFY = 0x7FC00000
TRACE = 0x7FF00000
LOG = 0x7FFC0000
ALLOW = 0x7FFF0000

X86_64, I386, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7
MAXIMUM = 4096
SIZE = 64
"""Of struct seccomp_data: nr, arch, instruction pointer, six arguments."""


class Program(list[tuple[int, int, int, int]]):
    """struct sock_filter, decoded and checked: (code, jt, jf, k)."""

    def __init__(self, data: bytes) -> None:
        super().__init__(struct.iter_unpack("<HBBI", data))
        assert 0 < len(self) <= MAXIMUM
        for at, (code, if_true, if_false, k) in enumerate(self):
            if code in (0x05,):
                assert at + 1 + k < len(self), "jump out of the program"
            elif code in (0x15, 0x25, 0x35, 0x45):
                assert at + 1 + max(if_true, if_false) < len(self), "jump out of the program"
            elif code == 0x20:
                assert k % 4 == 0 and k < SIZE, "load from outside of seccomp_data"
            else:
                assert code in (0x06, 0x54), f"instruction {code:#x}"
        assert self[-1][0] == 0x06, "runs past its end"

    def run(self, number: int, arguments: tuple[int, ...] = (), arch: int = X86_64) -> int:
        """What the kernel would do with the call: action and data."""
        six = (*arguments, *[0] * (6 - len(arguments)))
        data = struct.pack("<iIQ6Q", _signed(number), arch, 0, *[value & (1 << 64) - 1 for value in six])
        accumulator = at = 0
        while True:
            code, if_true, if_false, k = self[at]
            at += 1
            if code == 0x06:
                return k
            if code == 0x20:
                (accumulator,) = struct.unpack_from("<I", data, k)
            elif code == 0x54:
                accumulator &= k
            elif code == 0x05:
                at += k
            else:
                at += if_true if _holds(code, accumulator, k) else if_false


def _signed(number: int) -> int:
    return struct.unpack("<i", struct.pack("<I", number & 0xFFFFFFFF))[0]


def _holds(code: int, accumulator: int, k: int) -> bool:
    answers = {
        0x15: accumulator == k,
        0x25: accumulator > k,
        0x35: accumulator >= k,
        0x45: bool(accumulator & k),
    }
    return answers[code]
