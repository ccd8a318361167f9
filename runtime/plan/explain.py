"""A plan for people: text lines, JSON, and one phrase per operation. Never needed to carry it out."""

from __future__ import annotations

from runtime.linux.capabilities import capability_names
from runtime.linux.constants import (
    CLONE_FLAGS,
    IOPRIO_CLASS_SHIFT,
    IOPRIO_CLASSES,
    MOUNT_ATTRS,
    PROPAGATION,
    SCHED_FLAGS,
    SCHED_POLICIES,
)
from runtime.linux.json import dumps
from runtime.plan.ops import INIT_FIELDS, RUNTIME_FIELDS
from runtime.plan.seccomp import FLAGS, NEW_LISTENER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.plan.ops import Op, Plan

_SECCOMP_FLAGS = {**FLAGS, "SECCOMP_FILTER_FLAG_NEW_LISTENER": NEW_LISTENER}
_FILE_TYPES = {0o020000: "S_IFCHR", 0o060000: "S_IFBLK", 0o010000: "S_IFIFO"}
_UNLIMITED = 2**64 - 1


def explain_lines(plan: Plan) -> list[str]:
    """One line per operation: index, who does it, operation, arguments, and behind # the cause."""
    rows = [(str(index), op.who, op.code, _arguments(op), op.cause) for index, op in enumerate(plan.ops)]
    widths = [max([len(row[column]) for row in rows], default=0) for column in range(3)]
    return [
        f"{index:>{widths[0]}}  {who:<{widths[1]}}  {f'{code:<{widths[2]}}  {arguments}'.rstrip()}  # {cause}"
        for index, who, code, arguments, cause in rows
    ]


def explain_line(index: int, op: Op) -> str:
    """The line of one operation alone, as `create --debug` writes it while it goes."""
    return f"{index:>3}  {op.who:<7}  {f'{op.code} {_arguments(op)}'.rstrip()}  # {op.cause}"


def explain_json(plan: Plan) -> list[dict[str, Any]]:
    """One object per operation: index, who, op, args (numbers as the kernel gets them), text, cause."""
    return [
        {
            "index": index,
            "who": op.who,
            "op": op.code,
            "args": {name: op.args.get(name) for name, _ in fields_of(op)},
            "text": describe(op),
            "cause": op.cause,
        }
        for index, op in enumerate(plan.ops)
    ]


def fields_of(op: Op) -> tuple[tuple[str, str], ...]:
    """Names and kinds of the operation's arguments, in order."""
    return INIT_FIELDS[op.code] if op.code in INIT_FIELDS else RUNTIME_FIELDS[op.code]


def describe(op: Op) -> str:
    """What the operation does, as a phrase for errors: "mount tmpfs on /run/lock"."""
    phrase = _PHRASES.get(op.code)
    if phrase is None:
        return f"{op.code.replace('_', ' ')} {_arguments(op)}".rstrip()
    shown = {name: _plain(op, name) for name, _ in fields_of(op)}
    return phrase.format(**shown)


# Arguments


def flag_names(value: int, table: dict[str, int]) -> str:
    """ "MS_REC|MS_SLAVE"; bits without a name in hexadecimal at the end."""
    names = []
    for name, bits in table.items():
        if bits and value & bits == bits:
            names.append(name)
            value &= ~bits
    if value or not names:
        names.append(hex(value) if value else "0")
    return "|".join(names)


def _clone(value: int) -> str:
    return flag_names(value, CLONE_FLAGS)


def _attributes(value: int) -> str:
    return flag_names(value, MOUNT_ATTRS)


def _propagation(value: int) -> str:
    return flag_names(value, PROPAGATION)


def _mode(value: int) -> str:
    return f"{_FILE_TYPES.get(value & 0o170000, oct(value & 0o170000))}|{value & 0o7777:04o}"


def _capabilities(value: int) -> str:
    return ",".join(capability_names(value)) or "none"


def _policy(value: int) -> str:
    return next((name for name, number in SCHED_POLICIES.items() if number == value), str(value))


def _io_priority(value: int) -> str:
    kind = value >> IOPRIO_CLASS_SHIFT
    name = next((name for name, number in IOPRIO_CLASSES.items() if number == kind), str(kind))
    return f"{name}:{value & (1 << IOPRIO_CLASS_SHIFT) - 1}"


def _limit(value: int) -> str:
    return "unlimited" if value == _UNLIMITED else str(value)


_SPELLED: dict[tuple[str, str], Callable[[int], str]] = {
    ("unshare", "flags"): _clone,
    ("setns", "type"): _clone,
    ("open_namespace", "type"): _clone,
    ("open_tree", "propagation"): _propagation,
    ("root_propagation", "flags"): _propagation,
    ("mount", "propagation"): _propagation,
    ("bind", "propagation"): _propagation,
    ("mount", "attrs"): _attributes,
    ("bind", "attr_set"): _attributes,
    ("bind", "attr_clr"): _attributes,
    ("bind", "rec_set"): _attributes,
    ("bind", "rec_clr"): _attributes,
    ("set_attr", "attr_set"): _attributes,
    ("set_attr", "attr_clr"): _attributes,
    ("mknod", "mode"): _mode,
    ("umask", "mask"): lambda value: f"{value:04o}",
    ("personality", "persona"): hex,
    ("bounding", "keep"): _capabilities,
    ("capset", "effective"): _capabilities,
    ("capset", "permitted"): _capabilities,
    ("capset", "inheritable"): _capabilities,
    ("ambient", "mask"): _capabilities,
    ("scheduler", "policy"): _policy,
    ("scheduler", "flags"): lambda value: flag_names(value, SCHED_FLAGS),
    ("io_priority", "value"): _io_priority,
    ("seccomp", "flags"): lambda value: flag_names(value, _SECCOMP_FLAGS),
    ("rlimit", "soft"): _limit,
    ("rlimit", "hard"): _limit,
}

