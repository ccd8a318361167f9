"""A seccomp profile to a BPF program, by libseccomp's own Python bindings; seccomp_cache keeps the result."""

from __future__ import annotations

import os
import struct
import sys

from runtime.errors import KernelError, PlanError
from runtime.plan.seccomp import answers_enosys, default_action, rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    from runtime.spec.model import LinuxSeccomp

DEBIAN_PACKAGES = "/usr/lib/python3/dist-packages"
POINTER = "linux.seccomp"
OPTIMIZE_ABOVE = 32
X32_BIT = 0x40000000


def compile_profile(profile: LinuxSeccomp) -> bytes:
    """The program as seccomp(2) takes it. Raises KernelError, PlanError."""
    bindings = import_bindings()
    try:
        filter = bindings.SyscallFilter(_action(bindings, *default_action(profile)))
        _set_attributes(bindings, filter, profile)
        _add_architectures(bindings, filter, profile)
        names = _add_rules(bindings, filter, profile)
        program = _export(filter)
    except (RuntimeError, ValueError, OSError) as err:
        raise KernelError(
            "compile the seccomp profile", getattr(err, "errno", 0) or 0, POINTER, str(err)
        ) from None
    if answers_enosys(profile):
        return enosys_prologue(_newest_calls(bindings, profile, names)) + program
    return program


def import_bindings() -> ModuleType:
    """The module ``seccomp``. Raises PlanError when it is not installed."""
    try:
        import seccomp
    except ImportError:
        # in a virtual environment the system's own bindings are out of sight: there are no others
        sys.path.append(DEBIAN_PACKAGES)
        try:
            import seccomp
        except ImportError:
            raise PlanError(
                "the Python bindings of libseccomp are not installed",
                POINTER,
                hint="install them (Debian: python3-seccomp, Fedora: python3-libseccomp)",
            ) from None
        finally:
            sys.path.remove(DEBIAN_PACKAGES)
    module: ModuleType = seccomp
    return module


def _action(bindings: Any, action: str, number: int) -> Any:
    simple = {
        "SCMP_ACT_KILL": "KILL",
        "SCMP_ACT_KILL_THREAD": "KILL",
        "SCMP_ACT_KILL_PROCESS": "KILL_PROCESS",
        "SCMP_ACT_TRAP": "TRAP",
        "SCMP_ACT_LOG": "LOG",
        "SCMP_ACT_ALLOW": "ALLOW",
        "SCMP_ACT_NOTIFY": "NOTIFY",
    }
    if action == "SCMP_ACT_ERRNO":
        return bindings.ERRNO(number)
    if action == "SCMP_ACT_TRACE":
        return bindings.TRACE(number)
    return getattr(bindings, simple[action])


def _set_attributes(bindings: Any, filter: Any, profile: LinuxSeccomp) -> None:
    # whether to set no_new_privs is init's business
    filter.set_attr(bindings.Attr.CTL_NNP, 0)
    if len(profile.syscalls or ()) > OPTIMIZE_ABOVE:
        filter.set_attr(bindings.Attr.CTL_OPTIMIZE, 2)


def architecture_names(profile: LinuxSeccomp) -> list[str]:
    """Names as the bindings have them ("X86_64"), without those that these bindings do not know."""
    return [name.removeprefix("SCMP_ARCH_") for name in profile.architectures or ()]


def _add_architectures(bindings: Any, filter: Any, profile: LinuxSeccomp) -> None:
    for name in architecture_names(profile):
        token = getattr(bindings.Arch, name, None)
        if token is not None and not filter.exist_arch(token):
            filter.add_arch(token)


def _add_rules(bindings: Any, filter: Any, profile: LinuxSeccomp) -> set[str]:
    """Add every rule; names that libseccomp does not know are skipped. Returns the names added."""
    known: dict[str, bool] = {}
    for name, action, comparisons in rules(profile):
        if name not in known:
            known[name] = bindings.resolve_syscall(bindings.Arch(), name) != -1
        if known[name]:
            args = [_comparison(bindings, *comparison) for comparison in comparisons]
            filter.add_rule(_action(bindings, *action), name, *args)
    return {name for name, is_known in known.items() if is_known}


def _comparison(bindings: Any, index: int, op: str, value: int, value_two: int) -> Any:
    operator = getattr(bindings, op.removeprefix("SCMP_CMP_"))
    if op == "SCMP_CMP_MASKED_EQ":
        return bindings.Arg(index, operator, value, value_two)
    return bindings.Arg(index, operator, value)


def _export(filter: Any) -> bytes:
    fd = os.memfd_create("planc-seccomp", os.MFD_CLOEXEC)
    with open(fd, "w+b", buffering=0) as file:
        filter.export_bpf(file)
        return os.pread(fd, os.fstat(fd).st_size, 0)


def _newest_calls(bindings: Any, profile: LinuxSeccomp, names: set[str]) -> dict[int, tuple[int, int]]:
    """Audit architecture → the highest numbers named by the profile: ordinary and x32 calls (-1: none)."""
    newest: dict[int, tuple[int, int]] = {}
    for arch in sorted({"NATIVE", *architecture_names(profile)}):
        token = getattr(bindings.Arch, arch, None)
        if token is None:
            continue
        number = max([bindings.resolve_syscall(bindings.Arch(token), name) for name in names], default=-1)
        if number < 0:
            continue
        # x32 shares AUDIT_ARCH_X86_64; its calls have bit 30 set
        x32 = token == bindings.Arch.X32
        audit = int(bindings.Arch(bindings.Arch.X86_64 if x32 else token)) & 0xFFFFFFFF
        ordinary_before, x32_before = newest.get(audit, (-1, -1))
        if x32:
            newest[audit] = (ordinary_before, max(x32_before, number | X32_BIT))
        else:
            newest[audit] = (max(ordinary_before, number), x32_before)
    return newest


def enosys_prologue(newest: dict[int, tuple[int, int]]) -> bytes:
    """BPF put before a filter: calls above the newest number of their architecture get ENOSYS.

    The offsets of struct seccomp_data: nr 0, arch 4.
    """
    load, jump_equal, jump_greater, jump_at_least, back = 0x20, 0x15, 0x25, 0x35, 0x06
    program = []
    for audit, (ordinary, x32) in sorted(newest.items()):
        program += [
            (load, 0, 0, 4),
            (jump_equal, 0, 5, audit),
            (load, 0, 0, 0),
            (jump_greater, 0, 3, ordinary),
            (jump_at_least, 0, 1, X32_BIT),
            (jump_greater, 0, 1, x32 if x32 >= 0 else 0xFFFFFFFF),
            (back, 0, 0, 0x00050000 | 38),
        ]
    return b"".join([struct.pack("<HBBI", *instruction) for instruction in program])
