"""Default devices and symlinks, linux.devices, and the device rules of linux.resources in force."""

from __future__ import annotations

import os
import stat

import pytest

from .harness import Container

DEFAULTS = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}
LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}


def _device(
    container: Container, path: str, kind: str = "c", major: int = 1, minor: int = 3, **more: int
) -> Container:
    entry: dict[str, object] = {"path": path, "type": kind, **more}
    if kind != "p":
        entry |= {"major": major, "minor": minor}
    container.linux.setdefault("devices", []).append(entry)
    return container


def _kmsg(container: Container) -> Container:
    """A device that is not allowed by default; reading it takes CAP_SYSLOG."""
    for kept in ("bounding", "permitted", "effective"):
        container.process["capabilities"][kept].append("CAP_SYSLOG")
    return _device(container, "/dev/kmsg", "c", 1, 11)


def _allow_all(container: Container) -> Container:
    return container.resources(devices=[{"allow": True, "access": "rwm"}])


# ---- defaults ------------------------------------------------------------------------------------------------------


def test_default_devices(container: Container) -> None:
    container.sleeping()
    for name, number in DEFAULTS.items():
        found = os.stat(f"{container.root}/dev/{name}")
        assert stat.S_ISCHR(found.st_mode), name
        assert (os.major(found.st_rdev), os.minor(found.st_rdev)) == number, name
        assert stat.S_IMODE(found.st_mode) == 0o666, name
        assert (found.st_uid, found.st_gid) == (0, 0), name


def test_default_symlinks(container: Container) -> None:
    container.sleeping()
    assert {name: os.readlink(f"{container.root}/dev/{name}") for name in LINKS} == LINKS


def test_nothing_else_is_in_dev(container: Container) -> None:
    container.sleeping()
    found = set(os.listdir(f"{container.root}/dev"))
    assert found - {"core", "console"} == {*DEFAULTS, *LINKS, "pts", "shm", "mqueue"}


def test_default_devices_are_usable(container: Container) -> None:
    script = (
        "echo x > /dev/null; head -c2 /dev/zero | wc -c; head -c2 /dev/urandom | wc -c;"
        "head -c2 /dev/random | wc -c; echo x 2>/dev/null > /dev/full || echo full; echo out >> /dev/stdout"
    )
    assert container.sh(script) == "2\n2\n2\nfull\nout"


def test_default_devices_are_usable_without_root_rights(container: Container) -> None:
    container.process["user"] = {"uid": 1000, "gid": 1000}
    assert container.sh("echo x > /dev/null; head -c2 /dev/zero | wc -c") == "2"


def test_default_devices_without_a_dev_mount(container: Container) -> None:
    container.without_mount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    assert container.sh("head -c2 /dev/zero | wc -c; readlink /dev/fd") == "2\n/proc/self/fd"


@pytest.mark.needs_root("mknod of devices")
def test_a_bind_mounted_dev_is_left_alone(container: Container) -> None:
    path = f"{container.bundle.path}/dev"
    os.mkdir(path)
    os.mknod(f"{path}/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    container.without_mount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue").mount(
        "/dev", path, "bind", "rbind"
    )
    container.run().ok()
    assert os.listdir(path) == ["null"]


def test_devices_of_an_image_are_kept(container: Container) -> None:
    """The rootfs of an earlier container has them already."""
    container.without_mount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    container.sh("true")
    container.sh("head -c2 /dev/zero | wc -c")


# ---- linux.devices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["c", "u"])
@pytest.mark.needs_root("mknod of devices")
def test_character_device(container: Container, kind: str) -> None:
    _device(container, "/dev/mine", kind, 1, 5).sleeping()
    found = os.stat(f"{container.root}/dev/mine")
    assert stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 5)


@pytest.mark.needs_root("mknod of devices")
def test_block_device(container: Container) -> None:
    _device(container, "/dev/disk", "b", 7, 200).sleeping()
    found = os.stat(f"{container.root}/dev/disk")
    assert stat.S_ISBLK(found.st_mode) and found.st_rdev == os.makedev(7, 200)


def test_fifo(container: Container) -> None:
    _device(container, "/dev/pipe", "p").sleeping()
    assert stat.S_ISFIFO(os.stat(f"{container.root}/dev/pipe").st_mode)


