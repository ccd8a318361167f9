"""doctor: what it says of the host, against what /proc and /sys say, and against what containers then really do."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from . import cgroup, proc, unprivileged
from .harness import Bundle, Container, Runtime, live_children, spawn

pytestmark = pytest.mark.planc_only("doctor")

USER = unprivileged.UID
SYS_ADMIN = 21
STATUSES = {"ok", "limited", "missing"}


def read(path: str) -> str | None:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return None


def report(runtime: Runtime, **options: Any) -> dict[str, Any]:
    """The JSON; the exit code says whether a container can run."""
    result = runtime.call("doctor", "--json", **options)
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    assert result.returncode == (0 if found["canRun"] else 1), str(result)
    assert result.stderr == ""
    return found


def check(found: dict[str, Any], group: str, name: str) -> dict[str, Any]:
    (one,) = [one for one in found["checks"] if (one["group"], one["name"]) == (group, name)]
    assert isinstance(one, dict)
    return one


@pytest.fixture(params=[pytest.param("root", marks=pytest.mark.needs_root("a call by root")), "user"])
def caller(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options of a call: as root, or as somebody."""
    return {} if request.param == "root" else {"user": USER}


# shape


def test_json_shape(runtime: Runtime, caller: dict[str, Any]) -> None:
    found = report(runtime, **caller)
    assert list(found) == ["version", "canRun", "caller", "checks", "facts"]
    assert found["caller"]["uid"] == caller.get("user", 0)
    assert found["caller"]["rootless"] is bool(caller)
    for one in found["checks"]:
        assert one["status"] in STATUSES and one["found"] and isinstance(one["required"], bool)
        if one["status"] != "ok":
            assert one["means"], one
    lacking = [one for one in found["checks"] if one["required"] and one["status"] == "missing"]
    assert found["canRun"] is not bool(lacking)


def test_table_says_the_same(runtime: Runtime, caller: dict[str, Any]) -> None:
    found, result = report(runtime, **caller), runtime.call("doctor", **caller)
    assert result.returncode == (0 if found["canRun"] else 1)
    lines = result.stdout.splitlines()
    assert "\033" not in result.stdout, "no terminal, no colours"
    for one in found["checks"]:
        start = re.compile(rf" +{one['status']}\*? +{re.escape(one['name'])} ")
        assert any(start.match(line) for line in lines), one
    too_long = [line for line in lines if len(line) > 100 and max(map(len, line.split())) < 60]
    assert too_long == []
    assert lines[-1].startswith("A default container" if found["canRun"] else "No default container")


def test_on_a_terminal(runtime: Runtime) -> None:
    """As wide as that is, and in colours, unless NO_COLOR forbids them."""
    for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        master, slave = pty.openpty()
        subprocess.run(["stty", "cols", "80", "rows", "24"], stdin=slave, check=True)
        env = {"PATH": os.environ["PATH"], "TERM": "xterm", **more}
        process = runtime.spawn("doctor", stdout=slave, env=env)
        os.close(slave)
        text = b""
        try:
            while part := os.read(master, 65536):
                text += part
        except OSError as error:
            assert error.errno == errno.EIO
        os.close(master)
        process.wait()
        shown = text.decode().replace("\r", "")
        assert ("\033[" in shown) is coloured
        plain = re.sub("\033\\[[0-9]*m", "", shown).splitlines()
        assert [line for line in plain if len(line) > 80 and max(map(len, line.split())) < 40] == []


# facts


def test_kernel(runtime: Runtime, caller: dict[str, Any]) -> None:
    kernel = report(runtime, **caller)["facts"]["kernel"]
    assert (kernel["release"], kernel["architecture"]) == (os.uname().release, os.uname().machine)
    assert set(kernel["calls"].values()) == {0}, "the other tests of this suite would fail as well"
    sysctl = read("/proc/sys/vm/memfd_noexec")
    assert kernel["memfdNoexec"] == (None if sysctl is None else int(sysctl))
    assert kernel["rootFileSystem"] == proc.mount_at(proc.mountinfo(), "/").fs_type


def test_namespaces(runtime: Runtime, caller: dict[str, Any]) -> None:
    namespaces = report(runtime, **caller)["facts"]["namespaces"]
    there = {kind for kind, name in proc.NAMESPACE_FILE.items() if os.path.exists(f"/proc/self/ns/{name}")}
    assert set(namespaces["kernel"]) == there
    for kind, limit in namespaces["limits"].items():
        assert str(limit) == read(f"/proc/sys/user/max_{proc.NAMESPACE_FILE[kind]}_namespaces")
    for kind, number in namespaces["tried"].items():
        assert (kind, number) == (kind, 0), "the tests of namespaces make them all"


