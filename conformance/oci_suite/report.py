"""Write the results down: the text of RESULTS.md."""

from __future__ import annotations

import platform

from oci_suite import suite, tap
from oci_suite.judge import Explanations, common_failures, disputes, explain
from oci_suite.runner import MAX_RUNS, Outcome, Results
from oci_suite.runtimes import Runtime

_HEADER = """\
# The OCI runtime-tools validation suite

Written by `conformance/run`; do not edit. Suite: `{module}` `{version}`. Kernel {kernel}.

{runtimes}

Each cell says how many TAP assertions passed, of those that passed or failed; *exit n* is the test
program's own exit code where it is not 0, and *runs* says that the best of several runs is counted (a test
is repeated, up to {max_runs} runs in all, while another runtime passes more or a failure is unexplained).
A program that asserts nothing is *silent* if it ended with 0 and reported no error, else *error*.
"""


def markdown(
    results: Results,
    runtimes: list[Runtime],
    explanations: Explanations,
    disputed: Explanations,
    owed: list[str],
) -> str:
    """Return the text of RESULTS.md."""
    subject = runtimes[0].name
    parts = [
        _HEADER.format(
            module=suite.MODULE,
            version=suite.VERSION,
            kernel=platform.release(),
            max_runs=MAX_RUNS,
            runtimes="\n".join(_describe(runtime) for runtime in runtimes),
        ),
        _table(results, [runtime.name for runtime in runtimes]),
        "## What a peer passes and planc does not\n",
        "\n".join(f"- {_escape(line)}" for line in owed) or "Nothing.",
        "\n## Where the suite demands the opposite of the specification\n",
        _failures(disputes(results, subject, disputed), disputed),
        "\n## What fails with every runtime\n",
        _failures(common_failures(results, subject, disputed), explanations),
    ]
    return "\n".join(parts) + "\n"


def _describe(runtime: Runtime) -> str:
    remarks = runtime.remarks()
    return f"- {runtime.name}: {runtime.version}" + (f" ({remarks})" if remarks else "")


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
        words.append("silent" if outcome.ended_well() else "error")
    if skipped:
        words.append(f"{skipped} skipped")
    if outcome.exit_code is None:
        words.append("killed after a timeout")
    elif outcome.exit_code:
        words.append(f"exit {outcome.exit_code}")
    if outcome.runs > 1:
        words.append(f"{outcome.runs} runs")
    return ", ".join(words)


def _failures(failing: dict[str, list[str]], explanations: Explanations) -> str:
    lines = []
    for test, names in failing.items():
        for name in names:
            what = "the program" if name == "*" else f"“{_escape(name or '(no description)')}”"
            why = explain(explanations, test, name) or "not explained"
            lines.append(f"- **{test}**, {what}: {why}")
    return "\n".join(lines) or "Nothing."


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