@pytest.mark.needs_root("mknod of devices")
def test_large_numbers(container: Container) -> None:
    _device(container, "/dev/large", "c", 4000, 1000000).sleeping()
    assert os.stat(f"{container.root}/dev/large").st_rdev == os.makedev(4000, 1000000)


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o640, 0o777, 0o000])
@pytest.mark.needs_root("mknod of devices")
def test_file_mode_ignores_the_umask(container: Container, mode: int) -> None:
    _device(container, "/dev/mine", fileMode=mode)
    container.sleeping()
    assert stat.S_IMODE(os.stat(f"{container.root}/dev/mine").st_mode) == mode


@pytest.mark.needs_root("mknod of devices")
def test_owner(container: Container) -> None:
    _device(container, "/dev/mine", uid=1000, gid=1001).sleeping()
    found = os.stat(f"{container.root}/dev/mine")
    assert (found.st_uid, found.st_gid) == (1000, 1001)


@pytest.mark.needs_root("mknod of devices")
def test_path_outside_dev_with_parents(container: Container) -> None:
    _device(container, "/made/by/runtime/null").sleeping()
    assert os.stat(f"{container.root}/made/by/runtime/null").st_rdev == os.makedev(1, 3)


@pytest.mark.needs_root("mknod of devices")
def test_path_in_a_mount(container: Container) -> None:
    container.mount("/data", "t", "tmpfs")
    _device(container, "/data/null").sleeping()
    assert os.stat(f"{container.root}/data/null").st_rdev == os.makedev(1, 3)
    assert not os.path.exists(f"{container.bundle.rootfs}/data/null")


@pytest.mark.needs_root("mknod of devices")
def test_entry_for_a_default_device_wins(container: Container) -> None:
    _device(container, "/dev/zero", "c", 1, 5, fileMode=0o600, uid=7, gid=8)
    container.sleeping()
    found = os.stat(f"{container.root}/dev/zero")
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o600, 7, 8)


@pytest.mark.needs_root("mknod of devices")
def test_several_devices(container: Container) -> None:
    for minor in range(20):
        _device(container, f"/dev/loop{minor}", "b", 7, minor)
    container.sleeping()
    assert len([name for name in os.listdir(f"{container.root}/dev") if name.startswith("loop")]) == 20


@pytest.mark.old_runc_lacks("a check of the type of an existing device node")
def test_existing_file_of_another_type_is_refused(container: Container) -> None:
    container.bundle.file("mine", "a regular file")
    _device(container, "/mine").try_create().failed("/mine")


@pytest.mark.old_runc_lacks("a check of the number of an existing device node")
@pytest.mark.needs_root("mknod of devices")
def test_existing_device_of_another_number_is_refused(container: Container) -> None:
    os.mknod(f"{container.bundle.rootfs}/mine", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    _device(container, "/mine").try_create().failed("/mine")


@pytest.mark.needs_root("mknod of devices")
def test_existing_same_device_is_accepted(container: Container) -> None:
    os.mknod(f"{container.bundle.rootfs}/mine", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    _device(container, "/mine").sleeping()


@pytest.mark.planc_only("JSON pointers in its errors")
@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"path": "/dev/x", "type": "z", "major": 1, "minor": 1}, "linux.devices[0].type"),
        ({"path": "/dev/x", "major": 1, "minor": 1}, "linux.devices[0].type"),
        ({"type": "c", "major": 1, "minor": 1}, "linux.devices[0].path"),
        ({"path": "/dev/x", "type": "c", "minor": 1}, "linux.devices[0].major"),
        ({"path": "/dev/x", "type": "c", "major": "1", "minor": 1}, "linux.devices[0].major"),
    ],
)
def test_bad_entries_are_named(container: Container, entry: dict[str, object], word: str) -> None:
    container.linux["devices"] = [entry]
    container.try_create().failed(word)


# ---- rules in force --------------------------------------------------------------------------------------------------

OPEN = "if (true > {0}) 2>/dev/null; then echo write; fi; if (true < {0}) 2>/dev/null; then echo read; fi"

DENY_ALL = {"allow": False, "access": "rwm"}

needs_devices = pytest.mark.needs_controller("devices")


def _kmsg_rule(access: str, allow: bool = True) -> dict[str, object]:
    return {"allow": allow, "type": "c", "major": 1, "minor": 11, "access": access}


