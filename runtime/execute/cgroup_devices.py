"""Device rules: v1 devices.allow and devices.deny, v2 a program of type BPF_PROG_TYPE_CGROUP_DEVICE."""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.ops import Op


def apply_devices(where: dict[str, str], op: Op) -> None:
    """Do operation ``cgroup_devices``; `where`: the container's directory by controller, "" unified.

    Raises KernelError.
    """
    if "devices" in where:
        _write_rules(where["devices"], op)
    elif where.get(""):
        _attach_program(where[""], op)
    else:
        raise _error("set the device rules", 0, op, "the container has no cgroup for them")


def _write_rules(path: str, op: Op) -> None:
    files = {}
    rule = ""
    try:
        for verb in ("allow", "deny"):
            files[verb] = os.open(f"{path}/devices.{verb}", os.O_WRONLY | os.O_CLOEXEC)
        for rule in op.args["rules"]:
            verb, _, device = rule.partition(" ")
            os.write(files[verb], device.encode())
    except OSError as err:
        hint = None
        if err.errno == 1:
            hint = "the parent cgroup does not allow it, or the caller lacks CAP_SYS_ADMIN"
        elif err.errno == 22:
            hint = "a cgroup with children takes no rule for all devices"
        what = f'set the device rule "{rule}"' if rule else "open the files of the device rules"
        raise _error(what, err.errno or 0, op, "", hint) from None
    finally:
        for fd in files.values():
            os.close(fd)


def _attach_program(path: str, op: Op) -> None:
    """The program takes the place of one that an earlier container has left: all attached ones count."""
    from runtime import native
    from runtime.plan.device_filter import device_filter

    cgroup = program = old = -1
    try:
        program = native.bpf_load_device(device_filter(op.args["rules"]))
        cgroup = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        attached = native.bpf_query_device(cgroup)
        if attached:
            old = native.bpf_program(attached[0])
        native.bpf_attach_device(cgroup, program, old)
        for left in attached[1:]:
            _detach(cgroup, left)
    except OSError as err:
        hint = "it needs CAP_BPF and CAP_NET_ADMIN in the initial user namespace" if err.errno == 1 else None
        raise _error("load the device filter", err.errno or 0, op, "", hint) from None
    finally:
        for fd in (old, program, cgroup):
            if fd >= 0:
                os.close(fd)


def _detach(cgroup: int, program_id: int) -> None:
    from runtime import native

    program = native.bpf_program(program_id)
    try:
        native.bpf_detach_device(cgroup, program)
    finally:
        os.close(program)


def _error(operation: str, number: int, op: Op, detail: str, hint: str | None = None) -> KernelError:
    from runtime.plan.refuse import dotted

    pointer = dotted(op.cause) if op.cause.startswith("/") else ""
    return KernelError(operation, number, pointer, detail, hint)
