"""docker run: output, exit codes, errors, terminal, identity, files, devices, privileges."""

from __future__ import annotations

import itertools
import json
import os
from typing import TYPE_CHECKING

import pytest

from .conftest import need, need_all_capabilities
from .image import SHORT as IMAGE
from .terminal import AWAIT_SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from .daemons import Docker

RUN = ("run", "--rm", "--network", "none")


def test_the_runtime_under_test_is_used(docker: Docker, runtime: str) -> None:
    info = json.loads(docker("info", "-f", "{{json .}}").out)
    assert info["DefaultRuntime"] == "planc"
    assert info["Runtimes"]["planc"]["path"] == runtime
    assert info["RuncCommit"]["ID"] != "N/A", "dockerd did not understand --version"


def test_stdout_and_stderr_stay_apart(docker: Docker) -> None:
    result = docker(*RUN, IMAGE, "sh", "-c", "echo out; echo err >&2")
    assert (result.out, result.err) == ("out", "err")


def test_stdin_is_passed_to_the_end(docker: Docker) -> None:
    data = "line\n" * 20_000
    assert docker(*RUN, "-i", IMAGE, "wc", "-c", stdin=data).out == str(len(data))


@pytest.mark.parametrize("code", [0, 1, 2, 42, 125, 126, 127, 128, 137, 255])
def test_exit_code_of_the_command(docker: Docker, code: int) -> None:
    docker(*RUN, IMAGE, "sh", "-c", f"exit {code}", code=code)


def test_death_by_signal_is_128_plus_its_number(docker: Docker) -> None:
    docker(*RUN, "--init", IMAGE, "sh", "-c", "kill -SEGV $$", code=139)


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        ("/no/such", 127, "no such file or directory"),
        ("nosuchcommand", 127, "executable file not found"),
        ("/etc/plain", 126, "permission denied"),
        ("/tmp", 126, "permission denied"),
    ],
)
def test_command_that_cannot_run(docker: Docker, command: str, code: int, text: str) -> None:
    error = docker(*RUN, IMAGE, command, code=code).err
    assert command in error
    assert text in error.lower()


def test_command_of_unknown_format(docker: Docker) -> None:
    """A runtime may notice at create, which Docker turns into 125, or as runc after start, with 1 or 255."""
    result = docker(*RUN, IMAGE, "/bin/badformat", code=None)
    assert result.code in (1, 125, 126, 255)
    assert "exec format error" in result.err.lower()
    assert "/bin/badformat" in result.err


def test_terminal(docker: Docker) -> None:
    with docker.terminal(*RUN, "-it", IMAGE, "sh") as terminal:
        terminal.wait_for(r"# ")
        terminal.send(f"tty; {AWAIT_SIZE}")
        terminal.wait_for("/dev/pts/0\r")
        terminal.wait_for("the size is right")
        terminal.send("exit 7")
        assert terminal.wait() == 7


def test_terminal_follows_the_window_size(docker: Docker) -> None:
    """The client starts to watch its window some time after the start, so it changes often."""
    script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done"
    with docker.terminal(*RUN, "-it", "--name", "tty", IMAGE, "sh", "-c", script) as terminal:
        terminal.wait_for("ready")
        for rows in itertools.count(11):
            terminal.resize(rows, 22)
            if terminal.shows(f"{rows} 22", 1.0):
                break
            assert rows < 70, "the container's terminal keeps its size"
        docker("kill", "tty")
        assert terminal.wait() == 137


def test_interrupt_key_reaches_the_command(docker: Docker) -> None:
    with docker.terminal(
        *RUN, "-it", IMAGE, "sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 1; done"
    ) as t:
        t.wait_for("ready")
        t.send("\x03")
        assert t.wait() == 9


def test_terminal_output_without_stdin(docker: Docker) -> None:
    assert docker(*RUN, "-t", IMAGE, "sh", "-c", "test -t 1 && test -t 2 && echo tty").out == "tty"


