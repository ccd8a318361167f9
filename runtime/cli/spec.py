"""planc spec"""

from __future__ import annotations

from runtime.errors import KernelError, UsageError
from runtime.linux import posix as os
from runtime.linux.host import read_host
from runtime.spec.template import default_config, render

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context


def run(context: Context) -> int:
    """Write config.json into the bundle; an existing one is left alone."""
    path = os.path.join(context.options["bundle"] or ".", "config.json")
    rootless: bool = context.options["rootless"]
    cgroup_v2 = read_host().cgroup.mode == "v2"
    text = render(default_config(rootless=rootless, cgroup_v2=cgroup_v2, uid=os.geteuid(), gid=os.getegid()))
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except FileExistsError:
        raise UsageError(f"{path} exists already", hint="remove it first, or give another --bundle") from None
    except OSError as err:
        raise KernelError(f"write {path}", err.errno or 0) from None
    return 0
