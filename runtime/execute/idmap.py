"""uid and gid mappings of a user namespace, user_namespaces(7)."""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.linux import posix as os
from runtime.linux.files import read_file
from runtime.native import pidfd_send_signal, spawn_user_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.ops import Op

SIGKILL = 9


def write_id_maps(pid: int, op: Op, pointer: str) -> None:
    """Do operation ``id_map`` for process `pid`. Raises KernelError."""
    args = op.args
    if args.get("setgroups"):
        _write(f"/proc/{pid}/setgroups", args["setgroups"], pointer)
    if args.get("helpers"):
        _run_helper("newuidmap", pid, args["uid_map"], pointer)
        _run_helper("newgidmap", pid, args["gid_map"], pointer)
        return
    _write(f"/proc/{pid}/gid_map", args["gid_map"], pointer)
    _write(f"/proc/{pid}/uid_map", args["uid_map"], pointer)


def check_id_maps(pid: int, op: Op, pointer: str) -> None:
    """Do operation ``check_id_map``: process `pid` has just these maps. Raises KernelError."""
    for name in ("uid_map", "gid_map"):
        try:
            found = read_file(f"/proc/{pid}/{name}").decode()
        except OSError as err:
            raise KernelError(f"read /proc/{pid}/{name}", err.errno or 0, pointer) from None
        if op.args[name] and _sorted_map(found) != _sorted_map(op.args[name]):
            where = pointer if name == "uid_map" else pointer.replace("uidMappings", "gidMappings")
            shown = ", ".join([" ".join(line.split()) for line in found.splitlines()]) or "nothing"
            raise KernelError(
                "join the user namespace", 0, where, f"its {name} is {shown}", "leave the mappings out"
            )


def _sorted_map(text: str) -> list[list[str]]:
    return sorted([line.split() for line in text.splitlines()])


def open_user_namespace(op: Op, pointer: str) -> int:
    """A new user namespace with the mappings of `op`, held only by the descriptor returned."""
    try:
        pid, pidfd = spawn_user_namespace()
    except OSError as err:
        raise KernelError("create a user namespace for an idmapped mount", err.errno or 0, pointer) from None
    try:
        _write(f"/proc/{pid}/uid_map", op.args["uid_map"], pointer)
        _write(f"/proc/{pid}/gid_map", op.args["gid_map"], pointer)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        pidfd_send_signal(pidfd, SIGKILL)
        os.waitpid(pid, 0)
        os.close(pidfd)


def _write(path: str, text: str, pointer: str) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as err:
        shown = text.replace("\n", ", ").strip(", ")
        raise KernelError(f"write {shown!r} to {path}", err.errno or 0, pointer) from None


def _run_helper(name: str, pid: int, text: str, pointer: str) -> None:
    from runtime.execute.hooks import run_hook

    path = _find(name, pointer)
    run_hook(name, path, [name, str(pid), *text.split()], None, 30, "", pointer)


def _find(name: str, pointer: str) -> str:
    for directory in (os.environ.get("PATH") or "/usr/bin:/bin").split(":"):
        path = f"{directory}/{name}"
        if os.access(path, os.X_OK):
            return path
    raise KernelError(
        f"find {name}",
        0,
        pointer,
        "it is not on PATH",
        hint="install it (Debian: uidmap), or map one id only",
    )
