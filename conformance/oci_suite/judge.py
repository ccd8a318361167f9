"""Judge the results: what planc owes, and what fails with every runtime."""

from __future__ import annotations

import tomllib
from pathlib import Path

from oci_suite import tap
from oci_suite.runner import Outcome, Results

Explanations = dict[str, dict[str, str]]
_LISTED = 8


def load_explanations(path: Path) -> Explanations:
    """Read a hand-written table: test, then description of the assertion (without `(#n)`), to one line.

    The key `*` explains a test program as a whole: what it reports or its exit code.
    """
    with path.open("rb") as file:
        return tomllib.load(file)


def shortfalls(results: Results, subject: str, disputed: Explanations) -> list[str]:
    """Return what a peer passes and `subject` does not, one line each, many of one test shortened.

    Left out is what is `disputed`: where the suite demands the opposite of the specification.
    """
    lines = []
    for test, outcomes in results.items():
        mine = outcomes[subject]
        for peer, theirs in outcomes.items():
            if peer == subject:
                continue
            ahead = [str(key) for key in _ahead(theirs, mine) if not explain(disputed, test, key.description)]
            lines += [f"{test}: {description}: passes with {peer}" for description in ahead[:_LISTED]]
            if len(ahead) > _LISTED:
                lines.append(f"{test}: and {len(ahead) - _LISTED} more pass with {peer}")
            if theirs.ended_well() and not mine.ended_well() and not explain(disputed, test, "*"):
                lines.append(f"{test}: the program itself ends well with {peer}")
    return lines


def disputes(results: Results, subject: str, disputed: Explanations) -> dict[str, list[str]]:
    """Return by test what `subject` fails and the table of disputes speaks of, as common_failures()."""
    found: dict[str, list[str]] = {}
    for test, outcomes in results.items():
        mine = outcomes[subject]
        failed = _failed(mine)
        if names := [name for name in disputed.get(test, {}) if name in failed]:
            found[test] = names
    return found


def _ahead(theirs: Outcome, mine: Outcome) -> list[tap.Key]:
    return [key for key in theirs.report.verdicts if key in theirs.passed() - mine.passed()]


def _failed(outcome: Outcome) -> set[str]:
    names = {key.description for key, verdict in outcome.report.verdicts.items() if verdict == tap.FAIL}
    return names if outcome.ended_well() else names | {"*"}


def common_failures(results: Results, subject: str, disputed: Explanations) -> dict[str, list[str]]:
    """Return by test what `subject` fails, no peer passes and is not `disputed`: descriptions, once each.

    `*` stands for the program itself, which exits with another code than 0 or, asserting nothing, reports
    an error.
    """
    failing: dict[str, list[str]] = {}
    for test, outcomes in results.items():
        passed = set().union(*(outcome.passed() for outcome in outcomes.values()))
        mine = outcomes[subject]
        names = dict.fromkeys(
            key.description
            for key, verdict in mine.report.verdicts.items()
            if verdict == tap.FAIL and key not in passed
        )
        peers = [outcome for name, outcome in outcomes.items() if name != subject]
        if not mine.ended_well() and not any(peer.ended_well() for peer in peers):
            names["*"] = None
        if unsettled := [name for name in names if not explain(disputed, test, name)]:
            failing[test] = unsettled
    return failing


def unexplained(failing: dict[str, list[str]], explanations: Explanations) -> list[str]:
    """Return one line for each common failure that the hand-written table does not explain."""
    return [
        f"{test}: {name}: fails for all and is not explained"
        for test, names in failing.items()
        for name in names
        if not explain(explanations, test, name)
    ]


def explain(explanations: Explanations, test: str, name: str) -> str:
    """Return why this assertion (or `*`, the program) fails with every runtime; "" if nobody has said."""
    return explanations.get(test, {}).get(name, "")


def worth_repeating(outcomes: dict[str, Outcome], test: str, name: str, explanations: Explanations) -> bool:
    """Whether another run of this test with runtime `name` could change the verdict.

    So it is where another runtime passed more, and where something failed that is not explained.
    """
    mine = outcomes[name]
    keys = [key for other in outcomes.values() for key in _ahead(other, mine)]
    names = {key.description for key in keys} | _failed(mine)
    return any(not explain(explanations, test, description) for description in names)