@needs_devices
def test_deny_all_keeps_the_default_devices(container: Container) -> None:
    container.resources(devices=[DENY_ALL])
    assert (
        container.sh("echo x > /dev/null; head -c2 /dev/zero | wc -c; head -c2 /dev/urandom | wc -c")
        == "2\n2"
    )


@needs_devices
@pytest.mark.needs_root("device rules")
def test_deny_all_denies_other_devices(container: Container) -> None:
    container.resources(devices=[DENY_ALL])
    _kmsg(container)
    assert container.sh(OPEN.format("/dev/kmsg")) == ""


@needs_devices
@pytest.mark.needs_root("device rules")
def test_deny_all_still_allows_mknod(container: Container) -> None:
    container.resources(devices=[DENY_ALL])
    assert container.sh("mknod /dev/x c 1 11 && echo made; " + OPEN.format("/dev/x")) == "made"


@needs_devices
@pytest.mark.parametrize(
    ("access", "expected"),
    [("r", "read"), ("w", "write"), ("rw", "write\nread"), ("rwm", "write\nread"), ("m", "")],
)
@pytest.mark.needs_root("device rules")
def test_allow_by_access(container: Container, access: str, expected: str) -> None:
    container.resources(devices=[DENY_ALL, _kmsg_rule(access)])
    _kmsg(container)
    assert container.sh(OPEN.format("/dev/kmsg")) == expected


@needs_devices
@pytest.mark.parametrize("rule", [{"major": 1}, {"major": 1, "minor": -1}, {}, {"major": -1, "minor": 11}])
@pytest.mark.needs_root("device rules")
def test_allow_by_wildcard(container: Container, rule: dict[str, int]) -> None:
    container.resources(devices=[DENY_ALL, {"allow": True, "type": "c", "access": "rwm", **rule}])
    _kmsg(container)
    assert container.sh(OPEN.format("/dev/kmsg")) == "write\nread"


@needs_devices
@pytest.mark.needs_root("device rules")
def test_allow_all(container: Container) -> None:
    _allow_all(container)
    _kmsg(container)
    assert container.sh(OPEN.format("/dev/kmsg")) == "write\nread"


@needs_devices
@pytest.mark.needs_root("device rules")
def test_deny_one_after_allow_all(container: Container) -> None:
    container.resources(devices=[{"allow": True, "access": "rwm"}, _kmsg_rule("rwm", allow=False)])
    _kmsg(container)
    assert container.sh(OPEN.format("/dev/kmsg") + "; head -c1 /dev/zero | wc -c") == "1"


@needs_devices
@pytest.mark.needs_root("device rules")
def test_later_rule_wins(container: Container) -> None:
    container.resources(devices=[DENY_ALL, _kmsg_rule("rw"), _kmsg_rule("rw", allow=False)])
    _kmsg(container)
    assert container.sh(OPEN.format("/dev/kmsg")) == ""


@needs_devices
@pytest.mark.needs_root("device rules")
def test_block_rules_do_not_open_character_devices(container: Container) -> None:
    container.resources(
        devices=[
            DENY_ALL,
            {"allow": True, "type": "b", "major": 1, "minor": 11, "access": "rwm"},
        ]
    )
    _kmsg(container)
    assert container.sh(OPEN.format("/dev/kmsg")) == ""


@needs_devices
@pytest.mark.needs_root("device rules")
def test_exec_is_under_the_same_rules(container: Container) -> None:
    container.resources(devices=[DENY_ALL])
    _kmsg(container).sleeping()
    assert container.exec_sh(OPEN.format("/dev/kmsg")) == ""


@needs_devices
@pytest.mark.needs_root("device rules")
def test_update_leaves_the_rules(container: Container) -> None:
    """Kubernetes sends a lone deny-all with every update."""
    container.resources(devices=[DENY_ALL, _kmsg_rule("rwm")])
    _kmsg(container).sleeping()
    container.runtime.call(
        "update", "--resources", "-", container.id, stdin=b'{"devices":[{"allow":false,"access":"rwm"}]}'
    ).ok()
    assert container.exec_sh(OPEN.format("/dev/kmsg") + "; head -c1 /dev/zero | wc -c") == "write\nread\n1"
