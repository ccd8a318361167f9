"""The first process of the private machine that machine.py describes; run as a script, in three stages.

`outer DIR NAME RUNTIME` makes a new cgroup NAME in every hierarchy, starts the next stage in new namespaces,
waits for its end and then removes the cgroups and DIR.  It outlives a killed pytest, so nothing stays behind.
`join DIR NAME RUNTIME` enters those cgroups, which become the roots of the last stage's cgroup namespace.
`inner DIR NAME RUNTIME` builds the machine's view of the file system, prints its pid as seen by the outer
stage, and sleeps until its stdin closes; the kernel then kills all other processes of the machine.

`outer-systemd` and `inner-systemd` are the same for systemd_machine.py: no namespaces for processes, network and
cgroups, but a scope of systemd's with the machine's own processes.
"""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

NAMESPACES = ("--mount", "--net", "--pid", "--ipc", "--uts")
OTHER_RUNTIMES = (
    "/usr/sbin/runc",
    "/usr/bin/runc",
    "/usr/local/bin/runc",
    "/usr/bin/crun",
    "/usr/local/bin/crun",
)
USER = "rootless"
USER_ID = 1717
SUBIDS = {USER: 1_000_000, "dockremap": 2_000_000, "containers": 3_000_000}


def cgroup_mounts() -> list[tuple[str, str, str]]:
    """(mount point, file system type, options) of every cgroup hierarchy, as in /proc/mounts."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, options = line.split()[:4]
        if kind in ("cgroup", "cgroup2"):
            found.append((target, kind, options))
    return found


def unified_only(mounts: list[tuple[str, str, str]]) -> bool:
    """True on a host with cgroup v2 alone, where only leaf cgroups may hold processes."""
    return all(kind == "cgroup2" for _, kind, _ in mounts)


def make_cgroups(name: str) -> list[Path]:
    """Create cgroup NAME everywhere and return the directories."""
    made = []
    for target, _, _ in cgroup_mounts():
        directory = Path(target, name)
        directory.mkdir()
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if (directory / setting).exists() and Path(target, "tasks").exists():
                (directory / setting).write_text(Path(target, setting).read_text())
        made.append(directory)
    return made


def remove_cgroups(tops: list[Path], patience: float = 60.0) -> None:
    """Remove the cgroups bottom-up; processes that were just killed may hold them for a moment."""
    end = time.monotonic() + patience
    for top in tops:
        for directory, _, _ in os.walk(top, topdown=False):
            while True:
                try:
                    os.rmdir(directory)
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.02)


def outer(directory: str, name: str, runtime: str) -> int:
    tops = make_cgroups(name)
    try:
        next_stage = [sys.executable, __file__, "join", directory, name, runtime]
        return subprocess.call(["unshare", *NAMESPACES, "--fork", "--kill-child", *next_stage])
    finally:
        remove_cgroups(tops)
        shutil.rmtree(directory)


def join(directory: str, name: str, runtime: str) -> int:
    for target, _, _ in cgroup_mounts():
        Path(target, name, "cgroup.procs").write_text("0")
    last_stage = [sys.executable, __file__, "inner", directory, name, runtime]
    os.execvp("unshare", ["unshare", "--cgroup", *last_stage])


def outer_systemd(directory: str, name: str, runtime: str) -> int:
    """The scope is NAME.scope; the managers' containers get scopes of their own beside it."""
    scope = ["systemd-run", "--quiet", "--scope", f"--unit={name}", "--property=Delegate=yes"]
    namespaces = ["unshare", "--mount", "--ipc", "--uts", "--fork", "--kill-child"]
    inner_stage = [sys.executable, __file__, "inner-systemd", directory, name, runtime]
    try:
        return subprocess.call([*scope, *namespaces, *inner_stage])
    finally:
        for verb in (["kill", "--signal=KILL"], ["stop"]):
            subprocess.run(["systemctl", *verb, f"{name}.scope"], stderr=subprocess.DEVNULL)
        shutil.rmtree(directory)


def mount(*args: str) -> None:
    subprocess.run(["mount", *args], check=True)


