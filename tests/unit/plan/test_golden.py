"""Whole plans as text, and what is true of each of them."""

import pytest

from runtime.plan.explain import describe, explain_json, explain_line, explain_lines
from runtime.plan.ops import INIT_FIELDS, RUNTIME_FIELDS, Op, Plan

from .goldens import DATA, GOLDENS, text

KINDS = {
    "u64": lambda value: isinstance(value, int) and 0 <= value < 2**64,
    "i64": lambda value: isinstance(value, int) and -(2**63) <= value < 2**63,
    "str": lambda value: isinstance(value, str) and "\0" not in value,
    "strv": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "u64v": lambda value: isinstance(value, list) and all(isinstance(item, int) for item in value),
    "blob": lambda value: isinstance(value, str | bytes),
    "slot": lambda value: isinstance(value, str),
}

# filled by the executor before the stage runs, or by OP_OPEN_TREE and the like
SUPPLIED = {"pidfd", "console", "exec.fifo", "exec.status"}


@pytest.fixture(params=GOLDENS, scope="module")
def plan(request: pytest.FixtureRequest) -> Plan:
    return GOLDENS[request.param]()


@pytest.mark.parametrize("name", GOLDENS)
def test_the_plan_is_the_golden_one(name: str) -> None:
    assert text(GOLDENS[name]()).splitlines() == (DATA / f"{name}.txt").read_text().splitlines()


def test_every_golden_file_is_of_a_plan() -> None:
    assert {path.stem for path in DATA.glob("*.txt")} == set(GOLDENS)


def test_operations_have_the_fields_of_their_table(plan: Plan) -> None:
    for op in plan.ops:
        fields = dict({**INIT_FIELDS, **RUNTIME_FIELDS}[op.code])
        assert set(op.args) <= set(fields), op
        for name, value in op.args.items():
            absent = value is None and fields[name] not in ("u64", "i64")
            assert absent or KINDS[fields[name]](value), (op, name)


def test_slots_are_filled_before_they_are_used(plan: Plan) -> None:
    """Each slot name comes from one operation, or from the executor."""
    made = set(SUPPLIED)
    for op in plan.ops:
        fields = {**INIT_FIELDS, **RUNTIME_FIELDS}[op.code]
        slots = {name: op.args.get(name) for name, kind in fields if kind == "slot"}
        makes = {
            "open_tree": "tree",
            "open_namespace": "ns",
            "open_user_namespace": "userns",
            "attach_rootfs": "root",
            "mount": "mount",
        }.get(op.code)
        for name, slot in slots.items():
            if slot is not None and name != makes:
                assert slot in made, (op, name)
        if makes and slots[makes] is not None:
            assert slots[makes] not in made, op
            made.add(slots[makes])


def test_causes_are_pointers_or_words_in_parentheses(plan: Plan) -> None:
    for op in plan.ops:
        assert op.cause.startswith("/") or (op.cause.startswith("(") and op.cause.endswith(")")), op


def test_the_stage_forks_once_and_done_comes_before_waiting(plan: Plan) -> None:
    codes = [op.code for op in plan.ops]
    for code in ("spawn", "fork", "done", "find_executable", "exec"):
        assert codes.count(code) == 1
    assert codes.index("spawn") < codes.index("fork") < codes.index("find_executable") < codes.index("done")
    assert codes[-1] == "exec"
    # nothing of the runtime's comes once it has stopped listening
    assert all(op.who == "init" for op in plan.ops[codes.index("done") :])


def test_lines_json_and_phrases_agree(plan: Plan) -> None:
    lines, objects = explain_lines(plan), explain_json(plan)
    assert len(lines) == len(objects) == len(plan.ops)
    for index, (op, line, value) in enumerate(zip(plan.ops, lines, objects, strict=True)):
        assert line.split()[:3] == [str(index), op.who, op.code]
        assert line.endswith(f"  # {op.cause}")
        assert explain_line(index, op).split() == line.split()
        assert value["args"] == {**dict.fromkeys(value["args"]), **op.args}
        assert value["text"] == describe(op) and "{" not in describe(op).partition(" ")[0]
        assert "None" not in line


def test_a_phrase_reads_like_a_sentence() -> None:
    mount = Op("mount", "/mounts/3", type="tmpfs", target="/run/lock")
    assert describe(mount) == "mount tmpfs on /run/lock"
    assert describe(Op("unshare", "", flags=0x30020000)) == "unshare CLONE_NEWNS|CLONE_NEWUSER|CLONE_NEWPID"
    assert describe(Op("rlimit", "", resource="RLIMIT_CORE", soft=0, hard=2**64 - 1)) == (
        "set RLIMIT_CORE to 0:unlimited"
    )
