"""Read what a test program prints: TAP assertions, and the notes between them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_ASSERTION = re.compile(r"^(?P<verdict>ok|not ok)\b(?: +(?P<number>\d+))?(?: +-)? *(?P<text>.*)$")
_SKIP = re.compile(r"#\s*skip\b", re.IGNORECASE)
_NOTE_ERROR = re.compile(r'^\s*"?error"?: "(?P<text>(?:[^"\\]|\\.)*)"')
# What differs from run to run although it names the same assertion.
_VARYING = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"/\S*/ocitest\d+"), "<bundle>"),
    (re.compile(r"/proc/\d+/"), "/proc/<pid>/"),
)

PASS, FAIL, SKIP = "pass", "fail", "skip"


@dataclass(frozen=True)
class Key:
    """Names one assertion of one test: its description and its how-manieth occurrence, counted from 1."""

    description: str
    occurrence: int

    def __str__(self) -> str:
        text = self.description or "(no description)"
        return text if self.occurrence == 1 else f"{text} (#{self.occurrence})"


@dataclass
class Report:
    """One program's output: verdict (pass, fail, skip) by assertion, in order, and errors noted."""

    verdicts: dict[Key, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def count(self, verdict: str) -> int:
        """Return the number of assertions that ended so."""
        return sum(1 for value in self.verdicts.values() if value == verdict)


def parse(output: str) -> Report:
    """Parse TAP output. Lines that are neither assertions nor notes of an error are passed over."""
    report = Report()
    seen: dict[str, int] = {}
    for line in output.splitlines():
        match = _ASSERTION.match(line)
        if match is None:
            noted = _NOTE_ERROR.match(line)
            if noted:
                report.errors.append(noted["text"].replace("\\n", " ").replace('\\"', '"'))
            continue
        description = normalise(match["text"])
        seen[description] = seen.get(description, 0) + 1
        report.verdicts[Key(description, seen[description])] = _verdict(match)
    return report


def normalise(description: str) -> str:
    """Replace what changes between runs (ids, bundle paths, process ids) by a placeholder."""
    for pattern, placeholder in _VARYING:
        description = pattern.sub(placeholder, description)
    return description.strip()


def _verdict(match: re.Match[str]) -> str:
    if _SKIP.search(match["text"]):
        return SKIP
    return PASS if match["verdict"] == "ok" else FAIL
