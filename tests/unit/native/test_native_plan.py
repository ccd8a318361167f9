"""A plan that cannot be true: init refuses it, exit code 1, before it does anything."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from init_harness import SLOT_NONE, Blob, Failed, Init, failure, shell

import runtime.native as native


def refused(blob: Blob) -> str:
    """The text of the refusal; "" where init cannot know whom to tell."""
    with Init(blob) as init:
        message = init.receive()
        assert init.wait() == 1
    if message is None:
        return ""
    assert message.type == native.MSG_FAILED
    return message.text


def plan(marker: Path) -> Blob:
    return Blob([("sync", {}), *shell(f"touch {marker}")])


def bent(marker: Path, **attributes: object) -> Blob:
    blob = plan(marker)
    for name, value in attributes.items():
        assert hasattr(blob, name)
        setattr(blob, name, value)
    return blob


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"magic": 0x12345678}, ""),
        ({"version": 99}, ""),
        ({"size": 1 << 40}, "malformed plan: its size is 1099511627776, the file's"),
        ({"size": 0}, "malformed plan: its size is 0, the file's"),
        ({"slot_count": 513}, "malformed plan: 513 slots"),
        ({"slot_count": 0xFFFFFFFF}, "malformed plan: 4294967295 slots"),
        ({"slot_count": 500}, "malformed plan: operations out of bounds"),
        ({"ops": 44}, "malformed plan: operations out of bounds"),
        ({"ops": 0}, "malformed plan: operations out of bounds"),
        ({"ops": 1 << 50}, "malformed plan: operations out of bounds"),
        ({"ops": SLOT_NONE - 7}, "malformed plan: operations out of bounds"),
        ({"op_count": 1 << 31}, "malformed plan: operation "),
    ],
)
def test_bent_header(tmp_path: Path, attributes: dict[str, int], text: str) -> None:
    marker = tmp_path / "marker"
    found = refused(bent(marker, **attributes))
    assert found.startswith(text) if text else found == ""
    assert not marker.exists()


def test_too_many_descriptors_to_keep(tmp_path: Path) -> None:
    blob = plan(tmp_path / "marker")
    init = Init(blob)
    blob.keep_fds = 0xFFFFFFFF  # the header's; the runtime's own request stays sane
    with init:
        message = init.expect(native.MSG_FAILED)
        assert message.text == "malformed plan: 4294967295 descriptors to keep"
        assert init.wait() == 1


@pytest.mark.parametrize("size", [0, 1, 39])
def test_too_short_for_a_header(tmp_path: Path, size: int) -> None:
    blob = plan(tmp_path / "marker")
    whole = blob.data()
    blob.data = lambda: whole[:size]  # type: ignore[method-assign]
    assert refused(blob) == ""


@pytest.mark.parametrize("cut", [40, 41, 48, 60])
def test_cut_in_the_middle(tmp_path: Path, cut: int) -> None:
    marker = tmp_path / "marker"
    blob = plan(marker)
    blob.body, blob.pool, blob.size = blob.body[: cut - 40], b"", cut
    assert refused(blob).startswith("malformed plan: ")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("code", "args"), [(0, 1), (native.opcode("exec") + 1, 1), (0xFFFF, 1), (1, 0), (1, 2), (1, 0xFFFF)]
)
def test_unknown_operation_or_wrong_number_of_arguments(tmp_path: Path, code: int, args: int) -> None:
    marker = tmp_path / "marker"
    blob = plan(marker)
    blob.body = struct.pack("<HHi", code, args, 0) + blob.body[8:]
    text = refused(blob)
    assert text == f"malformed plan: operation 0 has code {code} with {args} arguments"
    assert not marker.exists()


def test_a_bad_operation_at_the_end_keeps_the_first_from_being_done(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    blob = Blob([("hook", {"path": "/usr/bin/touch", "argv": ["touch", str(marker)]}), ("sync", {})])
    blob.body = blob.body[:-16] + struct.pack("<HHiQ", 0xFFFF, 1, 1, 0)
    assert refused(blob) == "malformed plan: operation 1 has code 65535 with 1 arguments"
    assert not marker.exists()


BEYOND = 1 << 40


@pytest.mark.parametrize(
    ("code", "args", "text"),
    [
        ("hostname", {"name": BEYOND}, "argument out of bounds"),
        ("hostname", {"name": SLOT_NONE}, "argument out of bounds"),
        ("hostname", {"name": 8}, "argument out of bounds"),  # the header is no argument
        ("environment", {"env": BEYOND}, "argument out of bounds"),
        ("environment", {"env": 41}, "argument out of bounds"),  # not aligned
        ("setgroups", {"gids": BEYOND}, "argument out of bounds"),
        ("seccomp", {"filter": BEYOND}, "argument out of bounds"),
        ("setns", {"ns": 512, "type": 0}, "slot 512"),
        ("setns", {"ns": SLOT_NONE - 1, "type": 0}, f"slot {SLOT_NONE - 1}"),
        ("exec", {"argv": SLOT_NONE - 7}, "argument out of bounds"),
    ],
)
def test_argument_out_of_bounds(code: str, args: dict[str, object], text: str) -> None:
    assert failure([(code, args)]).text == f"malformed plan: {text}"


@pytest.mark.parametrize("count", [1 << 60, 1 << 61, SLOT_NONE, 1000, 10])
@pytest.mark.parametrize(
    ("code", "field"), [("environment", "env"), ("setgroups", "gids"), ("seccomp", "filter")]
)
def test_count_out_of_bounds(code: str, field: str, count: int) -> None:
    blob = Blob([(code, {field: 40 + 8 * (1 + len(native_fields(code)))})])
    blob.pool = struct.pack("<Q", count) + bytes(8)
    text = refused(blob)
    assert text in ("malformed plan: vector out of bounds", "malformed plan: argument out of bounds")


def native_fields(code: str) -> list[tuple[str, str]]:
    from init_harness import fields_of

    return fields_of(code)


def test_string_without_an_end() -> None:
    blob = Blob([("hostname", {"name": 40 + 16})])
    blob.pool = b"x" * 24
    assert refused(blob) == "malformed plan: string without an end"


def test_no_string_in_a_vector_of_strings() -> None:
    blob = Blob([("environment", {"env": 40 + 32})])
    blob.pool = struct.pack("<2Q", 1, 0)
    assert refused(blob) == "malformed plan: no string in a vector of strings"


def test_item_of_a_vector_out_of_bounds() -> None:
    blob = Blob([("environment", {"env": 40 + 32})])
    blob.pool = struct.pack("<2Q", 1, BEYOND)
    assert refused(blob) == "malformed plan: argument out of bounds"


def test_plan_that_is_no_number_or_no_file() -> None:
    import os

    init = native.init_path()
    for argument in ("", "x", "-1", "7x", "1000000", "99999999999999999999"):
        status = os.spawnve(os.P_WAIT, init, ["planc-init", argument], {})
        assert status == 1, argument
    assert os.spawnve(os.P_WAIT, init, ["planc-init"], {}) == 1
    assert os.spawnve(os.P_WAIT, init, ["planc-init", "0", "0"], {}) == 1


def test_random_damage_never_crashes(tmp_path: Path) -> None:
    """Every byte of the list of operations, damaged in turn: refused, failed, or harmless; never a signal."""
    env = ["A=b"]
    operations = [("environment", {"env": env}), ("find_executable", {"name": "true"}), ("done", {})]
    size = len(Blob(operations).data())
    for at in range(0, size, 3):
        if 32 <= at < 36:
            continue  # the conversation's own descriptor
        blob = Blob(operations)
        whole = blob.data
        blob.data = lambda at=at, whole=whole: damaged(whole(), at)  # type: ignore[method-assign, misc]
        with Init(blob) as init:
            while (message := init.receive()) is not None and message.type != native.MSG_FAILED:
                if message.type == native.MSG_SYNC:
                    init.socket.close()
                    break
            assert init.wait() in (0, 1), (at, init.status)


def damaged(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def test_failed_is_an_exception_with_the_operations_index() -> None:
    failed = failure([("umask", {"mask": 0o22}), ("find_executable", {"name": "/nope"})])
    assert isinstance(failed, Failed)
    assert failed.op == 1
