"""Where containers are kept when --root does not say."""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.files import read_file


def default_root() -> str:
    """/run/planc, or $XDG_RUNTIME_DIR/planc for a user without rights over /run."""
    runtime_dir = os.environ.get("XDG_RUNTIME_DIR")
    if runtime_dir and _is_rootless():
        return f"{runtime_dir}/planc"
    return "/run/planc"


def _is_rootless() -> bool:
    if os.geteuid() != 0:
        return True
    # root inside a user namespace, as Podman makes one for a user: it may even come without USER
    return in_user_namespace() and os.environ.get("USER") != "root"


def in_user_namespace() -> bool:
    """Whether the caller is in another user namespace than the initial one."""
    try:
        return read_file("/proc/self/uid_map").split() != [b"0", b"0", b"4294967295"]
    except OSError:
        return False
