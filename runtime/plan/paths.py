"""Paths as text; nothing here looks at a file."""

from __future__ import annotations


def inside(path: str) -> str:
    """A path of the container, absolute and without ".", ".." and doubled slashes.

    A relative one is relative to the root. Symlinks are not known here: the checks that are made on
    the result hold because init opens the same result beneath the root.
    """
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def outside(path: str, base: str) -> str:
    """A path of the host; a relative one is relative to `base`, an absolute path."""
    return path if path.startswith("/") else f"{base.rstrip('/')}/{path}"
