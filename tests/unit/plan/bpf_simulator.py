"""A BPF machine for the few instructions of a device filter (Documentation/bpf/instruction-set.rst).

It refuses what the kernel's verifier would refuse of such programs: unknown instructions, jumps
backwards or out of the program, registers that were never written, an end without exit.
"""

import struct

Context = tuple[int, int, int]
MASK_32 = (1 << 32) - 1


class BadProgram(Exception):
    """The verifier would not load it."""


def instructions(program: bytes) -> list[tuple[int, int, int, int, int]]:
    """(code, destination, source, offset, immediate) of each."""
    if len(program) % 8:
        raise BadProgram("not a multiple of eight bytes")
    found = []
    for code, registers, offset, immediate in struct.iter_unpack("<BBhi", program):
        found.append((code, registers & 15, registers >> 4, offset, immediate))
    return found


def run(program: bytes, access: int, kind: int, major: int, minor: int) -> bool:
    """What the filter answers: `access` BPF_DEVCG_ACC_* bits, `kind` BPF_DEVCG_DEV_*."""
    context = struct.pack("<III", access << 16 | kind, major, minor)
    code = instructions(program)
    registers: dict[int, int] = {1: -1}
    at = 0
    while True:
        if at >= len(code):
            raise BadProgram("runs past its end")
        operation, destination, source, offset, immediate = code[at]
        at += 1
        if operation == 0x61:
            if registers.get(source) != -1 or offset not in (0, 4, 8):
                raise BadProgram("load that is not from the context")
            (registers[destination],) = struct.unpack_from("<I", context, offset)
        elif operation == 0xBC:
            registers[destination] = _value(registers, source) & MASK_32
        elif operation == 0x54:
            registers[destination] = _value(registers, destination) & immediate & MASK_32
        elif operation == 0x74:
            registers[destination] = (_value(registers, destination) & MASK_32) >> immediate
        elif operation == 0xB7:
            registers[destination] = immediate
        elif operation in (0x16, 0x56):
            if offset < 0:
                raise BadProgram("loop")
            equal = _value(registers, destination) & MASK_32 == immediate & MASK_32
            if equal == (operation == 0x16):
                at += offset
        elif operation == 0x95:
            return bool(_value(registers, 0))
        else:
            raise BadProgram(f"instruction {operation:#x}")


def _value(registers: dict[int, int], register: int) -> int:
    if registers.get(register, -1) < 0:
        raise BadProgram(f"r{register} is read before it is written, or is a pointer")
    return registers[register]
