"""Device nodes, and the links of /dev."""

from typing import Any

import pytest

from runtime.plan.devices import DEFAULT_DEVICES

from . import samples

CAP_MKNOD = 27
DEFAULT_PATHS = [path for path, _, _ in DEFAULT_DEVICES]
FUSE = {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}


def with_devices(*devices: Any) -> Any:
    value = samples.config()
    value["linux"]["devices"] = list(devices)
    return value


def test_the_defaults() -> None:
    plan = samples.create(samples.config())
    nodes = samples.ops(plan, "mknod")
    assert [op.args["path"] for op in nodes] == DEFAULT_PATHS
    assert {op.args["mode"] for op in nodes} == {0o020666}
    assert {op.cause for op in nodes} == {"(default devices)"}


@pytest.mark.parametrize(
    ("device", "mode"),
    [
        ({**FUSE}, 0o020666),
        ({**FUSE, "fileMode": 0o600}, 0o020600),
        # Docker and Podman leave the type in
        ({**FUSE, "fileMode": 0o020640}, 0o020640),
        ({**FUSE, "type": "u"}, 0o020666),
        ({**FUSE, "type": "b"}, 0o060666),
        ({"path": "/dev/fuse", "type": "p"}, 0o010666),
    ],
)
def test_types_and_modes(device: Any, mode: int) -> None:
    plan = samples.create(with_devices(device))
    node = samples.ops(plan, "mknod")[-1]
    assert (node.args["path"], node.args["mode"]) == ("/dev/fuse", mode)
    assert node.cause == "/linux/devices/0"


def test_config_replaces_a_default() -> None:
    null = {"path": "/dev//null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600, "uid": 1, "gid": 2}
    nodes = {op.args["path"]: op.args for op in samples.ops(samples.create(with_devices(null)), "mknod")}
    assert list(nodes) == DEFAULT_PATHS
    assert nodes["/dev/null"]["mode"] == 0o020600
    assert (nodes["/dev/null"]["uid"], nodes["/dev/null"]["gid"]) == (1, 2)


def test_ptmx_is_always_the_devpts_own() -> None:
    plan = samples.create(with_devices({"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2}))
    assert "/dev/ptmx" not in [op.args["path"] for op in samples.ops(plan, "mknod")]
    links = {op.args["path"]: op.args for op in samples.ops(plan, "symlink")}
    assert links["/dev/ptmx"] == {"target": "pts/ptmx", "path": "/dev/ptmx", "replace": 1}


@pytest.mark.parametrize("kcore", [True, False])
def test_links(kcore: bool) -> None:
    plan = samples.create(samples.config(), samples.root_host(kcore=kcore))
    links = [op.args["path"] for op in samples.ops(plan, "symlink")]
    core = ["/dev/core"] if kcore else []
    assert links == ["/dev/ptmx", "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", *core]


def cases() -> list[tuple[Any, Any]]:
    no_mknod = (1 << 41) - 1 & ~(1 << CAP_MKNOD)
    plain = with_devices(FUSE, {"path": "/run/f", "type": "p"})
    return [
        (
            samples.with_namespaces(with_devices(FUSE, {"path": "/run/f", "type": "p"}), "user"),
            samples.root_host(),
        ),
        (plain, samples.root_host(capabilities=no_mknod)),
        (plain, samples.root_host(user_namespace=True)),
    ]


@pytest.mark.parametrize(("value", "host"), cases())
def test_without_mknod_the_callers_nodes_are_bound(value: Any, host: Any) -> None:
    plan = samples.create(value, host)
    paths = [*DEFAULT_PATHS, "/dev/fuse"]
    bound = [op for op in samples.ops(plan, "bind") if op.args["tree"].startswith("devices[")]
    assert [op.args["target"] for op in bound] == paths
    opened = {op.args["tree"]: op.args["source"] for op in samples.ops(plan, "open_tree")}
    assert [opened[op.args["tree"]] for op in bound] == paths
    # a FIFO needs no right
    assert samples.only(plan, "mknod").args["path"] == "/run/f"


def test_a_dev_of_the_configs_own_is_left_alone() -> None:
    value = with_devices(FUSE)
    value["mounts"] = [samples.mount("/dev/", None, "/dev", "rbind")]
    for plan in (samples.create(value), samples.create(samples.with_namespaces(value, "user"))):
        assert samples.ops(plan, "mknod", "symlink", "reopen_dev_null") == []
        assert [op.args["target"] for op in samples.ops(plan, "bind")] == ["/dev"]
        assert [op.args["source"] for op in samples.ops(plan, "open_tree")] == ["/bundle/rootfs", "/dev"]
