"""features: what the runtime says it can do (features.md, features-linux.md)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from . import unprivileged
from .harness import Runtime
from .test_capabilities import NUMBERS

OLD_RUNC = pytest.mark.old_runc_lacks("features of this completeness")

HOOKS = {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
NAMESPACES = {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"}
MOUNT_OPTIONS = [
    "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion", "lazytime",
    "loud", "noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "norelatime",
    "nostrictatime", "nosuid", "nosymfollow", "private", "ratime", "rbind", "rdev", "rdiratime",
    "relatime", "remount", "rexec", "rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnorelatime",
    "rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared",
    "rslave", "rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw", "shared", "silent", "slave",
    "strictatime", "suid", "symfollow", "sync", "tmpcopyup", "unbindable", "idmap", "ridmap",
]  # fmt: skip
ACTIONS = {
    "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
}  # fmt: skip
OPERATORS = {
    "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE",
}  # fmt: skip


SCHEMAS = Path(__file__).parents[1] / "data" / "oci-spec"


@pytest.fixture
def features(runtime: Runtime) -> dict[str, Any]:
    found = runtime.call("features").json()
    assert isinstance(found, dict)
    return found


def test_schema(features: dict[str, Any]) -> None:
    registry = Registry().with_resources(
        (path.name, Resource(json.loads(path.read_text()), DRAFT4)) for path in SCHEMAS.glob("*.json")
    )
    schema = json.loads((SCHEMAS / "features-schema.json").read_text())
    assert list(Draft4Validator(schema, registry=registry).iter_errors(features)) == []


@OLD_RUNC
@pytest.mark.planc_only("every section of the specification")
def test_every_section_is_there(features: dict[str, Any]) -> None:
    """Those of the schema; nothing is left for the reader to guess."""
    top = json.loads((SCHEMAS / "features-schema.json").read_text())["properties"]
    assert set(features) == set(top)
    linux = json.loads((SCHEMAS / "features-linux.json").read_text())["linux"]["properties"]
    assert set(features["linux"]) >= set(linux)
    for name, section in linux.items():
        if name != "seccomp" or features["linux"]["seccomp"]["enabled"]:
            assert set(features["linux"][name]) >= set(section.get("properties", {})), name


@OLD_RUNC
def test_versions(features: dict[str, Any]) -> None:
    assert features["ociVersionMin"].startswith("1.0")
    assert features["ociVersionMax"].split(".")[:2] >= ["1", "1"]


def test_hooks(features: dict[str, Any]) -> None:
    assert set(features["hooks"]) == HOOKS


@OLD_RUNC
def test_mount_options(features: dict[str, Any]) -> None:
    assert set(MOUNT_OPTIONS) <= set(features["mountOptions"])


@OLD_RUNC
def test_namespaces(features: dict[str, Any]) -> None:
    assert set(features["linux"]["namespaces"]) == NAMESPACES


def test_capabilities(features: dict[str, Any]) -> None:
    assert set(NUMBERS) <= set(features["linux"]["capabilities"])


def test_cgroup(features: dict[str, Any]) -> None:
    found = features["linux"]["cgroup"]
    assert found["v1"] is True and found["v2"] is True
    assert isinstance(found["systemd"], bool) and isinstance(found["systemdUser"], bool)


@OLD_RUNC
def test_seccomp(features: dict[str, Any]) -> None:
    found = features["linux"]["seccomp"]
    assert found["enabled"] is True
    assert set(found["actions"]) == ACTIONS
    assert set(found["operators"]) == OPERATORS
    assert {"SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_X86"} <= set(found["archs"])
    assert "SECCOMP_FILTER_FLAG_LOG" in found["knownFlags"]
    assert set(found["supportedFlags"]) <= set(found["knownFlags"])


@pytest.mark.planc_only("versions beside runc's own")
def test_seccomp_flags_of_this_kernel(features: dict[str, Any]) -> None:
    """WAIT_KILLABLE_RECV came with Linux 5.19, the others are older."""
    release = tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2])
    supported = set(features["linux"]["seccomp"]["supportedFlags"])
    wanted = {f"SECCOMP_FILTER_FLAG_{name}" for name in ("LOG", "SPEC_ALLOW", "TSYNC")}
    assert supported - {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"} == wanted
    assert ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" in supported) is (release >= (5, 19))
    assert features["annotations"]["io.github.seccomp.libseccomp.version"].startswith("2.")


@pytest.mark.planc_only("the systemd driver's annotations by this name")
def test_unsafe_annotations(features: dict[str, Any]) -> None:
    """What changes the unit on the host must not come from an image."""
    assert "org.systemd.property." in features["potentiallyUnsafeConfigAnnotations"]


@pytest.mark.parametrize("name", ["apparmor", "selinux", pytest.param("intelRdt", marks=OLD_RUNC)])
def test_others_say_whether_they_are_there(features: dict[str, Any], name: str) -> None:
    assert isinstance(features["linux"][name]["enabled"], bool)


@OLD_RUNC
def test_idmap(features: dict[str, Any]) -> None:
    assert features["linux"]["mountExtensions"]["idmap"]["enabled"] is True


def test_annotations_are_strings(features: dict[str, Any]) -> None:
    assert all(isinstance(value, str) for value in features["annotations"].values())


def test_checkpoint_annotation(features: dict[str, Any]) -> None:
    """Engines read it from every runtime."""
    assert features["annotations"].get("org.opencontainers.runc.checkpoint.enabled") in (
        "true",
        "false",
        None,
    )


def test_works_for_anybody(runtime: Runtime) -> None:
    assert runtime.call("features", user=unprivileged.UID).json()["hooks"]


def test_takes_no_arguments(runtime: Runtime) -> None:
    runtime.call("features", "extra").failed()