def test_cgroups(runtime: Runtime, caller: dict[str, Any]) -> None:
    found = report(runtime, **caller)["facts"]["cgroup"]
    assert found["mode"] == cgroup.mode()
    mounts = cgroup.mounts()
    assert {name for entry in found["v1"] for name in entry["controllers"]} == set(mounts) - {""}
    assert found["unified"] == mounts.get("", "")
    assert set(found["controllers"]) == cgroup.v2_controllers()
    assert set(found["available"]) <= set(found["controllers"])
    names = (
        sorted(os.listdir("/sys/kernel/mm/hugepages")) if os.path.isdir("/sys/kernel/mm/hugepages") else []
    )
    assert len(found["pageSizes"]) == len(names)
    for _, directory, number in found["parents"]:
        if not caller:
            assert number == 0, directory


def test_seccomp(runtime: Runtime) -> None:
    found = report(runtime)["facts"]["seccomp"]
    assert found["actions"] == (read("/proc/sys/kernel/seccomp/actions_avail") or "").split()
    assert found["bindings"] is True
    assert re.fullmatch(r"2\.[0-9]+\.[0-9]+", found["library"])


def test_security_modules(runtime: Runtime) -> None:
    found = report(runtime)["facts"]["security"]
    active = read("/sys/kernel/security/lsm")
    assert found["active"] == (None if active is None else active.split(","))
    assert found["apparmor"] is (read("/sys/module/apparmor/parameters/enabled") == "Y")
    enforce = read("/sys/fs/selinux/enforce")
    assert found["selinux"] == {None: "", "0": "permissive", "1": "enforcing"}[enforce]


def test_capabilities_of_the_caller(runtime: Runtime, caller: dict[str, Any]) -> None:
    found = report(runtime, **caller)
    own = set() if caller else proc.capability_set("self", "CapEff")
    assert len(found["caller"]["capabilities"]) == len(own)
    if not caller:
        lacking = set(range(int(read("/proc/sys/kernel/cap_last_cap") or 0) + 1)) - own
        assert check(found, "caller", "capabilities")["status"] == ("limited" if lacking else "ok")


def test_systemd(runtime: Runtime, caller: dict[str, Any]) -> None:
    found = report(runtime, **caller)
    booted = os.path.isdir("/run/systemd/system")
    assert found["facts"]["systemd"]["running"] is booted
    row = check(found, "cgroup drivers", "systemd")
    if not booted:
        assert row["status"] == "missing" and "not booted with systemd" in row["found"]
    elif not caller:
        shown = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout
        assert (row["status"], str(found["facts"]["systemd"]["version"])) == ("ok", shown.split()[1])


def test_subordinate_ids(container: Container, directory: str) -> None:
    """As newuidmap reads them: the files are of the one call's mount namespace."""
    unprivileged.prepare(container, directory)
    options = unprivileged.with_subordinate_ids(container, directory)
    found = report(container.runtime, **options)
    assert found["caller"]["uid"] == USER
    assert found["facts"]["ids"]["user"] == unprivileged.NAME
    assert found["facts"]["ids"]["subuids"] == [[unprivileged.SUBORDINATE, 65536]]
    assert check(found, "user ids", "subordinate")["status"] == "ok"


# verdicts


def test_root_can_run_what_doctor_says(container: Container) -> None:
    assert report(container.runtime)["canRun"] is True
    assert container.sh("echo yes") == "yes"


def test_a_user_can_run_what_doctor_says(container: Container, directory: str) -> None:
    unprivileged.prepare(container, directory)
    found = report(container.runtime)
    result = container.shell("echo yes").run()
    assert found["canRun"] is (result.returncode == 0), f"{found['checks']}\n{result}"


