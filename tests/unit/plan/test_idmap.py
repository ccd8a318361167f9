"""Id mappings: what is written, who writes it, and which ids exist."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import PlanError
from runtime.plan.idmap import MountMaps, is_mapped, map_text, setgroups_denied

from . import samples

CAP_SETGID = 1 << 6
CAP_SETUID = 1 << 7

RANGES = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(1, 50)), min_size=0, max_size=5
)


@given(RANGES)
def test_the_text_is_one_line_per_range(ranges: list[tuple[int, int, int]]) -> None:
    text = map_text(ranges)
    assert [tuple(map(int, line.split())) for line in text.splitlines()] == ranges
    assert text == "" or text.endswith("\n")


@given(RANGES, st.integers(0, 300))
def test_mapped_is_what_enumeration_says(ranges: list[tuple[int, int, int]], number: int) -> None:
    inside = {start + offset for start, _, size in ranges for offset in range(size)}
    assert is_mapped(number, ranges) == (number in inside)


@given(st.integers(0, 3), st.integers(0, 3), st.integers(1, 2), st.booleans(), st.booleans())
def test_setgroups_is_denied_only_for_ones_own_id(
    own: int, outside: int, size: int, capable: bool, allowed: bool
) -> None:
    host = samples.user_host(egid=own, capabilities=CAP_SETGID if capable else 0, setgroups=allowed)
    own_alone = outside == own and size == 1
    assert setgroups_denied(host, [(0, outside, size)]) == (not allowed or (own_alone and not capable))
    assert setgroups_denied(host, None) == (not allowed)


@given(st.lists(RANGES, max_size=6))
def test_one_namespace_per_mapping(mappings: list[list[tuple[int, int, int]]]) -> None:
    maps = MountMaps()
    slots = [maps.slot(mapping, mapping, "/mounts/0") for mapping in mappings]
    texts = [map_text(mapping) for mapping in mappings]
    for one, slot in zip(texts, slots, strict=True):
        for other, other_slot in zip(texts, slots, strict=True):
            assert (one == other) == (slot == other_slot)
    assert [op.args["userns"] for op in maps.ops] == sorted(set(slots))
    assert [op.args["uid_map"] for op in maps.ops] == list(dict.fromkeys(texts))


def with_maps(uids: list[dict[str, int]], gids: list[dict[str, int]] | None = None) -> object:
    value = samples.with_namespaces(samples.config(), "user")
    value["linux"].update(uidMappings=uids, gidMappings=gids or uids)
    # group 5 is not mapped
    value["mounts"][2]["options"].remove("gid=5")
    return value


def ids(inside: int, outside: int, size: int) -> dict[str, int]:
    return {"containerID": inside, "hostID": outside, "size": size}


@pytest.mark.parametrize(
    ("uids", "gids", "capabilities", "helpers", "setgroups"),
    [
        # root writes what it likes
        ([ids(0, 100000, 65536)], None, (1 << 41) - 1, 0, ""),
        # everyone may map the own id, at the price of setgroups
        ([ids(0, 1000, 1)], None, 0, 0, "deny"),
        ([ids(0, 1000, 1), ids(1, 100000, 10)], None, 0, 1, ""),
        ([ids(0, 1000, 1)], [ids(0, 100000, 2)], 0, 1, ""),
        ([ids(0, 100000, 1)], None, 0, 1, ""),
        ([ids(0, 100000, 1)], None, CAP_SETUID | CAP_SETGID, 0, ""),
        # uids need the helper, gids do not: newgidmap maps the own id as well
        ([ids(0, 100000, 1)], [ids(0, 1000, 1)], 0, 1, "deny"),
    ],
)
def test_who_writes_the_maps(
    uids: list[dict[str, int]],
    gids: list[dict[str, int]] | None,
    capabilities: int,
    helpers: int,
    setgroups: str,
) -> None:
    plan = samples.create(with_maps(uids, gids), samples.user_host(capabilities=capabilities))
    op = samples.only(plan, "id_map")
    assert (op.args["helpers"], op.args["setgroups"]) == (helpers, setgroups)


def test_denied_setgroups_is_skipped_and_extra_groups_are_refused() -> None:
    value = with_maps([ids(0, 1000, 1)])
    plan = samples.create(value, samples.user_host())
    assert samples.only(plan, "setgroups").args["skip"] == 1
    value["process"]["user"] = {"uid": 0, "gid": 0, "additionalGids": [0]}  # type: ignore[index]
    with pytest.raises(PlanError, match=r"^process\.user\.additionalGids\[0\]: additional groups cannot"):
        samples.create(value, samples.user_host())


def test_a_namespace_without_root_is_refused() -> None:
    uids = with_maps([ids(1, 100000, 10)], [ids(0, 100000, 10)])
    uids["process"]["user"] = {"uid": 1, "gid": 1}  # type: ignore[index]
    with pytest.raises(PlanError, match=r"^linux\.uidMappings: 0 is not mapped; init needs root"):
        samples.create(uids)
    gids = with_maps([ids(0, 100000, 10)], [ids(1, 100000, 10)])
    gids["process"]["user"] = {"uid": 1, "gid": 1}  # type: ignore[index]
    with pytest.raises(PlanError, match=r"^linux\.gidMappings: 0 is not mapped"):
        samples.create(gids)


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ({"uid": 5, "gid": 0}, r"process\.user\.uid: 5 is not mapped in the user namespace"),
        ({"uid": 0, "gid": 5}, r"process\.user\.gid: 5 is not mapped in the user namespace"),
        (
            {"uid": 0, "gid": 0, "additionalGids": [1, 5]},
            r"process\.user\.additionalGids\[1\]: 5 is not mapped",
        ),
    ],
)
def test_ids_the_callers_own_namespace_lacks_are_refused(user: dict[str, object], message: str) -> None:
    value = samples.config()
    value["process"]["user"] = user
    narrow = ((0, 1000, 1), (1, 100000, 4))
    host = samples.root_host(user_namespace=True, uid_map=narrow, gid_map=narrow)
    with pytest.raises(PlanError, match=message):
        samples.create(value, host)
    assert samples.create(value)


def test_a_joined_user_namespace_decides_for_itself() -> None:
    value = samples.with_namespaces(samples.config(), ("user", "/run/pod/user"))
    value["process"]["user"] = {"uid": 70000, "gid": 70000, "additionalGids": [70001]}
    plan = samples.create(value)
    assert samples.ops(plan, "id_map", "check_id_map") == []
    value["linux"]["uidMappings"] = value["linux"]["gidMappings"] = samples.USER_NAMESPACE
    plan = samples.create(value)
    check = samples.only(plan, "check_id_map")
    assert check.args == {"uid_map": "0 100000 65536\n", "gid_map": "0 100000 65536\n"}
    before = samples.position(plan, "setns", type=0x10000000)
    assert plan.ops[before + 1] is check and plan.ops[before + 2].code == "become_root"
