"""The conformance harness itself: what it reads out of TAP, and that its gate can fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from oci_suite import judge, runner, tap  # noqa: E402

OUTPUT = """\
TAP version 13
ok 1 - has expected hostname
  ---
  {
    "error": "exit \\"status\\" 1\\nsecond",
    "reference": "ok 7 - not an assertion"
  }
  ...
not ok 2 - get data of 2731a213-14a6-4c75-957c-98b1e160b323
ok 3 # SKIP nothing to see
ok 4 - has expected hostname
not ok 5
1..5
"""


def outcome(text: str, exit_code: int | None = 0) -> runner.Outcome:
    return runner.Outcome(tap.parse(text), exit_code, "", 0.1)


def test_parse_tells_assertions_apart_by_description_and_occurrence() -> None:
    parsed = tap.parse(OUTPUT)
    assert parsed.verdicts == {
        tap.Key("has expected hostname", 1): tap.PASS,
        tap.Key("get data of <uuid>", 1): tap.FAIL,
        tap.Key("# SKIP nothing to see", 1): tap.SKIP,
        tap.Key("has expected hostname", 2): tap.PASS,
        tap.Key("", 1): tap.FAIL,
    }
    assert parsed.errors == ['exit "status" 1 second']


def test_a_peer_ahead_is_a_shortfall() -> None:
    results = {"t": {"planc": outcome("not ok 1 - a\nok 2 - b\n"), "runc": outcome("ok 1 - a\nok 2 - b\n")}}
    assert judge.shortfalls(results, "planc", {}) == ["t: a: passes with runc"]


def test_an_assertion_planc_never_reached_is_a_shortfall() -> None:
    results = {"t": {"planc": outcome("", 1), "crun": outcome("ok 1 - a\nnot ok 2 - b\n")}}
    assert judge.shortfalls(results, "planc", {}) == [
        "t: a: passes with crun",
        "t: the program itself ends well with crun",
    ]


def test_an_error_reported_without_assertions_is_a_shortfall() -> None:
    wrong = outcome('  {\n    "error": "hooks MUST be called"\n  }\n1..0\n')
    results = {"hooks": {"planc": wrong, "runc": outcome("1..0\n")}}
    assert judge.shortfalls(results, "planc", {}) == ["hooks: the program itself ends well with runc"]


def test_planc_ahead_owes_nothing() -> None:
    results = {"t": {"planc": outcome("ok 1 - a\n"), "runc": outcome("not ok 1 - a\n", 1)}}
    assert judge.shortfalls(results, "planc", {}) == []
    assert judge.common_failures(results, "planc", {}) == {}


def test_what_the_specification_forbids_is_not_owed_but_named() -> None:
    results = {
        "t": {"planc": outcome("not ok 1 - a\nnot ok 2 - b\n", 1), "crun": outcome("ok 1 - a\nok 2 - b\n")}
    }
    disputed = {"t": {"a": "runtime.md says no", "*": "so the program fails"}, "u": {"c": "never run"}}
    assert judge.shortfalls(results, "planc", disputed) == ["t: b: passes with crun"]
    assert judge.disputes(results, "planc", disputed) == {"t": ["a", "*"]}
    assert judge.worth_repeating(results["t"], "t", "planc", disputed)
    assert not judge.worth_repeating(results["t"], "t", "planc", {"t": disputed["t"] | {"b": "too"}})


def test_what_fails_for_all_must_be_explained() -> None:
    results = {"t": {"planc": outcome("not ok 1 - a\n", 1), "runc": outcome("not ok 1 - a\n", 1)}}
    failing = judge.common_failures(results, "planc", {})
    assert failing == {"t": ["a", "*"]}
    half = {"t": {"a": "because"}}
    assert judge.unexplained(failing, half) == ["t: *: fails for all and is not explained"]
    assert judge.worth_repeating(results["t"], "t", "planc", half)
    assert judge.common_failures(results, "planc", {"t": {"a": "disputed"}}) == {"t": ["*"]}
    whole = {"t": {"a": "because", "*": "too"}}
    assert judge.unexplained(failing, whole) == []
    assert not judge.worth_repeating(results["t"], "t", "planc", whole)


def test_a_stuck_program_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "TIMEOUT_SECONDS", 3)
    (tmp_path / "stuck").write_text("#!/bin/sh\necho 'ok 1 - before'\nsleep 1000\n")
    (tmp_path / "stuck").chmod(0o755)
    run = runner.Runner(tmp_path, tmp_path / "work", 1)
    stuck = run._execute([str(tmp_path / "stuck")], {"PATH": "/usr/bin:/bin"})
    assert stuck.exit_code is None
    assert stuck.passed() == {tap.Key("before", 1)}
    assert stuck.seconds >= 3
