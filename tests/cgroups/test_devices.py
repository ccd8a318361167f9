"""Device rules, tried by a process inside: v1 files or the v2 program."""

from __future__ import annotations

import os

import pytest

from runtime.errors import KernelError
from runtime.execute import cgroupfs
from runtime.plan.ops import Op
from runtime.spec.model import LinuxDeviceCgroup

from . import box as boxes
from .box import Box

pytestmark = pytest.mark.skipif(
    not boxes.V2 and "devices" not in boxes.V1_NAMES, reason="this machine has no devices controller"
)

DENY_ALL = LinuxDeviceCgroup(allow=False, access="rwm")
TRY = """
import errno, os, stat, sys
for word in sys.argv[1:]:
    path, flags = word.split(",")
    try:
        os.close(os.open(path, {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}[flags] | os.O_NONBLOCK))
        print("ok", end=" ")
    except OSError as err:
        print(errno.errorcode[err.errno], end=" ")
"""


def tried(box: Box, *words: str) -> list[str]:
    child = box.start(
        "/usr/bin/python3", "-I", "-S", "-c", TRY, *words, stdout=-1, text=True
    )  # stdout: a pipe
    out, _ = child.communicate(timeout=30)
    return str(out).split()


def test_what_every_container_may_and_what_not(box: Box) -> None:
    box.create(devices=[DENY_ALL])
    words = ("/dev/null,rw", "/dev/zero,r", "/dev/full,w", "/dev/random,r", "/dev/urandom,r", "/dev/kmsg,r")
    assert tried(box, *words) == ["ok", "ok", "ok", "ok", "ok", "EPERM"]


def test_an_allowed_device_with_one_access(box: Box) -> None:
    kmsg = LinuxDeviceCgroup(allow=True, type="c", major=1, minor=11, access="r")
    box.create(devices=[DENY_ALL, kmsg])
    assert tried(box, "/dev/kmsg,r", "/dev/kmsg,w", "/dev/kmsg,rw") == ["ok", "EPERM", "EPERM"]


def test_everything_allowed(box: Box) -> None:
    box.create(devices=[LinuxDeviceCgroup(allow=True, access="rwm")])
    assert tried(box, "/dev/kmsg,r", "/dev/null,rw") == ["ok", "ok"]


def test_one_denied_among_all(box: Box) -> None:
    deny = LinuxDeviceCgroup(allow=False, type="c", major=1, minor=11, access="r")
    box.create(devices=[LinuxDeviceCgroup(allow=True, access="rwm"), deny])
    assert tried(box, "/dev/kmsg,r", "/dev/kmsg,w") == ["EPERM", "ok"]


def test_nodes_may_be_made_but_not_opened(box: Box, tmp_path: object) -> None:
    box.create(devices=[DENY_ALL])
    code = (
        "import os\n"
        f"path = '{tmp_path}/node'\n"
        "os.mknod(path, 0o20600, os.makedev(1, 11))\n"
        "try: os.open(path, 0)\n"
        "except PermissionError: print('made, not opened')\n"
    )
    child = box.python(code)
    assert child.communicate(timeout=30)[0] == "made, not opened\n"


@pytest.mark.v2
def test_the_rules_of_an_earlier_container_do_not_stay(box: Box) -> None:
    """A cgroup directory that is used again: programs would add up."""
    box.create(devices=[DENY_ALL])
    box.apply(devices=[LinuxDeviceCgroup(allow=True, access="rwm")])
    assert tried(box, "/dev/kmsg,r") == ["ok"]


@pytest.mark.v1
def test_the_kernels_list(box: Box) -> None:
    fuse = LinuxDeviceCgroup(allow=True, type="c", major=10, minor=229, access="rw")
    box.create(devices=[DENY_ALL, fuse])
    listed = box.read("devices", "devices.list").splitlines()
    assert "c 10:229 rw" in listed
    assert {"c *:* m", "b *:* m", "c 1:3 rwm", "c 5:2 rwm", "c 136:* rwm"} <= set(listed)


def test_a_caller_that_may_not(box: Box) -> None:
    box.create()
    op = Op("cgroup_devices", "/linux/resources/devices", rules=["deny a *:* rwm"])
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setresuid(65534, 65534, 65534)
            cgroupfs.apply(box.cgroups, [op])
        except KernelError as err:
            os.write(writer, str(err).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as file:
        said = file.read()
    os.waitpid(pid, 0)
    if boxes.V2:
        assert said.startswith("linux.resources.devices: load the device filter: EPERM: ")
    else:
        assert said.startswith("linux.resources.devices: open the files of the device rules: EACCES: ")
