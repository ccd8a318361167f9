"""Operations: what a plan is made of.

An operation is plain data: a code, its arguments, and the *cause*: the JSON
pointer of the config.json entry that asked for it (``/mounts/3``), or a word in
parentheses for one of planc's own defaults (``(default devices)``).

Operations of init are those of ``csrc/native.h`` (``OP_<CODE>``, ``struct
op_<code>``): same names, same fields, same order; a test walks both.  The
runtime's own never leave Python.

Kinds of arguments:
``u64``, ``i64``  int;  ``str``  str or None;  ``strv``  list of str or None;
``u64v``  list of int or None;  ``blob``  bytes, or the name of a blob that the
executor supplies;  ``slot``  the name of a descriptor, or None.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INIT_FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "sync": (),
    "oom_score_adj": (("value", "i64"),),
    "enter_cgroups": (("tasks", "strv"),),
    "dumpable": (("value", "u64"),),
    "open_tree": (
        ("tree", "slot"),
        ("source", "str"),
        ("recursive", "u64"),
        ("propagation", "u64"),
        ("userns", "slot"),
        ("userns_recursive", "u64"),
    ),
    "hold_trees": (("place", "str"),),
    "take_trees": (),
    "open_namespace": (("ns", "slot"), ("path", "str"), ("type", "u64")),
    "setns": (("ns", "slot"), ("type", "u64")),
    "unshare": (("flags", "u64"),),
    "become_root": (),
    "time_offsets": (("text", "str"),),
    "fork": (),
    "setsid": (),
    "session_keyring": (("name", "str"),),
    "loopback_up": (),
    "root_propagation": (("flags", "u64"),),
    "attach_rootfs": (("tree", "slot"), ("root", "slot"), ("path", "str"), ("parent_private", "u64")),
    "mount": (
        ("mount", "slot"),
        ("type", "str"),
        ("source", "str"),
        ("data", "str"),
        ("superflags", "str"),
        ("attrs", "u64"),
        ("target", "str"),
        ("propagation", "u64v"),
        ("copy_up", "u64"),
        ("inherit_mode", "u64"),
        ("fallback", "slot"),
    ),
    "bind": (
        ("tree", "slot"),
        ("target", "str"),
        ("attr_set", "u64"),
        ("attr_clr", "u64"),
        ("rec_set", "u64"),
        ("rec_clr", "u64"),
        ("propagation", "u64v"),
        ("must_be_procfs", "u64"),
    ),
    "set_attr": (("mount", "slot"), ("attr_set", "u64"), ("attr_clr", "u64"), ("recursive", "u64")),
    "mknod": (
        ("path", "str"),
        ("mode", "u64"),
        ("major", "u64"),
        ("minor", "u64"),
        ("uid", "u64"),
        ("gid", "u64"),
    ),
    "symlink": (("target", "str"), ("path", "str"), ("replace", "u64")),
    "hook": (
        ("path", "str"),
        ("argv", "strv"),
        ("env", "strv"),
        ("timeout", "u64"),
        ("head", "str"),
        ("tail", "str"),
    ),
    "pivot_root": (("root", "slot"),),
    "move_root": (("root", "slot"),),
    "chroot": (("root", "slot"),),
    "reopen_dev_null": (),
    "console": (
        ("socket", "slot"),
        ("width", "u64"),
        ("height", "u64"),
        ("uid", "u64"),
        ("bind_console", "u64"),
    ),
    "make_cwd": (("path", "str"),),
    "readonly_path": (("path", "str"),),
    "mask_path": (("path", "str"),),
    "sysctl": (("path", "str"), ("value", "str")),
    "hostname": (("name", "str"),),
    "domainname": (("name", "str"),),
    "umask": (("mask", "u64"),),
    "no_new_privileges": (),
    "scheduler": (
        ("policy", "u64"),
        ("flags", "u64"),
        ("nice", "i64"),
        ("priority", "u64"),
        ("runtime", "u64"),
        ("deadline", "u64"),
        ("period", "u64"),
    ),
    "io_priority": (("value", "u64"),),
    "personality": (("persona", "u64"),),
    "environment": (("env", "strv"), ("uid", "u64"), ("home", "u64")),
    "chdir": (("path", "str"), ("may_fail", "u64")),
    "bounding": (("keep", "u64"),),
    "stdio_owner": (("uid", "u64"),),
    "setgroups": (("gids", "u64v"), ("skip", "u64")),
    "setuid": (("uid", "u64"), ("gid", "u64")),
    "capset": (("effective", "u64"), ("permitted", "u64"), ("inheritable", "u64")),
    "ambient": (("mask", "u64"),),
    "seccomp": (("filter", "blob"), ("flags", "u64")),
    "find_executable": (("name", "str"),),
    "done": (),
    "wait_start": (("fifo", "slot"), ("status", "slot")),
    "exec": (("argv", "strv"),),
}

RUNTIME_FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    # the container's directory below --root, with a record that `delete --force` can act on
    "reserve_state": (("id", "str"),),
    # cgroup directories; `controllers` empty: the unified hierarchy
    "cgroup_create": (("path", "str"), ("controllers", "strv")),
    # the systemd driver: a scope around the stage, each property "Name=VALUE" in GVariant text;
    # `user` 1: of the caller's manager
    "systemd_scope": (("unit", "str"), ("user", "u64"), ("properties", "strv")),
    # a directory of the scope's, made unless systemd has; the stage may be inside
    "cgroup_adopt": (("path", "str"), ("controllers", "strv")),
    # properties of the scope that come later
    "systemd_set": (("unit", "str"), ("user", "u64"), ("properties", "strv")),
    # the stage enters the scope, as the manager's doing; `below`: which of its cgroups, "/" itself
    "systemd_attach": (("unit", "str"), ("user", "u64"), ("below", "str")),
    # one file of one controller ("" : unified), before the process is inside
    "cgroup_set": (("controller", "str"), ("file", "str"), ("value", "str")),
    # a file that must not say more than the value: a limit below what is used already
    "cgroup_check": (("controller", "str"), ("file", "str"), ("value", "str")),
    # device rules in order, each "allow c 1:3 rwm"; v1 writes files, v2 loads a BPF program
    "cgroup_devices": (("rules", "strv"),),
    # the directory, and what in it may be delegated, becomes the user's
    "cgroup_owner": (("path", "str"), ("uid", "u64")),
    # start the stage; from here operations of init may follow
    "spawn": (("keep_fds", "u64"),),
    # the stage's pid enters the cgroups
    "cgroup_join": (),
    # /proc/PID/{uid_map,gid_map,setgroups} of the stage; `setgroups` "deny" or "";
    # `helpers` 1: by newuidmap(1) and newgidmap(1)
    "id_map": (("uid_map", "str"), ("gid_map", "str"), ("setgroups", "str"), ("helpers", "u64")),
    # /proc/PID/{uid_map,gid_map} of the stage, now in a joined user namespace, must say just this
    "check_id_map": (("uid_map", "str"), ("gid_map", "str")),
    # a user namespace only for its mappings (idmapped mounts), its descriptor in a slot
    "open_user_namespace": (("userns", "slot"), ("uid_map", "str"), ("gid_map", "str")),
    # prlimit(2) on init
    "rlimit": (("resource", "str"), ("soft", "u64"), ("hard", "u64")),
    # a hook in the runtime's namespaces, OCI state on its standard input
    "run_hook": (("kind", "str"), ("path", "str"), ("argv", "strv"), ("env", "strv"), ("timeout", "u64")),
    # the record of the container as `state`, `exec` and `delete` will read it
    "save_state": (("status", "str"),),
    # listening agent of SCMP_ACT_NOTIFY
    "seccomp_listener": (("path", "str"), ("metadata", "str")),
    # init's pidfd over --pidfd-socket
    "send_pidfd": (("path", "str"),),
}


class Op:
    """One operation: ``code``, keyword ``args`` (absent ones are 0 or None), ``cause``."""

    __slots__ = ("code", "args", "cause")

    def __init__(self, code: str, cause: str, **args: Any) -> None:
        self.code = code
        self.cause = cause
        self.args = args

    @property
    def who(self) -> str:
        """``init`` (C, inside) or ``runtime`` (Python, outside)."""
        return "init" if self.code in INIT_FIELDS else "runtime"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Op):
            return NotImplemented
        return (self.code, self.args, self.cause) == (other.code, other.args, other.cause)

    def __repr__(self) -> str:
        args = "".join(f", {name}={value!r}" for name, value in self.args.items())
        return f"Op({self.code!r}, {self.cause!r}{args})"


class Plan:
    """Operations in the order in which they happen, and what else planning found.

    ``seccomp`` is the profile that the executor compiles into the blob named
    ``seccomp``; ``warnings`` are lines for a person.
    """

    __slots__ = ("ops", "seccomp", "warnings")

    def __init__(self, ops: list[Op], seccomp: Any = None, warnings: list[str] | None = None) -> None:
        self.ops = ops
        self.seccomp = seccomp
        self.warnings = warnings or []
