"""Judge the results and write them down: RESULTS.md, and the list of what planc owes."""

from __future__ import annotations

import platform
import tomllib
from pathlib import Path

import suite
import tap
from runner import MAX_RUNS, Outcome, Results
from runtimes import Runtime

_HEADER = """\
# The OCI runtime-tools validation suite

Written by `conformance/run`; do not edit. Suite: `{module}` `{version}`. Kernel {kernel}.

{runtimes}

Each cell says how many TAP assertions passed, of those that passed or failed; *exit n* is the test
program's own exit code where it is not 0, and *runs* says that the best of several runs is counted (a test
is repeated, at most {max_runs} times in all, while another runtime passes more in it).
A program that asserts nothing is *silent* if it ended with 0 and reported no error, else *error*.
"""


def load_explanations(path: Path) -> dict[str, dict[str, str]]:
    """Read the hand-written table: test, then description of the assertion (without `(#n)`), to one line.

    The key `*` explains a test program as a whole: what it reports or its exit code.
    """
    with path.open("rb") as file:
        return tomllib.load(file)


def shortfalls(results: Results, subject: str) -> list[str]:
    """Return one line for each assertion or program that a peer passes and `subject` does not."""
    lines = []
    for test, outcomes in results.items():
        mine = outcomes[subject]
        for peer, theirs in outcomes.items():
            if peer == subject:
                continue
            ahead = [str(key) for key in theirs.report.verdicts if key in theirs.passed() - mine.passed()]
            lines += [f"{test}: {description}: passes with {peer}" for description in ahead]
            if theirs.silent_success() and not mine.silent_success():
                lines.append(f"{test}: the program reports no error with {peer}")
            elif theirs.exit_code == 0 and mine.exit_code != 0:
                lines.append(f"{test}: the program exits with 0 with {peer}, not with {mine.exit_code}")
    return lines


def common_failures(results: Results) -> dict[str, list[str]]:
    """Return by test what no runtime passes: descriptions (once each), or `*` for the program itself."""
    failing: dict[str, list[str]] = {}
    for test, outcomes in results.items():
        passed = set().union(*(outcome.passed() for outcome in outcomes.values()))
        skipped = {key for outcome in outcomes.values() for key, verdict in outcome.report.verdicts.items()
                   if verdict == tap.SKIP}
        known = {key: None for outcome in outcomes.values() for key in outcome.report.verdicts}
        names = dict.fromkeys(key.description for key in known if key not in passed and key not in skipped)
        clean = any(outcome.exit_code == 0 for outcome in outcomes.values())
        asserting = any(outcome.report.verdicts for outcome in outcomes.values())
        silent = any(outcome.silent_success() for outcome in outcomes.values())
        if not clean or not (asserting or silent):
            names["*"] = None
        if names:
            failing[test] = list(names)
    return failing


def unexplained(failing: dict[str, list[str]], explanations: dict[str, dict[str, str]]) -> list[str]:
    """Return one line for each common failure that the hand-written table does not explain."""
    return [
        f"{test}: {name}: fails for all and is not explained"
        for test, names in failing.items() for name in names if not _explain(explanations, test, name)
    ]


def markdown(
    results: Results, runtimes: list[Runtime], explanations: dict[str, dict[str, str]], owed: list[str]
) -> str:
    """Return the text of RESULTS.md."""
    parts = [
        _HEADER.format(
            module=suite.MODULE, version=suite.VERSION, kernel=platform.release(), max_runs=MAX_RUNS,
            runtimes="\n".join(f"- {runtime.name}: {runtime.version}" for runtime in runtimes),
        ),
        _table(results, [runtime.name for runtime in runtimes]),
        "## What a peer passes and planc does not\n",
        "\n".join(f"- {_escape(line)}" for line in owed) or "Nothing.",
        "\n## What fails with every runtime\n",
        _failures(common_failures(results), explanations),
    ]
    return "\n".join(parts) + "\n"


def _table(results: Results, names: list[str]) -> str:
    rows = ["| test | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for test, outcomes in results.items():
        rows.append(f"| {test} | " + " | ".join(_cell(outcomes[name]) for name in names) + " |")
    totals = []
    for name in names:
        reports = [outcomes[name].report for outcomes in results.values()]
        passed = sum(report.count(tap.PASS) for report in reports)
        failed = sum(report.count(tap.FAIL) for report in reports)
        totals.append(f"**{passed} / {failed}**")
    rows.append("| **assertions passed / failed** | " + " | ".join(totals) + " |")
    return "\n".join(rows) + "\n"


def _cell(outcome: Outcome) -> str:
    passed, failed = outcome.report.count(tap.PASS), outcome.report.count(tap.FAIL)
    skipped = outcome.report.count(tap.SKIP)
    words = []
    if passed or failed:
        words.append(f"{passed} of {passed + failed}")
    elif not skipped:
        words.append("silent" if outcome.silent_success() else "error")
    if skipped:
        words.append(f"{skipped} skipped")
    if outcome.exit_code is None:
        words.append("killed after a timeout")
    elif outcome.exit_code:
        words.append(f"exit {outcome.exit_code}")
    if outcome.runs > 1:
        words.append(f"{outcome.runs} runs")
    return ", ".join(words)


def _failures(failing: dict[str, list[str]], explanations: dict[str, dict[str, str]]) -> str:
    lines = []
    for test, names in failing.items():
        for name in names:
            what = "the program" if name == "*" else f"“{_escape(name or '(no description)')}”"
            why = _explain(explanations, test, name) or "not explained"
            lines.append(f"- **{test}**, {what}: {why}")
    return "\n".join(lines) or "Nothing."


def _explain(explanations: dict[str, dict[str, str]], test: str, name: str) -> str:
    return explanations.get(test, {}).get(name, "")


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
