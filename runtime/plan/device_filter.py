"""Device rules as a program of type BPF_PROG_TYPE_CGROUP_DEVICE (cgroup v2).

The program decides as the v1 devices controller would after the same rules in the same order
(security/device_cgroup.c): a default, which "a" rules set, and exceptions to it.
"""

from __future__ import annotations

import _struct

from runtime.plan.device_rules import ALL_ACCESS, DevicePolicy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.device_rules import Device

# linux/bpf.h
BPF_DEVCG_DEV_BLOCK = 1
BPF_DEVCG_DEV_CHAR = 2

LOAD_32 = 0x61  # BPF_LDX | BPF_W | BPF_MEM
AND_32 = 0x54  # BPF_ALU | BPF_AND | BPF_K
SHIFT_RIGHT_32 = 0x74  # BPF_ALU | BPF_RSH | BPF_K
COPY_32 = 0xBC  # BPF_ALU | BPF_MOV | BPF_X
SET_64 = 0xB7  # BPF_ALU64 | BPF_MOV | BPF_K
JUMP_EQUAL_32 = 0x16  # BPF_JMP32 | BPF_JEQ | BPF_K
JUMP_UNEQUAL_32 = 0x56  # BPF_JMP32 | BPF_JNE | BPF_K
EXIT = 0x95

RESULT, CONTEXT, KIND, WANTED, MAJOR, MINOR = range(6)
SCRATCH = CONTEXT  # free once everything is loaded


def device_filter(rules: list[str]) -> bytes:
    """The program (array of struct bpf_insn) for rules as in operation ``cgroup_devices``."""
    policy = DevicePolicy()
    for rule in rules:
        policy.apply(rule)
    program = [
        _instruction(LOAD_32, KIND, CONTEXT, 0),
        _instruction(COPY_32, WANTED, KIND),
        _instruction(AND_32, KIND, imm=0xFFFF),
        _instruction(SHIFT_RIGHT_32, WANTED, imm=16),
        _instruction(LOAD_32, MAJOR, CONTEXT, 4),
        _instruction(LOAD_32, MINOR, CONTEXT, 8),
    ]
    for device, access in policy.exceptions.items():
        program += _exception(device, access, policy.allow)
    program += _answer(policy.allow)
    return b"".join(program)


def _exception(device: Device, access: int, allow_default: bool) -> list[bytes]:
    """Tests that lead to the other answer, or past it."""
    kind, major, minor = device
    tests = [(JUMP_UNEQUAL_32, KIND, BPF_DEVCG_DEV_CHAR if kind == "c" else BPF_DEVCG_DEV_BLOCK)]
    code: list[bytes] = []
    if allow_default:
        # denied if any of the wanted access is an exception
        mask, past = access, JUMP_EQUAL_32
    else:
        # allowed if all of the wanted access is in the exception
        mask, past = ALL_ACCESS & ~access, JUMP_UNEQUAL_32
    if major is not None:
        tests.append((JUMP_UNEQUAL_32, MAJOR, major))
    if minor is not None:
        tests.append((JUMP_UNEQUAL_32, MINOR, minor))
    answer = _answer(not allow_default)
    tests.append((past, SCRATCH, 0))
    before = [_instruction(COPY_32, SCRATCH, WANTED), _instruction(AND_32, SCRATCH, imm=mask)]
    left = len(tests) + len(before) + len(answer)
    for jump, register, value in tests:
        if register == SCRATCH:
            code += before
            left -= len(before)
        left -= 1
        code.append(_instruction(jump, register, offset=left, imm=value))
    return code + answer


def _answer(allow: bool) -> list[bytes]:
    return [_instruction(SET_64, RESULT, imm=int(allow)), _instruction(EXIT)]


def _instruction(code: int, destination: int = 0, source: int = 0, offset: int = 0, imm: int = 0) -> bytes:
    """struct bpf_insn; a number above 2^31 is the same 32 bits as a negative one."""
    return _struct.pack("=BBhI", code, destination | source << 4, offset, imm & 0xFFFFFFFF)