def test_hostname_and_domainname(docker: Docker) -> None:
    words = ("--hostname", "host1", "--domainname", "dom.example")
    script = "hostname; cat /proc/sys/kernel/domainname"
    assert docker(*RUN, *words, IMAGE, "sh", "-c", script).out.split() == ["host1", "dom.example"]


def test_users_and_groups(docker: Docker) -> None:
    shown = docker(*RUN, "--user", "app", IMAGE, "id").out
    assert shown == "uid=1000(app) gid=1000(app) groups=10(wheel),1000(app)"
    numbers = docker(
        *RUN, "--user", "1234:5678", "--group-add", "77", IMAGE, "sh", "-c", "id -u; id -g; id -G"
    ).out
    uid, gid, groups = numbers.splitlines()
    assert (uid, gid) == ("1234", "5678")
    assert set(groups.split()) == {"5678", "77"}


@pytest.mark.parametrize(("user", "home"), [("0", "/root"), ("app", "/home/app"), ("4321", "/")])
def test_home_comes_from_the_containers_passwd(docker: Docker, user: str, home: str) -> None:
    assert docker(*RUN, "--user", user, IMAGE, "sh", "-c", "echo $HOME").out == home


def test_environment_and_working_directory(docker: Docker) -> None:
    result = docker(*RUN, "-e", "A=b c", "-e", "HOME=/x", "-w", "/made/here", IMAGE, "sh", "-c", "pwd; env")
    lines = result.out.splitlines()
    assert lines[0] == "/made/here"
    assert {"A=b c", "HOME=/x"} <= set(lines)
    names = {line.split("=")[0] for line in lines[1:]}
    assert names <= {"A", "HOME", "PATH", "HOSTNAME", "PWD", "SHLVL", "OLDPWD"}, (
        "the host's environment leaked"
    )


def test_read_only_root(docker: Docker) -> None:
    script = "touch /x; touch /tmp/ok && touch /dev/shm/ok && echo tmp"
    result = docker(*RUN, "--read-only", "--tmpfs", "/tmp", IMAGE, "sh", "-c", script)
    assert "Read-only file system" in result.err
    assert result.out == "tmp"


def test_tmpfs_options(docker: Docker) -> None:
    script = "grep ' /scratch ' /proc/mounts; stat -c %a /scratch"
    line, mode = docker(
        *RUN, "--tmpfs", "/scratch:size=2m,mode=700,noexec,nosuid", IMAGE, "sh", "-c", script
    ).out.splitlines()
    options = line.split()[3].split(",")
    assert {"rw", "noexec", "nosuid", "size=2048k", "mode=700"} <= set(options)
    assert mode == "700"


def test_volumes_read_write_and_read_only(docker: Docker, workdir: Path) -> None:
    (workdir / "given").write_text("from the host")
    binds = ("-v", f"{workdir}:/rw", "-v", f"{workdir}:/ro:ro", "-v", f"{workdir}/given:/single")
    result = docker(
        *RUN, *binds, IMAGE, "sh", "-c", "cat /ro/given /single; touch /ro/no; echo back > /rw/answer"
    )
    assert result.out == "from the host" * 2
    assert "Read-only file system" in result.err
    assert (workdir / "answer").read_text() == "back\n"
    assert not (workdir / "no").exists()


def test_named_volume_outlives_its_container(docker: Docker) -> None:
    docker(*RUN, "-v", "vol1:/data", IMAGE, "sh", "-c", "echo kept > /data/f")
    assert docker(*RUN, "-v", "vol1:/data:ro", IMAGE, "cat", "/data/f").out == "kept"
    docker("volume", "rm", "vol1")


