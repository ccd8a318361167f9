"""planc features"""

from __future__ import annotations

from runtime.cli.report import print_json
from runtime.cli.version import OCI_VERSION, OCI_VERSION_MIN, commit
from runtime.linux.capabilities import CAPABILITIES
from runtime.plan.mount_options import MOUNT_OPTIONS
from runtime.plan.seccomp import FLAGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cli.context import Context

HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
NAMESPACES = ("cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts")
ACTIONS = (
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
)
# a name that ends with a dot stands for all that begin with it; these change properties of the unit
UNSAFE_ANNOTATIONS = ("org.systemd.property.",)
OPERATORS = ("EQ", "GE", "GT", "LE", "LT", "MASKED_EQ", "NE")


def run(context: Context) -> int:
    """Print what this runtime can do (runtime-spec, "Features Structure")."""
    print_json(features())
    return 0


def features() -> dict[str, Any]:
    """The features object: what planc has, whether this host has it or not (but ``supportedFlags``)."""
    return {
        "ociVersionMin": OCI_VERSION_MIN,
        "ociVersionMax": OCI_VERSION,
        "hooks": list(HOOKS),
        "mountOptions": sorted(MOUNT_OPTIONS),
        "linux": {
            "namespaces": list(NAMESPACES),
            "capabilities": sorted(CAPABILITIES),
            "cgroup": {"v1": True, "v2": True, "systemd": True, "systemdUser": True, "rdma": True},
            "seccomp": seccomp_features(),
            "apparmor": {"enabled": False},
            "selinux": {"enabled": False},
            "intelRdt": {"enabled": False, "schemata": False, "monitoring": False},
            "mountExtensions": {"idmap": {"enabled": True}},
            "netDevices": {"enabled": False},
        },
        "annotations": version_annotations(),
        "potentiallyUnsafeConfigAnnotations": list(UNSAFE_ANNOTATIONS),
    }


def version_annotations() -> dict[str, str]:
    """Versions, and what engines ask every runtime about under runc's name."""
    from runtime import __version__
    from runtime.linux.probe.seccomp import library_version

    found = {
        "io.github.planc.version": __version__,
        "io.github.planc.commit": commit(),
        "org.opencontainers.runc.checkpoint.enabled": "false",
    }
    if version := library_version():
        found["io.github.seccomp.libseccomp.version"] = version
    return found


def seccomp_features() -> dict[str, Any]:
    """What libseccomp and the kernel have; "enabled" is whether its bindings are installed."""
    from runtime.errors import PlanError
    from runtime.execute.seccomp_compile import import_bindings
    from runtime.linux.probe.seccomp import kernel_flags

    try:
        bindings = import_bindings()
    except PlanError:
        return {"enabled": False}
    architectures = [name for name in dir(bindings.Arch) if name[0].isupper() and name != "NATIVE"]
    return {
        "enabled": True,
        "actions": list(ACTIONS),
        "operators": [f"SCMP_CMP_{name}" for name in OPERATORS],
        "archs": sorted(f"SCMP_ARCH_{name}" for name in architectures),
        "knownFlags": sorted(FLAGS),
        "supportedFlags": sorted(kernel_flags()),
    }
