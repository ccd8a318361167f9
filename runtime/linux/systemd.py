"""What planning must know of systemd, asked over D-Bus: see ``runtime.linux.host.Systemd``."""

from __future__ import annotations

from runtime.errors import PlancError
from runtime.linux import posix as os
from runtime.linux.host import Systemd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.linux.systemd_bus import Bus

#: sd_booted(3): there where systemd is the system's first process
BOOTED = "/run/systemd/system"

_buses: dict[bool, Bus] = {}


def read_systemd(user: bool) -> Systemd:
    """The system's manager, or the manager of the calling `user`.

    Raises PlancError: no systemd, no bus, no jeepney.
    """
    bus = connect(user)
    return Systemd(version_number(bus.get("Version")), user, bus.get("ControlGroup"))


def connect(user: bool) -> Bus:
    """The connection to the manager: made once, then kept. Raises PlancError."""
    if user not in _buses:
        _buses[user] = _connect(user)
    return _buses[user]


def disconnect() -> None:
    """Forget the connections: one that failed, say."""
    for bus in _buses.values():
        bus.socket.close()
    _buses.clear()


def has_user_manager() -> bool:
    """Whether the environment, or its usual place, names a bus of the calling user's."""
    if os.environ.get("DBUS_SESSION_BUS_ADDRESS") or os.environ.get("XDG_RUNTIME_DIR"):
        return True
    return os.path.exists(f"/run/user/{os.geteuid()}/bus")


def version_number(text: str) -> int:
    """252 of "252.39-1~deb12u1", "v252" or "252~rc1"; 0 when it begins with no number."""
    digits = ""
    for char in text.lstrip('"v'):
        if not char.isdigit():
            break
        digits += char
    return int(digits or "0")


def _connect(user: bool) -> Bus:
    if not os.path.isdir(BOOTED):
        raise PlancError(
            f"--systemd-cgroup: this host has not been booted with systemd: there is no {BOOTED}",
            "leave the option out (Docker: native.cgroupdriver=cgroupfs, Podman: --cgroup-manager=cgroupfs)",
        )
    from runtime.linux.systemd_bus import BusError, connections, reason, unreachable

    failures: list[str] = []
    try:
        for bus in connections(user, failures):
            try:
                # a session bus need not have a systemd on it
                bus.get("Version")
                return bus
            except (BusError, OSError) as err:
                failures.append(err.text if isinstance(err, BusError) else reason(err))
                bus.socket.close()
    except ImportError:
        raise PlancError(
            "--systemd-cgroup: Python's module jeepney is not there",
            "install it (Debian: python3-jeepney; pip: jeepney)",
        ) from None
    raise unreachable(user, failures)
