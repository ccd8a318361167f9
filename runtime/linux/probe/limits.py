"""What the caller is limited to: capabilities, rlimits, keys."""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.constants import RLIMITS
from runtime.linux.facts import LimitFacts
from runtime.linux.probe.text import number_of, text_of

TYPE_CHECKING = False

_INFINITY = 2**64 - 1


def read_limits() -> LimitFacts:
    """The facts."""
    bounding = (text_of("/proc/self/status") or "").partition("\nCapBnd:\t")[2][:16]
    return LimitFacts(
        bounding=int(bounding or "0", 16),
        rlimits=_rlimits(),
        oom_score_adj=number_of("/proc/self/oom_score_adj") or 0,
        keys=_keys(),
    )


def _rlimits() -> dict[str, tuple[int, int]]:
    import resource

    found = {}
    for name, number in RLIMITS.items():
        soft, hard = resource.getrlimit(number)
        # RLIM_INFINITY is -1 in Python
        found[name] = (soft if soft >= 0 else _INFINITY, hard if hard >= 0 else _INFINITY)
    return found


def _keys() -> tuple[int, int] | None:
    """/proc/key-users, keyrings(7): uid: usage nkeys/nikeys qnkeys/maxkeys qnbytes/maxbytes."""
    for line in (text_of("/proc/key-users") or "").splitlines():
        uid, _, rest = line.partition(":")
        fields = rest.split()
        if uid.strip() == str(os.geteuid()) and len(fields) == 4:
            used, _, limit = fields[2].partition("/")
            return int(used), int(limit)
    return None