def test_bind_propagation(docker: Docker, workdir: Path) -> None:
    for name in ("shared", "slave", "private"):
        (workdir / name).mkdir()
    binds = [
        f"-v={workdir}:/shared:rshared",
        f"-v={workdir}:/slave:rslave",
        f"-v={workdir}:/private:rprivate",
    ]
    docker(
        "run",
        "-d",
        "--name",
        "prop",
        "--cap-add",
        "SYS_ADMIN",
        "--security-opt",
        "seccomp=unconfined",
        *binds,
        IMAGE,
        "sleep",
        "1000",
    )
    docker.machine.run("mount", "-t", "tmpfs", "fromhost", workdir / "slave")
    seen = docker("exec", "prop", "grep", "fromhost", "/proc/mounts").out
    assert "/slave/slave" in seen and "/shared/slave" in seen and "/private/slave" not in seen
    docker("exec", "prop", "mount", "-t", "tmpfs", "fromcontainer", "/shared/shared")
    docker("exec", "prop", "mount", "-t", "tmpfs", "inslave", "/slave/private")
    mounts = docker.machine.mounts()
    assert str(workdir / "shared") in mounts
    assert str(workdir / "private") not in mounts
    for name in ("shared", "slave"):
        docker.machine.run("umount", workdir / name)


def test_devices(docker: Docker) -> None:
    script = "stat -c '%t:%T' /dev/again; echo x > /dev/again && echo written; ls -l /dev/fuse0 | cut -c1-10"
    words = ("--device", "/dev/null:/dev/again:rwm", "--device", "/dev/zero:/dev/fuse0:r")
    assert docker(*RUN, *words, IMAGE, "sh", "-c", script).out.split() == ["1:3", "written", "crw-rw-rw-"]


@pytest.mark.parametrize(
    ("permissions", "result"), [("r", "read"), ("w", "write"), ("rw", "read write"), ("m", "")], ids=str
)
def test_device_permissions_are_enforced(docker: Docker, permissions: str, result: str) -> None:
    need("/dev/fuse", os.path.exists("/dev/fuse"))
    script = "(: < /dev/t) 2>/dev/null && echo read; (: > /dev/t) 2>/dev/null && echo write; true"
    shown = docker(*RUN, "--device", f"/dev/fuse:/dev/t:{permissions}", IMAGE, "sh", "-c", script).out
    assert shown.split() == result.split()


def test_devices_not_given_are_denied_but_the_usual_ones_work(docker: Docker) -> None:
    script = """
        mknod /dev/t c 10 229 && (: < /dev/t) 2>/dev/null || echo denied
        for d in null zero full random urandom tty; do test -c /dev/$d && echo $d; done
        head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; echo x > /dev/null && echo ok
        echo x > /dev/full || echo full; for l in fd stdin ptmx; do readlink /dev/$l; done
    """
    words = docker(*RUN, IMAGE, "sh", "-c", script).out.split()
    devices = ["null", "zero", "full", "random", "urandom", "tty"]
    assert words == [
        "denied",
        *devices,
        "4",
        "4",
        "ok",
        "full",
        "/proc/self/fd",
        "/proc/self/fd/0",
        "pts/ptmx",
    ]


def capabilities(docker: Docker, *words: str) -> int:
    """CapEff of a container's first process, read from outside."""
    docker("run", "-d", "--name", "caps", "--network", "none", *words, IMAGE, "sleep", "1000")
    mask = int(docker.machine.status(docker.pid("caps"), "CapEff"), 16)
    docker("rm", "-f", "caps")
    return mask


def test_capabilities(docker: Docker) -> None:
    usual = capabilities(docker)
    net_admin, chown = 1 << 12, 1 << 0
    assert usual & chown and not usual & net_admin
    assert capabilities(docker, "--cap-add", "NET_ADMIN") == usual | net_admin
    assert capabilities(docker, "--cap-drop", "CHOWN") == usual & ~chown
    assert capabilities(docker, "--cap-drop", "ALL") == 0
    assert capabilities(docker, "--user", "1000") == 0


def test_privileged(docker: Docker) -> None:
    need_all_capabilities(docker.machine)
    docker("run", "-d", "--name", "priv", "--privileged", IMAGE, "sleep", "1000")
    status = docker.machine.status
    pid = docker.pid("priv")
    assert status(pid, "Seccomp") == "0"
    assert int(status(pid, "CapEff"), 16) == int(status(1, "CapEff"), 16)
    docker(
        "exec",
        "priv",
        "sh",
        "-c",
        "mkdir /m && mount -t tmpfs x /m && test -c /dev/kmsg && test -w /proc/sys",
    )


