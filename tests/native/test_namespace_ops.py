"""Namespaces of the stage and what init finds in them (csrc/namespaces.c, session.c, hostname.c)."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from pathlib import Path

import pytest

from .blob import Operation
from .container import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, Container, failure

CLONE_NEWTIME, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x80, 0x2000000, 0x4000000, 0x8000000
KINDS = {
    "cgroup": CLONE_NEWCGROUP,
    "ipc": CLONE_NEWIPC,
    "mnt": CLONE_NEWNS,
    "net": CLONE_NEWNET,
    "uts": CLONE_NEWUTS,
}
FORK: Operation = ("fork", {})


def unshare(flags: int) -> Operation:
    return ("unshare", {"flags": flags})


def namespace(pid: int | str, kind: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def map_ids(pid: int, uid: str = "0 100000 65536", gid: str = "0 200000 65536") -> None:
    Path(f"/proc/{pid}/uid_map").write_text(uid)
    Path(f"/proc/{pid}/gid_map").write_text(gid)


def test_unshared_namespaces_are_new_and_the_others_are_not() -> None:
    with Container([unshare(CLONE_NEWUTS | CLONE_NEWIPC)]) as container:
        for kind in KINDS:
            if kind == "mnt":
                continue  # the harness makes one
            same = namespace(container.pid, kind) == namespace("self", kind)
            assert same == (kind not in ("uts", "ipc")), kind


def test_init_is_pid_1_of_its_namespace_and_a_child_of_ours() -> None:
    with Container([unshare(CLONE_NEWPID), FORK, ("setsid", {})]) as container:
        found = status(container.pid)
        assert found["NSpid"].split()[1:] == ["1"]
        assert found["NSsid"].split()[1:] == ["1"]
        assert found["PPid"] == str(os.getpid())
        assert found["Name"] == "planc:[2:INIT]"


def test_pid_1_ends_on_sigterm() -> None:
    """The kernel ignores it for a first process without a handler."""
    with Container([unshare(CLONE_NEWPID), FORK]) as container:
        os.kill(container.pid, signal.SIGTERM)
        ended = os.waitid(os.P_PID, container.pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        assert (ended.si_code, ended.si_status) == (os.CLD_EXITED, 128 + signal.SIGTERM)


# for a hook: init's other children have ended, and are there to be reaped; /proc is the host's
WAIT_FOR_ORPHANS = r"""
read -r me _ _ init _ < /proc/self/stat
have_ended() {
    for child in $(cat /proc/$init/task/$init/children); do
        [ $child = $me ] || grep -q "^State:.Z" /proc/$child/status || return
    done
}
until have_ended; do :; done
"""


def test_pid_1_reaps_what_a_hook_leaves() -> None:
    hook: Operation = ("hook", {"path": "/bin/sh", "argv": ["sh", "-c", "true & exit 0"]})
    wait: Operation = ("hook", {"path": "/bin/sh", "argv": ["sh", "-c", WAIT_FOR_ORPHANS]})
    with Container([unshare(CLONE_NEWPID), FORK, hook, wait]) as container:
        assert Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text() == ""


@pytest.mark.parametrize("kind", KINDS)
def test_joining(kind: str) -> None:
    holder = subprocess.Popen(
        ["unshare", "--ipc", "--net", "--uts", "--mount", "--cgroup", "cat"], stdin=subprocess.PIPE
    )
    try:
        wait_until_other(holder.pid, "cgroup")
        path = f"/proc/{holder.pid}/ns/{kind}"
        ops: list[Operation] = [
            ("open_namespace", {"ns": "ns", "path": path, "type": KINDS[kind]}),
            ("setns", {"ns": "ns", "type": KINDS[kind]}),
        ]
        with Container(ops) as container:
            assert namespace(container.pid, kind) == os.readlink(path)
    finally:
        holder.communicate()


def wait_until_other(pid: int, kind: str) -> None:
    while namespace(pid, kind) == namespace("self", kind):
        os.sched_yield()


def test_joining_several_by_a_pidfd() -> None:
    holder = subprocess.Popen(["unshare", "--net", "--uts", "cat"], stdin=subprocess.PIPE)
    pidfd = os.pidfd_open(holder.pid)
    try:
        wait_until_other(holder.pid, "uts")
        ops: list[Operation] = [("setns", {"ns": "target", "type": CLONE_NEWNET | CLONE_NEWUTS})]
        with Container(ops, inherited={"target": pidfd}) as container:
            for kind in ("net", "uts"):
                assert namespace(container.pid, kind) == namespace(holder.pid, kind)
    finally:
        os.close(pidfd)
        holder.communicate()


def test_joining_a_namespace_of_another_type_is_refused_by_the_kernel_too() -> None:
    ops: list[Operation] = [
        ("open_namespace", {"ns": "ns", "path": "/proc/self/ns/uts", "type": 0}),
        ("setns", {"ns": "ns", "type": CLONE_NEWNET}),
    ]
    failed = failure(ops)
    assert (failed.error, failed.text) == (errno.EINVAL, "join namespaces (network)")


USER: list[Operation] = [unshare(CLONE_NEWUSER), ("sync", {}), ("become_root", {})]


def test_root_of_a_user_namespace() -> None:
    with Container([*USER, unshare(CLONE_NEWPID | CLONE_NEWNET), FORK], on_sync=[map_ids]) as container:
        found = status(container.pid)
        assert found["Uid"].split() == ["100000"] * 4
        assert found["Gid"].split() == ["200000"] * 4
        assert found["Groups"] == ""
        assert namespace(container.pid, "user") != namespace("self", "user")


def test_becoming_root_without_a_mapping() -> None:
    failed = failure(USER, on_sync=[lambda pid: map_ids(pid, "1 100000 10", "0 100000 10")])
    assert (failed.error, failed.text) == (errno.EINVAL, "become uid 0 of the user namespace")
    failed = failure(USER, on_sync=[lambda pid: map_ids(pid, "0 100000 10", "5 100000 10")])
    assert (failed.error, failed.text) == (errno.EINVAL, "become gid 0 of the user namespace")


def test_becoming_root_where_setgroups_is_denied() -> None:
    def deny(pid: int) -> None:
        Path(f"/proc/{pid}/setgroups").write_text("deny")
        map_ids(pid, "0 1000 1", "0 1000 1")

    with Container(USER, on_sync=[deny]) as container:
        assert status(container.pid)["Uid"].split() == ["1000"] * 4


@pytest.mark.skipif(not os.path.exists("/proc/self/timens_offsets"), reason="no time namespaces")
def test_time_offsets() -> None:
    text = "monotonic 1000 0\nboottime 2000000 500\n"
    with Container([unshare(CLONE_NEWTIME), ("time_offsets", {"text": text}), FORK]) as container:
        lines = Path(f"/proc/{container.pid}/timens_offsets").read_text().splitlines()
        assert [line.split() for line in lines] == [
            ["monotonic", "1000", "0"],
            ["boottime", "2000000", "500"],
        ]
        assert namespace(container.pid, "time") != namespace("self", "time")


def test_time_offsets_that_the_kernel_refuses() -> None:
    failed = failure([unshare(CLONE_NEWTIME), ("time_offsets", {"text": "nonsense 1 2\n"})])
    assert (failed.error, failed.text) == (errno.EINVAL, "write /proc/self/timens_offsets")


def test_loopback_comes_up() -> None:
    with Container([unshare(CLONE_NEWNET), ("loopback_up", {})]) as container:
        flags = subprocess.run(
            ["nsenter", "--net", f"--target={container.pid}", "ip", "-o", "link", "show", "lo"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "<LOOPBACK,UP,LOWER_UP>" in flags


def test_host_and_domain_name() -> None:
    ops: list[Operation] = [
        unshare(CLONE_NEWUTS),
        ("hostname", {"name": "box"}),
        ("domainname", {"name": "example.org"}),
    ]
    before = os.uname().nodename
    with Container(ops) as container:
        enter = ["nsenter", "--uts", f"--target={container.pid}"]
        for file, name in (("hostname", "box"), ("domainname", "example.org")):
            args = [*enter, "cat", f"/proc/sys/kernel/{file}"]
            assert subprocess.run(args, capture_output=True, text=True).stdout == f"{name}\n"
    assert os.uname().nodename == before


def test_host_name_that_is_too_long() -> None:
    name = "h" * 65
    failed = failure([unshare(CLONE_NEWUTS), ("hostname", {"name": name})])
    assert (failed.error, failed.text) == (errno.EINVAL, f'set hostname "{name}"')


def test_keyring_is_searchable_by_its_user() -> None:
    name = f"_ses.planc-native-{os.getpid()}"
    with Container([("session_keyring", {"name": name})]):
        (found,) = keys_named(name)
        assert int(found[4], 16) & 0x00080000


def test_a_second_init_joins_the_keyring_by_its_name() -> None:
    # the kernel takes its time to forget one: not that of the test before
    name = f"_ses.planc-native-{os.getpid()}-2"
    join: Operation = ("session_keyring", {"name": name})
    with Container([join]), Container([join]):
        assert len(keys_named(name)) == 1


def keys_named(name: str) -> list[list[str]]:
    """Lines of /proc/keys, in words."""
    lines = [line.split() for line in Path("/proc/keys").read_text().splitlines()]
    return [words for words in lines if words[8] == f"{name}:"]