# arguments that say something when they are 0, too
_ALWAYS = {
    ("oom_score_adj", "value"),
    ("dumpable", "value"),
    ("mknod", "major"),
    ("mknod", "minor"),
    ("umask", "mask"),
    ("stdio_owner", "uid"),
    ("setgroups", "gids"),
    ("setuid", "uid"),
    ("setuid", "gid"),
    ("console", "uid"),
    ("environment", "env"),
    ("bounding", "keep"),
    ("capset", "effective"),
    ("capset", "permitted"),
    ("capset", "inheritable"),
    ("scheduler", "policy"),
    ("personality", "persona"),
    ("rlimit", "soft"),
    ("rlimit", "hard"),
    ("cgroup_set", "value"),
    ("sysctl", "value"),
    ("hook", "env"),
    ("cgroup_devices", "rules"),
}


def _arguments(op: Op) -> str:
    """ "type=tmpfs target=/dev attrs=MOUNT_ATTR_NOSUID", without what is absent or 0."""
    shown = []
    for name, _ in fields_of(op):
        value = op.args.get(name)
        if value or (value is not None and (op.code, name) in _ALWAYS):
            shown.append(f"{name}={_value(op, name, value)}")
    return " ".join(shown)


def _plain(op: Op, name: str) -> str:
    """An argument for a phrase: text as it is."""
    value = op.args.get(name)
    return value if isinstance(value, str) else _value(op, name, value or 0)


def _value(op: Op, name: str, value: Any) -> str:
    spell = _SPELLED.get((op.code, name))
    if isinstance(value, list):
        if spell:
            return ",".join([spell(item) for item in value])
        return dumps(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, str):
        return (
            value if value.isprintable() and value and " " not in value and '"' not in value else dumps(value)
        )
    return spell(value) if spell else str(value)


_PHRASES = {
    "oom_score_adj": "set oom_score_adj to {value}",
    "open_tree": "open the mount tree of {source}",
    "hold_trees": "hold the mount trees on {place}",
    "take_trees": "take the mount trees back",
    "open_namespace": "open namespace {path}",
    "setns": "join {type}",
    "unshare": "unshare {flags}",
    "become_root": "become root of the user namespace",
    "time_offsets": "write /proc/self/timens_offsets",
    "fork": "fork init",
    "session_keyring": "join session keyring {name}",
    "loopback_up": "bring lo up",
    "root_propagation": "make / {flags}",
    "attach_rootfs": "attach the root file system {path}",
    "mount": "mount {type} on {target}",
    "bind": "bind {tree} on {target}",
    "set_attr": "set {attr_set}, clear {attr_clr} on {mount}",
    "mknod": "mknod {path}",
    "symlink": "symlink {path} to {target}",
    "hook": "hook {path}",
    "pivot_root": "pivot_root into the root file system",
    "move_root": "move the root file system to /",
    "chroot": "chroot into the root file system",
    "reopen_dev_null": "reopen /dev/null",
    "console": "set up the console",
    "make_cwd": "make the working directory {path}",
    "readonly_path": "make {path} read-only",
    "mask_path": "mask {path}",
    "sysctl": "write {value} to /proc/sys/{path}",
    "hostname": "set hostname {name}",
    "domainname": "set domainname {name}",
    "umask": "set umask {mask}",
    "no_new_privileges": "set no_new_privs",
    "scheduler": "set scheduler {policy}",
    "io_priority": "set I/O priority {value}",
    "personality": "set personality {persona}",
    "environment": "set the environment",
    "chdir": "chdir to {path}",
    "bounding": "drop from the bounding set all but {keep}",
    "stdio_owner": "make uid {uid} the owner of descriptors 0-2",
    "setgroups": "set additional groups {gids}",
    "setuid": "become {uid}:{gid}",
    "capset": "set capabilities",
    "ambient": "raise ambient {mask}",
    "seccomp": "load the seccomp filter",
    "find_executable": "find {name}",
    "done": "report that the container is ready",
    "wait_start": "wait for start",
    "exec": "exec {argv}",
    "reserve_state": "reserve the state of {id}",
    "cgroup_create": "create cgroup {path}",
    "cgroup_adopt": "take cgroup {path}",
    "cgroup_set": "write {value} to {file}",
    "cgroup_devices": "set the device rules",
    "cgroup_owner": "give cgroup {path} to user {uid}",
    "spawn": "start the stage",
    "systemd_scope": "start unit {unit}",
    "systemd_set": "set properties of unit {unit}",
    "systemd_attach": "attach the stage to unit {unit}",
    "cgroup_join": "join the cgroups",
    "enter_cgroups": "enter the cgroups",
    "id_map": "map ids",
    "check_id_map": "compare the id mappings",
    "open_user_namespace": "make a user namespace for id-mapped mounts",
    "rlimit": "set {resource} to {soft}:{hard}",
    "run_hook": "{kind} hook {path}",
    "save_state": "save the state: {status}",
    "seccomp_listener": "connect to the seccomp agent {path}",
    "send_pidfd": "send the pidfd to {path}",
}
