"""The values of runtime/linux/facts.py, and the readers against what this machine says itself."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.linux.facts import CgroupFacts, Facts, HostFacts, IdFacts, KernelFacts, kernel_version
from runtime.linux.host import CgroupLayout, Host
from runtime.linux.probe import cgroup, child, idmap, ids, kernel, limits, namespaces, seccomp, syscall
from runtime.linux.probe.text import find_program, number_of, output_of, text_of

ROOT = Path(__file__).parents[3]


def children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_defaults_and_unknown_names() -> None:
    assert KernelFacts(release="6.1").as_json()["release"] == "6.1"
    assert KernelFacts().as_json()["memfdNoexec"] is None
    with pytest.raises(TypeError, match="KernelFacts has no relase"):
        KernelFacts(relase="6.1")


def test_json_is_plain() -> None:
    class Sample(Facts):
        rows: tuple[tuple[str, int], ...] = ()
        table: dict[str, tuple[int, int]] = {}
        inner: Facts = CgroupFacts()

    found = Sample(rows=(("a", 1),), table={"b": (2, 3)}, inner=IdFacts(user="u")).as_json()
    assert found["rows"] == [["a", 1]] and found["table"] == {"b": [2, 3]} and found["inner"]["user"] == "u"


def test_the_whole_has_a_value_for_each_subject() -> None:
    assert isinstance(HostFacts().host, Host)
    assert len(HostFacts.names()) == 11


@pytest.mark.parametrize(
    ("release", "version"),
    [("6.1.0-18-amd64", (6, 1)), ("5.14", (5, 14)), ("6.18.44-fc-v657", (6, 18)), ("", (0, 0)), ("x.y", (0, 0))],
)  # fmt: skip
def test_kernel_version(release: str, version: tuple[int, int]) -> None:
    assert kernel_version(release) == version


def test_errno_of_a_call() -> None:
    assert syscall.errno_of(lambda: os.stat("/nonexistent")) == errno.ENOENT
    assert syscall.errno_of(os.getpid) == 0
    with pytest.raises(OSError) as caught:
        syscall.syscall(syscall.PIDFD_OPEN, -1, 0)
    assert caught.value.errno == errno.EINVAL


def test_work_in_a_child() -> None:
    before = children()
    assert child.in_child(lambda: os.stat("/nonexistent")) == errno.ENOENT
    assert child.in_child(lambda: None) == 0
    assert child.in_child(lambda: os.kill(os.getpid(), 9)) == 255
    assert children() == before


def test_kernel() -> None:
    found = kernel.read_kernel()
    assert (found.release, found.architecture) == (os.uname().release, os.uname().machine)
    assert set(found.calls.values()) <= {0, errno.ENOSYS}
    assert found.root_file_system
    if kernel_version(found.release) >= (5, 14) and seccomp.read_seccomp(True).mode == 0:
        assert (set(found.calls.values()), found.clone_into_cgroup) == ({0}, 0)


def test_namespaces_are_tried_and_gone() -> None:
    before = (
        children(),
        {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")},
    )
    found = namespaces.read_namespaces(os.geteuid() == 0)
    after = (
        children(),
        {name: os.readlink(f"/proc/self/ns/{name}") for name in os.listdir("/proc/self/ns")},
    )
    assert before == after
    assert set(found.tried) == set(found.kernel) - {"user"}
    for kind, limit in found.limits.items():
        word = {"mount": "mnt", "network": "net"}.get(kind, kind)
        assert limit == int(Path(f"/proc/sys/user/max_{word}_namespaces").read_text())


def test_a_limit_of_namespaces_is_seen() -> None:
    """In a user namespace with a limit of its own: nothing of the machine is changed."""
    program = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
with open("/proc/sys/user/max_uts_namespaces", "w") as file: file.write("0")
from runtime.linux.probe.namespaces import read_namespaces
found = read_namespaces(True)
print(found.limits["uts"], found.tried["uts"], found.tried["ipc"])
"""
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", str(errno.ENOSPC), "0"]


def test_a_masked_proc_is_seen() -> None:
    """What an engine does to /proc of its containers keeps user namespaces inside of them from having one."""
    if os.geteuid() != 0:
        pytest.skip("mount(2) is root's")
    program = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from runtime.linux.probe.namespaces import read_namespaces
