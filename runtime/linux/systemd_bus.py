"""D-Bus to a systemd manager: one connection, method calls, signals; every wait has an end.

jeepney writes and reads the messages (no other part of planc needs D-Bus, so it is imported here and
when it is needed only). Sources: the D-Bus specification ("Authentication Protocol", "Server
Addresses"), org.freedesktop.systemd1(5).
"""

from __future__ import annotations

import _socket
import select
import time

from runtime.errors import PlancError
from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

DESTINATION = "org.freedesktop.systemd1"
MANAGER_PATH = "/org/freedesktop/systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"
PROPERTIES = "org.freedesktop.DBus.Properties"

#: the message bus itself: path, interface, name
BUS = ("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")

SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
#: systemd's own sockets, without a bus between: for root, and for the user of the manager
SYSTEM_PRIVATE = "/run/systemd/private"
USER_PRIVATE = "systemd/private"

CONNECT_TIMEOUT = 5.0
ETIMEDOUT = 110
#: the time that D-Bus libraries give a method, too
CALL_TIMEOUT = 25.0


class BusError(Exception):
    """An error that the other side answered with: its D-Bus name, its text."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(name, text)
        self.name = name
        self.text = text

    def is_a(self, *names: str) -> bool:
        """Whether the last part of the name is one of these (`UnitExists`)."""
        return self.name.rpartition(".")[2] in names


def _readable(fd: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


class Bus:
    """A connection to a manager, directly or over a message bus.

    `wait(fd, seconds)` waits for signals: until `fd` can be read, and tells whether it can. Who can be
    interrupted while a job runs puts another function there.
    """

    def __init__(self, socket: _socket.socket, direct: bool) -> None:
        from jeepney import Parser

        self.socket = socket
        self.direct = direct
        self.parser = Parser()
        self.serial = 0
        self.signals: list[Any] = []
        self.wait: Callable[[int, float], bool] = _readable
        if not direct:
            self.call("Hello", "", (), *BUS)

    def call(
        self,
        member: str,
        signature: str = "",
        body: tuple[Any, ...] = (),
        path: str = MANAGER_PATH,
        interface: str = MANAGER,
        destination: str = DESTINATION,
        timeout: float = CALL_TIMEOUT,
    ) -> tuple[Any, ...]:
        """Call a method, of the manager unless said otherwise; returns what it returned.

        Raises BusError for an error in answer, OSError (ETIMEDOUT: no answer in time).
        """
        from jeepney import DBusAddress, HeaderFields, MessageType, new_method_call

        address = DBusAddress(path, destination, interface)
        message = new_method_call(address, member, signature or None, body)
        self.serial += 1
        self.socket.sendall(message.serialise(serial=self.serial))
        end = time.monotonic() + timeout
        while True:
            answer = self._receive(end)
            fields = answer.header.fields
            if fields.get(HeaderFields.reply_serial) != self.serial:
                self._keep(answer)
            elif answer.header.message_type is MessageType.error:
                text = str(answer.body[0]) if answer.body else ""
                raise BusError(fields.get(HeaderFields.error_name, ""), text)
            else:
                return answer.body  # type: ignore[no-any-return]

    def match(self, interface: str, member: str) -> None:
        """From now on have signals of the manager sent; over a direct connection they all are."""
        if not self.direct:
            rule = f"type='signal',sender='{DESTINATION}',interface='{interface}',member='{member}'"
            self.call("AddMatch", "s", (rule,), *BUS)

    def await_signal(self, member: str, wanted: Callable[[tuple[Any, ...]], bool], timeout: float) -> Any:
        """The arguments of the first signal `member` that is wanted. Raises OSError (ETIMEDOUT)."""
        from jeepney import HeaderFields

        end = time.monotonic() + timeout
        while True:
            while self.signals:
                signal = self.signals.pop(0)
                if signal.header.fields.get(HeaderFields.member) == member and wanted(signal.body):
                    return signal.body
            self._keep(self._receive(end, self.wait))

    def get(self, name: str) -> Any:
        """A property of the manager."""
        return self.call("Get", "ss", (MANAGER, name), interface=PROPERTIES)[0][1]

    def _keep(self, message: Any) -> None:
        from jeepney import MessageType

        if message.header.message_type is MessageType.signal:
            self.signals.append(message)

    def _receive(self, end: float, wait: Callable[[int, float], bool] = _readable) -> Any:
        while True:
            message = self.parser.get_next_message()
            if message is not None:
                return message
            left = end - time.monotonic()
            if left <= 0 or not wait(self.socket.fileno(), left):
                raise TimeoutError(ETIMEDOUT, "no answer")
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionResetError(104, "the connection ended")
            self.parser.add_data(data)


# connecting


def addresses(user: bool) -> Iterator[tuple[str, bool]]:
    """Where the system's (or the `user`'s) manager may be: address, and whether that is a direct one."""
    if not user:
        yield os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or SYSTEM_BUS, False
        yield f"unix:path={SYSTEM_PRIVATE}", True
        return
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    session = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    if session:
        yield session, False
    yield f"unix:path={_escaped(runtime)}/bus", False
    yield f"unix:path={_escaped(runtime)}/{USER_PRIVATE}", True


def connections(user: bool, failures: list[str]) -> Iterator[Bus]:
    """Connect to one after the other; what kept us from one goes to `failures`."""
    for text, direct in addresses(user):
        for path in socket_paths(text):
            try:
                yield Bus(_connected(path), direct)
            except BusError as err:
                failures.append(f"{_shown(path)}: {err.text or err.name}")
            except OSError as err:
                failures.append(f"{_shown(path)}: {reason(err)}")


def unreachable(user: bool, failures: list[str]) -> PlancError:
    """The error of who has not found a manager."""
    manager = "the systemd manager of this user (systemd --user)" if user else "systemd"
    hint = "start its message bus (dbus.service), or leave the option out"
    if user:
        hint = "log in, or `loginctl enable-linger`, and set XDG_RUNTIME_DIR; or leave the option out"
    reasons = ", ".join(dict.fromkeys(failures))
    return PlancError(f"--systemd-cgroup: cannot reach {manager}: {reasons}", hint)


def socket_paths(text: str) -> Iterator[str]:
    """The socket paths of a D-Bus server address; an abstract one begins with NUL."""
    for address in text.split(";"):
        transport, _, pairs = address.partition(":")
        if transport != "unix":
            continue
        for pair in pairs.split(","):
            key, _, value = pair.partition("=")
            if key in ("path", "abstract"):
                yield ("\0" if key == "abstract" else "") + _unescaped(value)


def _connected(path: str) -> _socket.socket:
    """A socket past the authentication. Raises OSError."""
    socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        socket.settimeout(CONNECT_TIMEOUT)
        socket.connect(path)
        _authenticate(socket)
        socket.settimeout(None)
    except BaseException:
        socket.close()
        raise
    return socket


def _authenticate(socket: _socket.socket) -> None:
    """SASL EXTERNAL. Who we are is what the kernel says of the socket: the other side may know us by
    another uid than we do (in a user namespace). Old servers want to hear a uid all the same."""
    socket.sendall(b"\0")
    uid = str(os.geteuid()).encode().hex().encode()
    for words in (b"AUTH EXTERNAL", b"AUTH EXTERNAL " + uid):
        answer = _line(socket, words)
        if answer == b"DATA":
            answer = _line(socket, b"DATA")
        if answer.startswith(b"OK"):
            socket.sendall(b"BEGIN\r\n")
            return
    raise PermissionError(13, "authentication refused")


def _line(socket: _socket.socket, words: bytes) -> bytes:
    socket.sendall(words + b"\r\n")
    answer = b""
    while not answer.endswith(b"\r\n"):
        data = socket.recv(1)
        if not data:
            raise ConnectionResetError(104, "the connection ended")
        answer += data
    return answer[:-2]


def reason(err: OSError) -> str:
    """errno and its meaning, also of a wait that was too long."""
    from runtime.errors import errno_text

    # a socket's timeout has no errno
    return errno_text(err.errno or (ETIMEDOUT if isinstance(err, TimeoutError) else 0))


def _shown(path: str) -> str:
    return "@" + path[1:] if path.startswith("\0") else path


SAFE = "-_/.\\*"


def _escaped(path: str) -> str:
    """A path as a value of an address."""
    return "".join(
        [
            chr(b) if b < 128 and (chr(b).isalnum() or chr(b) in SAFE) else f"%{b:02x}"
            for b in os.fsencode(path)
        ]
    )


def _unescaped(value: str) -> str:
    head, *parts = value.split("%")
    data = os.fsencode(head)
    for part in parts:
        try:
            data += bytes.fromhex(part[:2]) + os.fsencode(part[2:])
        except ValueError:
            data += b"%" + os.fsencode(part)
    return os.fsdecode(data)
