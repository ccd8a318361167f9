"""What the command line adds to config.json, as planning wants it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.plan.cgroup import Cgroup
    from runtime.spec.model import Spec


class _Options:
    """A record with defaults: keyword arguments only, an unknown one is a TypeError."""

    __slots__: tuple[str, ...] = ()
    DEFAULTS: dict[str, Any] = {}

    def __init__(self, **values: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, values.pop(name, self.DEFAULTS.get(name)))
        if values:
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(values))}")

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__slots__])
        return f"{type(self).__name__}({shown})"


class CreateOptions(_Options):
    """Options of `create` and `run`.

    id                 the container's
    no_pivot           MS_MOVE and chroot instead of pivot_root
    no_new_keyring     keep the caller's session keyring
    keep_fds           descriptors 3 .. 3+keep_fds-1 go to the container: listen_fds and then
                       --preserve-fds
    listen_fds         the first so many are socket-activation sockets, sd_listen_fds(3)
    notify_socket_dir  host directory with notify.sock in it, to appear as /run/notify; "" none
    pidfd_socket       path of the socket that gets init's pidfd; "" none
    rootless           missing permission for cgroups is no failure (`--rootless`)
    """

    __slots__ = (
        "id", "no_pivot", "no_new_keyring", "keep_fds", "listen_fds",
        "notify_socket_dir", "pidfd_socket", "rootless",
    )  # fmt: skip
    DEFAULTS = {
        "id": "",
        "no_pivot": False,
        "no_new_keyring": False,
        "keep_fds": 0,
        "listen_fds": 0,
        "notify_socket_dir": "",
        "pidfd_socket": "",
        "rootless": False,
    }
    id: str
    no_pivot: bool
    no_new_keyring: bool
    keep_fds: int
    listen_fds: int
    notify_socket_dir: str
    pidfd_socket: str
    rootless: bool


class ExecOptions(_Options):
    """Options of `exec`; the names mean what they mean in :class:`CreateOptions`."""

    __slots__ = ("no_new_keyring", "keep_fds", "pidfd_socket")
    DEFAULTS = {"no_new_keyring": False, "keep_fds": 0, "pidfd_socket": ""}
    no_new_keyring: bool
    keep_fds: int
    pidfd_socket: str


class ExecTarget(_Options):
    """The running container that `exec` enters, as far as planning must know it.

    id        the container's
    spec      its config as it was at create: `linux` (namespaces, mappings, seccomp, personality) is
              what counts
    cgroups   the directories that the process enters
    rootless  the runtime may lack permission for some of them
    frozen    a process born in them would stand still, and planc with it: the runtime moves it in
    unit      the scope of the caller's systemd manager that the process enters, "" for none

    The executor supplies the slots ``pidfd`` (of the container's init), ``console`` (with a
    terminal) and, for a container without a mount namespace of its own, ``root`` (its root directory).
    """

    __slots__ = ("id", "spec", "cgroups", "rootless", "frozen", "unit")
    DEFAULTS = {"cgroups": (), "rootless": False, "frozen": False, "unit": ""}
    id: str
    spec: Spec
    cgroups: list[Cgroup]
    rootless: bool
    frozen: bool
    unit: str