def test_nearly_privileged(docker: Docker) -> None:
    words: tuple[str, ...] = (
        "--cap-add",
        "ALL",
        "--cap-drop",
        "SYS_RESOURCE",
        "--security-opt",
        "seccomp=unconfined",
    )
    words += ("--security-opt", "systempaths=unconfined", "--device-cgroup-rule", "a *:* rwm")
    script = "mkdir /m && mount -t tmpfs x /m && mount -o remount,rw /sys && hostname other && hostname"
    assert docker(*RUN, *words, IMAGE, "sh", "-c", script).out == "other"


def test_no_new_privileges(docker: Docker) -> None:
    script = "grep NoNewPrivs /proc/self/status"
    assert docker(*RUN, IMAGE, "sh", "-c", script).out.split()[1] == "0"
    assert (
        docker(*RUN, "--security-opt", "no-new-privileges", IMAGE, "sh", "-c", script).out.split()[1] == "1"
    )


def test_seccomp_profiles(docker: Docker, workdir: Path) -> None:
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [
            {"names": ["mkdir", "mkdirat", "no_such_syscall"], "action": "SCMP_ACT_ERRNO"},
            {"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
        ],
    }
    (workdir / "seccomp.json").write_text(json.dumps(profile))
    option = ("--security-opt", f"seccomp={workdir}/seccomp.json")
    result = docker(
        *RUN, *option, IMAGE, "sh", "-c", "mkdir /x; chmod 700 /tmp; grep Seccomp: /proc/self/status"
    )
    assert "Operation not permitted" in result.err
    assert "No space left on device" in result.err
    assert result.out.split()[1] == "2"
    option = ("--security-opt", "seccomp=unconfined")
    assert docker(*RUN, *option, IMAGE, "grep", "Seccomp:", "/proc/self/status").out.split()[1] == "0"


def test_default_seccomp_profile_denies_unshare(docker: Docker) -> None:
    assert "Operation not permitted" in docker(*RUN, IMAGE, "unshare", "-U", "true", code=1).err


def test_masked_and_read_only_paths(docker: Docker) -> None:
    script = "cat /proc/keys /proc/timer_list; ls -A /proc/acpi /sys/firmware | grep -v :"
    writes = (
        "touch /sys/x; echo 1 > /proc/sys/kernel/shm_rmid_forced; echo 1 > /proc/irq/default_smp_affinity"
    )
    result = docker(*RUN, IMAGE, "sh", "-c", f"{script}; {writes}; true")
    assert result.out == ""
    assert result.err.count("Read-only file system") == 3
    options = ("--security-opt", "systempaths=unconfined")
    assert docker(*RUN, *options, IMAGE, "sh", "-c", "cat /proc/keys").out != ""


def test_init_process(docker: Docker) -> None:
    result = docker(*RUN, "--init", IMAGE, "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline; echo; echo $$")
    command, shell = result.out.splitlines()
    assert "docker-init" in command
    assert shell != "1"


def test_ulimits_within_the_hosts(docker: Docker) -> None:
    words = ("--ulimit", "nofile=1000:2000", "--ulimit", "core=0")
    out = docker(*RUN, *words, IMAGE, "sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c").out
    assert out.split() == ["1000", "2000", "0"]


def test_sysctls(docker: Docker) -> None:
    words = ("--sysctl", "net.ipv4.ip_forward=1", "--sysctl", "kernel.msgmax=12345")
    out = docker(*RUN, *words, IMAGE, "cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/msgmax").out
    assert out.split() == ["1", "12345"]


def test_oom_score_and_shm_size(docker: Docker) -> None:
    words = ("--oom-score-adj", "500", "--shm-size", "3m")
    score, line = docker(
        *RUN, *words, IMAGE, "sh", "-c", "cat /proc/self/oom_score_adj; grep ' /dev/shm ' /proc/mounts"
    ).out.splitlines()
    assert score == "500"
    assert "size=3072k" in line
