"""linux.sysctl: only what belongs to a namespace of the container (sysctl(8), namespaces(7))."""

from __future__ import annotations

from runtime.plan.ops import Op
from runtime.plan.refuse import pointer_token, refuse
from runtime.spec.sysctl import sysctl_namespace, sysctl_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.container import Container


def sysctls(c: Container) -> list[Op]:
    """Writes below /proc/sys, in the order of config.json.

    That a name is namespaced, and the namespace the container's, is checked with config.json; here
    remains what that cannot see: a namespace joined by path that is the caller's own after all.
    """
    ops = []
    for name, value in ((c.linux and c.linux.sysctl) or {}).items():
        cause = f"/linux/sysctl/{pointer_token(name)}"
        parts = sysctl_parts(name)
        if parts is None:
            raise refuse(cause, "is not the name of a sysctl")
        kind = sysctl_namespace(parts)
        if kind not in c.namespaces.new:
            _check_joined(c, kind, cause)
        ops.append(Op("sysctl", cause, path="/".join(parts), value=value))
    return ops


def _check_joined(c: Container, kind: str, cause: str) -> None:
    if kind not in c.namespaces.joined:
        raise refuse(cause, f"would change the host: there is no {kind or 'such'} namespace")
    _, path = c.namespaces.joined[kind]
    if path in c.host.own_namespaces:
        raise refuse(cause, f"would change the host: {path} is the runtime's own {kind} namespace")