print(read_namespaces(True).proc)
"""
    script = 'mount -t tmpfs none /proc/scsi 2>/dev/null || mount -t tmpfs none /proc/fs; exec "$@"'
    command = [
        "unshare",
        "-m",
        "--propagation",
        "private",
        "sh",
        "-c",
        script,
        "sh",
        sys.executable,
        "-I",
        "-S",
        "-c",
    ]
    done = subprocess.run([*command, program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(errno.EPERM)


def test_idmap_is_tried_and_gone(tmp_path: Path) -> None:
    assert idmap.read_idmap(False, ["/"]).reason.startswith("not tried")
    if os.geteuid() != 0:
        pytest.skip("needs CAP_SYS_ADMIN")
    before = children(), set(os.listdir("/proc/self/fd"))
    found = idmap.read_idmap(True, ["/proc", "/nonexistent"])
    assert (children(), set(os.listdir("/proc/self/fd"))) == before
    assert [row[:2] for row in found.tried] == [("", "tmpfs"), ("/proc", "proc"), ("/nonexistent", "?")]
    assert [row[2] for row in found.tried][1:] == [errno.EINVAL, errno.ENOENT]
    assert idmap.one_of_each(["/proc", "/proc/sys", "/nonexistent"]) == ["/proc"]


def test_seccomp() -> None:
    found = seccomp.read_seccomp(True)
    path = Path("/proc/sys/kernel/seccomp/actions_avail")
    assert found.actions == tuple(path.read_text().split() if path.exists() else ())
    assert set(found.flags) <= set(seccomp.FLAGS)
    assert found.mode == 0 or found.mode is None or found.mode == 2


def test_subordinate_ids(tmp_path: Path) -> None:
    file = tmp_path / "subuid"
    file.write_text("# comment\nme:100000:65536\nyou:1:2\n1000:300000:10\nme:bad:1\n:5:5\nmeme:7:7\n")
    assert ids._ranges(str(file), "me", 1000) == ((100000, 65536), (300000, 10))
    assert ids._ranges(str(file), "", 7) == ()
    assert ids._ranges(str(tmp_path / "none"), "me", 1000) == ()


def test_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "newuidmap"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setattr(ids, "find_program", lambda name: str(program))
    assert ids._helper("newuidmap") == (str(program), "")
    if os.geteuid() == 0:
        program.chmod(0o4755)
        assert ids._helper("newuidmap") == (str(program), "setuid")
    monkeypatch.setattr(ids, "find_program", lambda name: "")
    assert ids._helper("newuidmap") == ("", "")


def test_limits() -> None:
    import resource

    found = limits.read_limits()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert found.rlimits["RLIMIT_NOFILE"] == (soft, hard)
    assert found.oom_score_adj == int(Path("/proc/self/oom_score_adj").read_text())
    assert len(found.rlimits) == 16


def make_cgroup(directory: Path, **files: str) -> Path:
    directory.mkdir(parents=True)
    for name, content in files.items():
        (directory / name.replace("__", ".")).write_text(content)
    return directory


def test_cgroup_v2_of_a_directory(tmp_path: Path) -> None:
    """A tree of ordinary files stands for the hierarchy: access(2) and what is in them is all that counts."""
    top = make_cgroup(
        tmp_path / "cgroup",
        cgroup__controllers="cpu memory",
        cgroup__subtree_control="memory",
        cgroup__procs="",
    )
    make_cgroup(top / "a", cgroup__procs="", cgroup__freeze="0", memory__max="max", cgroup__kill="")
    host = Host(cgroup=CgroupLayout("v2", (), str(top), "/", ("cpu", "memory")))
    found = cgroup.read_cgroup(host, [((), f"{top}/not/there")])
    assert found.parents == (((), f"{top}/not/there", 0),)
    assert (found.kill, found.freezer, found.swap, found.available) == (True, True, False, ("cpu", "memory"))
    (top / "a" / "memory.swap.max").write_text("max")
    (top / "a" / "io.weight").write_text("100")
    found = cgroup.read_cgroup(host, [((), str(top))])
    assert (found.swap, found.io_weight, found.join) == (True, ("io.weight",), 0)


def test_cgroup_v2_with_processes_in_the_way(tmp_path: Path) -> None:
    """The rule of no internal processes: what is not handed on already cannot be."""
    top = make_cgroup(
        tmp_path / "cgroup", cgroup__controllers="cpu memory", cgroup__subtree_control="memory",
        cgroup__procs="77", cgroup__type="domain",
    )  # fmt: skip
    host = Host(cgroup=CgroupLayout("v2", (), str(top), "/", ("cpu", "memory")))
    found = cgroup.read_cgroup(host, [((), str(top))])
    assert found.available == ("memory",)
    assert found.stopped["cpu"][0] == str(top) and all(found.stopped["cpu"])


def test_small_files(tmp_path: Path) -> None:
    file = tmp_path / "number"
    file.write_text(" -7\n")
    assert (number_of(str(file)), text_of(str(file))) == (-7, "-7")
    file.write_text("seven")
    assert number_of(str(file)) is None
    assert text_of(str(tmp_path / "none")) is None
    assert text_of(str(tmp_path)) is None


def test_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert os.path.isabs(find_program("sh"))
    assert find_program("no-such-program-anywhere") == ""
    assert output_of(["/bin/echo", "x"]) == "x\n"
    assert output_of(["/bin/false"]) == "" and output_of(["/nonexistent"]) == ""


def test_all_at_once_leaves_nothing(capfd: Any) -> None:
    from runtime.cli.host_facts import read

    before = children(), set(os.listdir("/proc/self/fd"))
    found = read()
    assert (children(), set(os.listdir("/proc/self/fd"))) == before
    assert found.host.euid == os.geteuid()
    assert found.systemd.running == os.path.isdir("/run/systemd/system")
    assert capfd.readouterr() == ("", "")
