"""Where a systemd manager may be, and what its answers are read as; the bus itself is tests/systemd's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.linux import posix as os
from runtime.linux.systemd import version_number
from runtime.linux.systemd_bus import BusError, _escaped, addresses, reason, socket_paths


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("252.39-1~deb12u1", 252),
        ("v252", 252),
        ('"v245.4-1.fc32"', 245),
        ("258~rc1", 258),
        ("", 0),
        ("git", 0),
    ],
)
def test_versions(text: str, number: int) -> None:
    assert version_number(text) == number


@pytest.mark.parametrize(
    ("address", "paths"),
    [
        ("unix:path=/run/user/1000/bus", ["/run/user/1000/bus"]),
        ("unix:path=/a,guid=0123", ["/a"]),
        ("unix:guid=1,path=/a;unix:abstract=b", ["/a", "\0b"]),
        ("tcp:host=x,port=1;unix:path=/a", ["/a"]),
        ("unix:path=/a%20b%2c", ["/a b,"]),
        ("unix:path=/a%zz", ["/a%zz"]),
        ("autolaunch:", []),
        ("", []),
    ],
)
def test_addresses(address: str, paths: list[str]) -> None:
    assert list(socket_paths(address)) == paths


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_path_survives(path: str) -> None:
    assert list(socket_paths(f"unix:path={_escaped(path)}")) == [path]


def test_the_systems_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(os.environ, "DBUS_SYSTEM_BUS_ADDRESS", raising=False)
    assert list(addresses(False)) == [
        ("unix:path=/run/dbus/system_bus_socket", False),
        ("unix:path=/run/systemd/private", True),
    ]
    monkeypatch.setitem(os.environ, "DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/x")
    assert next(addresses(False)) == ("unix:path=/x", False)


def test_the_users_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "XDG_RUNTIME_DIR", "/r")
    monkeypatch.setitem(os.environ, "DBUS_SESSION_BUS_ADDRESS", "unix:path=/s")
    assert list(addresses(True)) == [
        ("unix:path=/s", False),
        ("unix:path=/r/bus", False),
        ("unix:path=/r/systemd/private", True),
    ]
    monkeypatch.delitem(os.environ, "XDG_RUNTIME_DIR")
    monkeypatch.delitem(os.environ, "DBUS_SESSION_BUS_ADDRESS")
    assert next(addresses(True))[0] == f"unix:path=/run/user/{os.geteuid()}/bus"


def test_errors() -> None:
    error = BusError("org.freedesktop.systemd1.UnitExists", "Unit x already exists.")
    assert error.is_a("NoSuchUnit", "UnitExists") and not error.is_a("NoSuchUnit")
    assert reason(TimeoutError("timed out")).startswith("ETIMEDOUT")
    assert reason(ConnectionRefusedError(111, "x")).startswith("ECONNREFUSED")
