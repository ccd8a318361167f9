"""Whose the container's cgroup becomes: the rules of config-linux.md, "Cgroup ownership"."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.linux.host import CgroupLayout
from runtime.plan.cgroup_owner import outside

from . import samples

V2 = CgroupLayout("v2", (), "/sys/fs/cgroup", "/", ("memory",))
V1 = CgroupLayout("v1", ((("devices",), "/sys/fs/cgroup/devices", "/"),), "")
HYBRID = CgroupLayout("hybrid", V1.v1, "/sys/fs/cgroup/unified")
WRITABLE = samples.mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw", "nosuid")


def config(entry: Any = WRITABLE, uid: int = 0) -> Any:
    value = samples.with_namespaces(samples.config(), "user", "cgroup")
    value["mounts"] = [other for other in value["mounts"] if other["destination"] != "/sys/fs/cgroup"]
    value["mounts"].append(entry)
    value["process"]["user"] = {"uid": uid, "gid": 0}
    value["linux"]["cgroupsPath"] = "/pod/c"
    return value


def owner(value: Any, layout: CgroupLayout = V2, **options: Any) -> list[tuple[str, int]]:
    plan = samples.create(value, samples.root_host(cgroup=layout), **options)
    return [(op.args["path"], op.args["uid"]) for op in samples.ops(plan, "cgroup_owner")]


def test_it_is_the_hosts_id_of_the_process() -> None:
    assert owner(config()) == [("/sys/fs/cgroup/pod/c", 100000)]
    assert owner(config(uid=1000)) == [("/sys/fs/cgroup/pod/c", 101000)]


def test_without_a_user_namespace_it_is_the_user_itself() -> None:
    value = samples.without_namespaces(config(uid=1000), "user")
    del value["linux"]["uidMappings"], value["linux"]["gidMappings"]
    assert owner(value) == [("/sys/fs/cgroup/pod/c", 1000)]
    value["process"]["user"]["uid"] = 0
    assert owner(value) == [], "it is root's already"


@pytest.mark.parametrize(
    "entry",
    [
        samples.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro"),
        samples.mount("/sys/fs/cgroup", "bind", "/sys/fs/cgroup", "rbind", "rw"),
        samples.mount("/cgroup", "cgroup", "cgroup", "rw"),
    ],
)
def test_another_mount_is_none(entry: Any) -> None:
    assert owner(config(entry)) == []


def test_not_without_a_new_cgroup_namespace() -> None:
    assert owner(samples.without_namespaces(config(), "cgroup")) == []
    assert owner(samples.with_namespaces(config(), ("cgroup", "/proc/1/ns/cgroup"))) == []


@pytest.mark.parametrize("layout", [V1, HYBRID])
def test_not_with_v1(layout: CgroupLayout) -> None:
    assert owner(config(), layout) == []


def test_not_by_a_caller_without_privilege() -> None:
    assert owner(config(), rootless=True) == []


def test_ranges() -> None:
    mapping = [(0, 1000, 1), (1, 100000, 10)]
    assert [outside(number, mapping) for number in (0, 1, 10, 11)] == [1000, 100000, 100009, None]
