"""The facts of the host, against what the files say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.linux.host import WHOLE_MAP, huge_page_size, own_namespaces, read_host

ROOT = Path(__file__).parents[3]


def test_this_host() -> None:
    host = read_host()
    status = Path("/proc/self/status").read_text()
    (effective,) = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")]
    assert host.capabilities == int(effective, 16)
    assert (host.euid, host.egid) == (os.geteuid(), os.getegid())
    assert host.last_capability == int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert host.kcore == Path("/proc/kcore").exists()
    assert host.uid_map == tuple(
        tuple(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()
    )
    assert host.user_namespace == (host.uid_map != WHOLE_MAP)
    assert len(host.page_sizes) == len(list(Path("/sys/kernel/mm/hugepages").glob("*")))


def test_what_is_not_asked_about_is_not_read() -> None:
    """And all the rest is the same."""
    asked, host = read_host(), read_host(huge_pages=False, cgroups=False)
    assert (host.page_sizes, host.cgroup.v1, host.cgroup.own) == ((), (), "/")
    same = set(host.__slots__) - {"page_sizes", "cgroup"}
    assert [getattr(host, name) for name in same] == [getattr(asked, name) for name in same]


def test_capabilities_behind_a_long_list_of_groups() -> None:
    program = f"""
import os, sys; sys.path.insert(0, {str(ROOT)!r})
os.setgroups(range(100000, 103000))
from runtime.linux.host import read_host
print(read_host().capabilities)
"""
    if os.geteuid() != 0:
        pytest.skip("setgroups(2) is root's")
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) == read_host().capabilities


@pytest.mark.parametrize(
    ("directory", "size"),
    [
        ("hugepages-2048kB", "2MB"),
        ("hugepages-1048576kB", "1GB"),
        ("hugepages-64kB", "64KB"),
        ("hugepages-32768kB", "32MB"),
        ("hugepages-16777216kB", "16GB"),
    ],
)
def test_huge_page_sizes(directory: str, size: str) -> None:
    assert huge_page_size(directory) == size


def test_own_namespaces() -> None:
    assert own_namespaces([]) == frozenset()
    mine, thread = "/proc/self/ns/net", f"/proc/{os.getpid()}/ns/mnt"
    asked = [mine, thread, "/proc/self/status", "/nonexistent"]
    assert own_namespaces(asked) == {mine, thread}
    assert read_host([mine]).own_namespaces == {mine}


def test_reading_is_light() -> None:
    """On the way of every command: no module that costs milliseconds."""
    program = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from runtime.linux.host import read_host
read_host()
print(*sys.modules)
"""
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    heavy = {
        "re",
        "enum",
        "json",
        "typing",
        "dataclasses",
        "pathlib",
        "platform",
        "subprocess",
        "collections",
    }
    assert not heavy & set(done.stdout.split())


def test_in_a_user_namespace() -> None:
    """As unshare(1) makes it for anyone: one id, setgroups denied."""
    program = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from runtime.linux.host import read_host
host = read_host()
print(host.user_namespace, host.setgroups, host.euid, host.uid_map[0][0], host.uid_map[0][2])
"""
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False", "0", "0", "1"]
