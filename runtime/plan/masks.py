"""linux.maskedPaths and linux.readonlyPaths."""

from __future__ import annotations

from runtime.plan.ops import Op
from runtime.plan.paths import inside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.container import Container


def readonly_paths(c: Container) -> list[Op]:
    paths = (c.linux and c.linux.readonly_paths) or ()
    return _each("readonly_path", paths, "/linux/readonlyPaths")


def masked_paths(c: Container) -> list[Op]:
    paths = (c.linux and c.linux.masked_paths) or ()
    return _each("mask_path", paths, "/linux/maskedPaths")


def _each(code: str, paths: list[str] | tuple[()], pointer: str) -> list[Op]:
    """One operation per path, a path that is listed twice only once."""
    seen: set[str] = set()
    ops = []
    for index, path in enumerate(paths):
        target = inside(path)
        if target not in seen:
            seen.add(target)
            ops.append(Op(code, f"{pointer}/{index}", path=target))
    return ops