@pytest.mark.needs_root("chown")
def test_idmapped_mounts_as_mounts_have_them(container: Container, directory: str) -> None:
    """Of the file system that the tests lie on, the verdict is that of a real container."""
    os.chown(directory, 1000, 1000)
    mapping = [{"containerID": 1000, "hostID": 5000, "size": 1}]
    container.mount("/data", directory, "bind")
    container.config["mounts"][-1] |= {"uidMappings": mapping, "gidMappings": mapping}
    result = container.shell("stat -c %u /data").run()
    tried = report(container.runtime)["facts"]["idmap"]["tried"]
    here = os.stat(directory).st_dev
    kind = proc.mount_at(proc.mountinfo(), _mount_of(directory)).fs_type
    same = [row for row in tried if (os.stat(row[0]).st_dev == here if row[0] else kind == "tmpfs")]
    if not same:
        pytest.skip(f"TMPDIR is on a file system ({kind}) that doctor does not try")
    assert (same[0][2] == 0) is (result.returncode == 0), f"{same}\n{result}"


def _mount_of(path: str) -> str:
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def test_a_user_may_not_idmap(runtime: Runtime) -> None:
    row = check(report(runtime, user=USER), "mounts", "idmapped mounts")
    assert row["status"] == "limited" and "not tried" in row["found"]


@pytest.mark.parametrize("kind", ["uts", "user"])
def test_a_limit_of_namespaces(runtime: Runtime, kind: str) -> None:
    """In a user namespace whose root has forbidden them: for the caller the machine is such a one."""
    script = f'echo 0 > /proc/sys/user/max_{kind}_namespaces && exec "$@"'
    prefix = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh"]
    found = report(runtime, prefix=prefix)
    row = check(found, "namespaces", kind)
    assert row["status"] == "missing"
    assert f"user.max_{kind}_namespaces" in row["found"] + row["advice"]
    assert found["canRun"] is (kind == "user"), "root of a user namespace needs no other one"


def test_users_without_user_namespaces(runtime: Runtime) -> None:
    """Everything a user's container needs fails with that one, and says so."""
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    dropped = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", "--"]
    found = report(
        runtime, prefix=["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", *dropped]
    )
    assert found["canRun"] is False
    assert "user.max_user_namespaces=0" in check(found, "namespaces", "user")["found"]
    for kind in ("mount", "pid", "ipc", "uts"):
        row = check(found, "namespaces", kind)
        assert (row["status"], row["required"], row["advice"]) == ("missing", True, "see the user namespace")


@pytest.mark.needs_root("mount")
def test_read_only_cgroups(runtime: Runtime) -> None:
    """As in an engine's container."""
    points = sorted(
        {mount.mount_point for mount in proc.mountinfo() if mount.fs_type in ("cgroup", "cgroup2")}
    )
    remount = " && ".join(f"mount -o remount,bind,ro {point}" for point in points)
    prefix = ["unshare", "-m", "--propagation", "private", "sh", "-c", f'{remount} && exec "$@"', "sh"]
    found = report(runtime, prefix=prefix)
    row = check(found, "cgroups", "place")
    assert (row["status"], row["required"], found["canRun"]) == ("missing", True, False)
    assert "read-only" in row["found"] and "read-write" in row["advice"]
    assert check(found, "cgroups", "controllers")["status"] == "missing"


@pytest.fixture
def box() -> Iterator[str]:
    """A cgroup that is the user's, with pids handed down, and one in it for the caller to sit in."""
    top = cgroup.mounts()[""]
    path = f"{top}/doctor-{os.getpid()}"
    os.makedirs(f"{path}/init")
    for directory in (top, path):
        with open(f"{directory}/cgroup.subtree_control", "w") as file:
            file.write("+pids")
    for name in ("", "cgroup.procs", "cgroup.subtree_control", "init", "init/cgroup.procs"):
        os.chown(os.path.join(path, name), USER, USER)
    yield path
    for name in ("init", ""):
        proc.wait_until(lambda name=name: _removed(os.path.join(path, name)), f"rmdir {path}/{name}")


def _removed(path: str) -> bool:
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


@pytest.mark.needs_cgroup_v2
@pytest.mark.needs_controller("pids")
@pytest.mark.needs_root("a cgroup for another user")
def test_a_delegated_cgroup(box: str, container: Container, directory: str) -> None:
    """Inside of it the user has what was handed down, and can say so to a container; outside nothing."""
    become = f'exec setpriv --reuid={USER} --regid={USER} --clear-groups -- "$@"'
    prefix = ["sh", "-c", f"echo 0 > {box}/init/cgroup.procs && {become}", "sh"]
    inside, outside = report(container.runtime, prefix=prefix), report(container.runtime, user=USER)
    assert (inside["caller"]["uid"], outside["caller"]["uid"]) == (USER, USER)
    with open(f"{box}/cgroup.controllers") as file:
        handed_down = sorted(file.read().split())
    assert sorted(inside["facts"]["cgroup"]["available"]) == handed_down
    assert check(inside, "cgroups", "place")["status"] == "ok"
    assert check(inside, "cgroups", "controllers")["found"] == ", ".join(handed_down)
    assert check(outside, "cgroups", "place")["status"] == "limited"
    assert check(outside, "cgroups", "controllers")["status"] == "missing"

    unprivileged.prepare(container, directory)
    container.runtime.defaults.pop("user")
    container.resources(pids={"limit": 50})
    assert container.shell("true").run(prefix=prefix).ok()
    container.shell("true").run(user=USER).failed()


