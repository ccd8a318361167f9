"""The config that `planc spec` writes."""

import json

from runtime.spec.decode import decode_spec
from runtime.spec.template import default_config, render
from runtime.spec.validate import validate

from .test_schema import validator


def kinds(config: dict[str, object]) -> list[str]:
    spec, _ = decode_spec(config)
    assert spec.linux is not None and spec.linux.namespaces is not None
    return [namespace.type for namespace in spec.linux.namespaces]


def test_it_is_valid() -> None:
    for rootless in (False, True):
        for cgroup_v2 in (False, True):
            config = default_config(rootless, cgroup_v2, 1000, 100)
            assert list(validator().iter_errors(config)) == []
            spec, problems = decode_spec(config)
            assert problems + validate(spec, rootless=rootless) == []
            assert spec.warnings == []


def test_the_container() -> None:
    config = default_config()
    assert config["ociVersion"] == "1.3.0"
    assert config["root"] == {"path": "rootfs", "readonly": True}
    assert config["hostname"] == "planc"
    process = config["process"]
    assert process["terminal"] is True
    assert process["args"] == ["sh"]
    assert process["cwd"] == "/"
    assert process["noNewPrivileges"] is True
    assert process["rlimits"] == [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]
    caps = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    assert process["capabilities"] == {"bounding": caps, "effective": caps, "permitted": caps}
    assert [mount["destination"] for mount in config["mounts"]] == [
        "/proc",
        "/dev",
        "/dev/pts",
        "/dev/shm",
        "/dev/mqueue",
        "/sys",
        "/sys/fs/cgroup",
    ]
    assert config["linux"]["resources"] == {"devices": [{"allow": False, "access": "rwm"}]}
    assert kinds(config) == ["pid", "network", "ipc", "uts", "mount"]
    assert kinds(default_config(cgroup_v2=True)) == ["pid", "network", "ipc", "uts", "mount", "cgroup"]


def test_rootless() -> None:
    config = default_config(rootless=True, uid=1000, gid=100)
    assert kinds(config) == ["pid", "ipc", "uts", "mount", "user"]
    linux = config["linux"]
    assert linux["uidMappings"] == [{"containerID": 0, "hostID": 1000, "size": 1}]
    assert linux["gidMappings"] == [{"containerID": 0, "hostID": 100, "size": 1}]
    assert "resources" not in linux
    mounts = {mount["destination"]: mount for mount in config["mounts"]}
    assert mounts["/sys"]["options"] == ["rbind", "nosuid", "noexec", "nodev", "ro"]
    assert (mounts["/sys"]["type"], mounts["/sys"]["source"]) == ("none", "/sys")
    assert "gid=5" not in mounts["/dev/pts"]["options"]
    assert "gid=5" in {m["destination"]: m for m in default_config()["mounts"]}["/dev/pts"]["options"]


def test_no_two_configs_share_anything() -> None:
    first = default_config()
    first["linux"]["maskedPaths"].clear()
    first["process"]["capabilities"]["bounding"].clear()
    assert default_config()["linux"]["maskedPaths"]
    assert default_config()["process"]["capabilities"]["effective"]


def test_the_text() -> None:
    text = render(default_config())
    assert text.startswith('{\n\t"ociVersion": "1.3.0",\n\t"process": {\n\t\t"terminal": true,\n')
    assert text == json.dumps(default_config(), indent="\t")
