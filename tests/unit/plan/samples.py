"""Hosts, configs and plans for the tests of planning; nothing here depends on the machine."""

import json
from typing import Any

from runtime.linux.host import CgroupLayout, Host
from runtime.plan.compile import compile_create, compile_exec
from runtime.plan.ops import Op, Plan
from runtime.plan.options import CreateOptions, ExecOptions, ExecTarget
from runtime.spec.decode import decode_spec
from runtime.spec.model import Process, Spec
from runtime.spec.template import default_config
from runtime.spec.validate import validate

BUNDLE = "/bundle"
ROOTFS = "/bundle/rootfs"
SYS_ADMIN = 21


def root_host(**changes: Any) -> Host:
    """Root of a machine with cgroup v2."""
    return Host(**{"cgroup": CgroupLayout(controllers=("cpu", "memory", "pids")), **changes})


def user_host(**changes: Any) -> Host:
    """User 1000 of the same machine, with nothing special."""
    return root_host(**{"euid": 1000, "egid": 1000, "capabilities": 0, **changes})


def config(**changes: Any) -> Any:
    """The default config, with a mount of /sys/fs/cgroup left out; `changes` replace whole members."""
    value = json.loads(json.dumps(default_config()))
    value["mounts"] = [mount for mount in value["mounts"] if mount["type"] != "cgroup"]
    value["process"]["terminal"] = False
    value.update(changes)
    return value


def decode(value: Any) -> Spec:
    """A valid config as Spec; a test that gives an invalid one is wrong."""
    spec, problems = decode_spec(json.loads(json.dumps(value)))
    assert problems == [] and validate(spec) == []
    return spec


def create(value: Any, host: Host | None = None, **options: Any) -> Plan:
    """The plan of `create`."""
    return compile_create(
        decode(value), BUNDLE, ROOTFS, host or root_host(), CreateOptions(**{"id": "demo", **options})
    )


def exec_(value: Any, process: Process | None = None, host: Host | None = None, **options: Any) -> Plan:
    """The plan of `exec` in a container made from the config; its own process when none is given."""
    spec = decode(value)
    target = ExecTarget(id="demo", spec=spec)
    return compile_exec(process or spec.process, target, host or root_host(), ExecOptions(**options))


def ops(plan: Plan, *codes: str) -> list[Op]:
    """The operations with one of the codes, in order."""
    return [op for op in plan.ops if op.code in codes]


def only(plan: Plan, code: str) -> Op:
    """The one operation with the code."""
    (op,) = ops(plan, code)
    return op


def position(plan: Plan, code: str, **args: Any) -> int:
    """Where the one operation with the code, and with these arguments, stands."""
    (index,) = [
        index
        for index, op in enumerate(plan.ops)
        if op.code == code and all(op.args.get(name) == value for name, value in args.items())
    ]
    return index


def mount(destination: str, kind: str | None, source: str, *options: str, **more: Any) -> dict[str, Any]:
    """An entry of `mounts`."""
    entry = {"destination": destination, "source": source, "options": list(options), **more}
    return entry if kind is None else {**entry, "type": kind}


USER_NAMESPACE = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def with_namespaces(value: Any, *namespaces: Any) -> Any:
    """The config with more namespaces: types, or (type, path)."""
    for entry in namespaces:
        kind, path = (entry, None) if isinstance(entry, str) else entry
        listed = [other for other in value["linux"]["namespaces"] if other["type"] != kind]
        value["linux"]["namespaces"] = [*listed, {"type": kind, "path": path} if path else {"type": kind}]
        if kind == "user" and not path:
            value["linux"]["uidMappings"] = value["linux"]["gidMappings"] = USER_NAMESPACE
    return value


def without_namespaces(value: Any, *kinds: str) -> Any:
    listed = value["linux"]["namespaces"]
    value["linux"]["namespaces"] = [entry for entry in listed if entry["type"] not in kinds]
    return value