@pytest.mark.needs_root("mount")
def test_without_any_cgroup_file_system(container: Container) -> None:
    """A container runs, without limits."""
    container.runtime.defaults["prefix"] = [
        "unshare", "-m", "--propagation", "private", "sh", "-c", 'umount -R -l /sys/fs/cgroup && exec "$@"', "sh",
    ]  # fmt: skip
    found = report(container.runtime)
    if found["facts"]["cgroup"]["mode"] != "none":
        pytest.skip("cgroups are mounted outside of /sys/fs/cgroup, too")
    assert check(found, "cgroups", "version")["status"] == "missing"
    container.without_mount("/sys/fs/cgroup")
    assert found["canRun"] is (container.args("true").run().returncode == 0)


def test_a_filter_around_planc(container: Container) -> None:
    """Inside of a container with a seccomp profile."""
    _bind_planc(container)
    container.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["openat2"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS}],
    }
    container.args(container.runtime.binary, "doctor", "--json")
    result = container.run()
    found = json.loads(result.stdout)
    assert check(found, "seccomp", "around planc")["status"] == "limited"
    calls = check(found, "kernel", "system calls")
    assert (calls["status"], calls["found"], found["canRun"]) == ("missing", "no openat2", False)
    assert result.returncode == 1


def _bind_planc(container: Container) -> None:
    """The machine's files in the container, and planc's own prefix, so that planc can be called there."""
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(container.runtime.binary)))
    for name in sorted(os.listdir("/")):
        if name not in ("proc", "sys", "dev", "tmp", "run") and os.path.isdir(f"/{name}"):
            container.mount(f"/{name}", f"/{name}", "bind", "rbind", "ro", "rprivate")
    container.mount(prefix, prefix, "bind", "ro")


# nothing is left


@pytest.mark.needs_root("mount")
def test_nothing_is_left(runtime: Runtime, caller: dict[str, Any], directory: str) -> None:
    """The table of mounts is that of the call's own mount namespace, to which nobody else adds any."""
    os.chmod(directory, 0o777)
    become = f"setpriv --reuid={USER} --regid={USER} --clear-groups --" if caller else ""
    script = f'cat /proc/self/mountinfo > {directory}/before; {become} "$@"; code=$?'
    script += f"; cat /proc/self/mountinfo > {directory}/after; exit $code"
    prefix = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"]
    sysctls = {name: read(f"/proc/sys/user/{name}") for name in os.listdir("/proc/sys/user")}
    children = sorted(live_children())
    found = report(runtime, prefix=prefix)
    assert read(f"{directory}/before") == read(f"{directory}/after")
    assert sorted(live_children()) == children, "a subreaper would get what doctor leaves"
    assert {name: read(f"/proc/sys/user/{name}") for name in os.listdir("/proc/sys/user")} == sysctls
    for _, parent, _ in found["facts"]["cgroup"]["parents"]:
        assert not os.path.exists(f"{parent}/container")
    assert not os.path.exists(runtime.root), "no state directory for a look at the host"


@pytest.mark.needs_root("mount")
@pytest.mark.parametrize(
    "words", [["doctor"], ["--root", "/run/planc-no-proc", "create", "x"]], ids=lambda w: w[-1]
)
def test_without_proc(runtime: Runtime, bundle: Bundle, words: list[str]) -> None:
    bundle.write()
    script = 'mount -t tmpfs none /proc && exec "$@"'
    prefix = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"]
    result = spawn([*prefix, runtime.binary, *words], cwd=bundle.path).wait()
    result.failed("cannot read /proc/", "mount proc on /proc")
    assert len(result.stderr.splitlines()) == 1


def test_takes_no_arguments(runtime: Runtime) -> None:
    runtime.call("doctor", "extra").failed("extra")
