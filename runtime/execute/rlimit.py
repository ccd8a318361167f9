"""Resource limits of init, prlimit(2)."""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.linux.constants import RLIMITS
from runtime.native import prlimit
from runtime.plan.refuse import dotted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.ops import Op


def set_rlimit(pid: int, op: Op) -> None:
    """Do operation ``rlimit``. Raises KernelError."""
    name, soft, hard = op.args["resource"], op.args["soft"], op.args["hard"]
    try:
        prlimit(pid, RLIMITS[name], soft, hard)
    except OSError as err:
        hint = "raising a hard limit needs CAP_SYS_RESOURCE" if err.errno == 1 else None
        operation = f"set {name} to soft {soft}, hard {hard}"
        raise KernelError(operation, err.errno or 0, dotted(op.cause), hint=hint) from None
