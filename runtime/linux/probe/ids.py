"""Subordinate ids (subuid(5), subgid(5)) and newuidmap(1)."""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.facts import IdFacts
from runtime.linux.probe.text import find_program, text_of

TYPE_CHECKING = False


def read_ids() -> IdFacts:
    """The facts of the caller."""
    uid = os.getuid()
    user = _name(uid)
    return IdFacts(
        user=user,
        subuids=_ranges("/etc/subuid", user, uid),
        subgids=_ranges("/etc/subgid", user, uid),
        helpers={name: _helper(name) for name in ("newuidmap", "newgidmap")},
        nsswitch=_nsswitch(),
    )


def _name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _ranges(path: str, user: str, uid: int) -> tuple[tuple[int, int], ...]:
    """Lines are NAME:FIRST:COUNT, or with the uid in the place of the name, also for groups."""
    found = []
    for line in (text_of(path) or "").splitlines():
        owner, _, rest = line.strip().partition(":")
        first, _, count = rest.partition(":")
        if owner in (user, str(uid)) and owner and first.isdigit() and count.isdigit():
            found.append((int(first), int(count)))
    return tuple(found)


def _helper(name: str) -> tuple[str, str]:
    path = find_program(name)
    if not path:
        return "", ""
    if os.stat(path).st_mode & 0o4000 and os.stat(path).st_uid == 0:
        return path, "setuid"
    try:
        return path, "file capabilities" if os.getxattr(path, "security.capability") else ""
    except OSError:
        return path, ""


def _nsswitch() -> str:
    for line in (text_of("/etc/nsswitch.conf") or "").splitlines():
        name, _, value = line.partition("#")[0].partition(":")
        if name.strip() == "subid" and value.strip() != "files":
            return value.strip()
    return ""