def mount_kernel_views() -> None:
    """procfs of the new pid namespace, sysfs of the new network namespace, cgroups rooted at our own."""
    hierarchies = cgroup_mounts()
    mount("-t", "proc", "proc", "/proc")
    # with all that is mounted on it: Podman would look for that on the new one
    subprocess.run(["umount", "--lazy", "/sys"], check=True)
    mount("-t", "sysfs", "sysfs", "/sys")
    if unified_only(hierarchies):
        mount("-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
        delegate_unified(Path("/sys/fs/cgroup"))
        return
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/sys/fs/cgroup")
    for target, kind, options in hierarchies:
        os.mkdir(target)
        kept = [
            word
            for word in options.split(",")
            if word not in ("rw", "ro", "relatime", "nosuid", "nodev", "noexec")
        ]
        mount("-t", kind, *(["-o", ",".join(kept)] if kept and kind == "cgroup" else []), kind, target)


def delegate_unified(top: Path) -> None:
    (top / "host").mkdir()
    (top / "host/cgroup.procs").write_text("0")
    for controller in (top / "cgroup.controllers").read_text().split():
        (top / "cgroup.subtree_control").write_text(f"+{controller}")


def mount_layer(directory: Path, target: str) -> None:
    """A writable layer over a directory of the host, kept in DIR/layers."""
    upper = directory / "layers" / target.strip("/").replace("/", "-")
    work = upper.with_name(upper.name + ".work")
    upper.mkdir(parents=True)
    upper.chmod(stat.S_IMODE(os.stat(target).st_mode))
    work.mkdir()
    mount("-t", "overlay", "-o", f"lowerdir={target},upperdir={upper},workdir={work}", "overlay", target)


def mount_private_directories(directory: Path, kept: tuple[str, ...] = ()) -> None:
    """Own /etc, /var/lib, /run and temporary directories, so that no default path meets another's files.

    `kept` are directories of the host's /run that stay what they are.
    """
    mount_layer(directory, "/etc")
    mount_layer(directory, "/var/lib")
    if not directory.is_relative_to("/tmp"):
        mount_layer(directory, "/tmp")
    for target in ("/run", "/var/tmp", "/dev/shm"):
        source = directory / "private" / target.strip("/").replace("/", "-")
        source.mkdir(parents=True)
        source.chmod(0o755 if target == "/run" else 0o1777)
        for wanted in (directory, *(Path(path) for path in kept)):
            if wanted.is_relative_to(target):
                point = source / wanted.relative_to(target)
                point.mkdir(parents=True)
                mount("--bind", str(wanted), str(point))
        mount("--rbind", str(source), target)
    os.mkdir("/run/lock")
    (directory / "home").mkdir()


def add_users(directory: Path) -> None:
    """A user for rootless managers, and the id ranges that user namespaces are made of."""
    home = directory / "home" / USER
    home.mkdir(mode=0o700)
    os.chown(home, USER_ID, USER_ID)
    with open("/etc/passwd", "a") as passwd:
        passwd.write(f"{USER}:x:{USER_ID}:{USER_ID}::{home}:/bin/sh\ndockremap:x:1718:1718::/:/bin/false\n")
    with open("/etc/group", "a") as group:
        group.write(f"{USER}:x:{USER_ID}:\ndockremap:x:1718:\n")
    for table in ("/etc/subuid", "/etc/subgid"):
        Path(table).write_text("".join(f"{user}:{first}:65536\n" for user, first in SUBIDS.items()))
    user_runtime = Path("/run/user", str(USER_ID))
    user_runtime.mkdir(parents=True, mode=0o700)
    os.chown(user_runtime, USER_ID, USER_ID)


def offer_tun(directory: Path) -> None:
    """A /dev/net/tun that the rootless user may open too, as udev makes it."""
    if os.path.exists("/dev/net/tun"):
        tun = str(directory / "tun")
        os.mknod(tun, 0o600 | stat.S_IFCHR, os.makedev(10, 200))
        os.chmod(tun, 0o666)
        mount("--bind", tun, "/dev/net/tun")


def offer_runtime(directory: Path, runtime: str) -> None:
    """The runtime under test as bin/runc, first on PATH, and as names/planc; all others refuse to work.

    compared/runc is a runc that does, where there is one, for tests that compare.
    """
    for place, name in (("bin", "runc"), ("names", "planc")):
        (directory / place).mkdir()
        (directory / place / name).symlink_to(runtime)
    (directory / "compared").mkdir()
    if original := shutil.which("runc", path="/usr/sbin:/usr/bin"):
        shutil.copy(original, directory / "compared" / "runc")
    refusal = directory / "refuse"
    refusal.write_text("#!/bin/sh\necho 'a manager called a runtime that is not under test' >&2\nexit 99\n")
    refusal.chmod(0o755)
    for other in OTHER_RUNTIMES:
        if os.path.exists(other) and os.path.realpath(other) != os.path.realpath(runtime):
            mount("--bind", str(refusal), other)


def inner(directory: str, name: str, runtime: str) -> int:
    own_pid = os.readlink("/proc/self")
    top = Path(directory)
    mount("--make-rprivate", "/")
    mount_kernel_views()
    mount_private_directories(top)
    add_users(top)
    offer_tun(top)
    offer_runtime(top, runtime)
    mount("--make-rshared", "/")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/kernel/hostname").write_text(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    return await_end(own_pid)


def inner_systemd(directory: str, name: str, runtime: str) -> int:
    top = Path(directory)
    mount("--make-rprivate", "/")
    mount_private_directories(top, kept=("/run/systemd", "/run/dbus"))
    add_users(top)
    offer_runtime(top, runtime)
    mount("--make-rshared", "/")
    Path("/proc/sys/kernel/hostname").write_text(name)
    return await_end(str(os.getpid()))


def await_end(own_pid: str) -> int:
    print(own_pid, flush=True)
    sys.stdin.buffer.read()
    return 0


if __name__ == "__main__":
    stages = {
        "outer": outer,
        "join": join,
        "inner": inner,
        "outer-systemd": outer_systemd,
        "inner-systemd": inner_systemd,
    }
    sys.exit(stages[sys.argv[1]](*sys.argv[2:]))
