"""process: args, env, HOME, cwd, PATH lookup, user, groups, umask, and the signal state a payload starts with."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from . import caller, proc
from .harness import Container

BROKEN = pytest.mark.old_runc_lacks("tolerance of broken passwd lines")
HOST_ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SECRET_OF_THE_CALLER": "42", "HOME": "/host/home"}


# ---- args and lookup -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv", [["echo", "a b", "", "$HOME", "*"], ["echo", "ünï", "tab\tnewline\n"], ["echo"] + ["x"] * 500]
)
def test_args_are_passed_verbatim(container: Container, argv: list[str]) -> None:
    assert container.args(*argv).run().ok().stdout == " ".join(argv[1:]) + "\n"


def test_argv_of_the_payload(container: Container) -> None:
    container.args("/bin/sleep", "1000").up()
    container.await_exec()
    assert proc.cmdline(container.pid) == ["/bin/sleep", "1000"]


def test_lookup_in_the_containers_path(container: Container) -> None:
    container.bundle.file("opt/tools/mytool", "#!/bin/sh\necho mine\n", 0o755)
    container.process["env"] = ["PATH=/nowhere:/opt/tools:/bin"]
    assert container.args("mytool").run().ok().stdout == "mine\n"


def test_lookup_takes_the_first_match(container: Container) -> None:
    container.bundle.file("one/tool", "#!/bin/sh\necho one\n", 0o755)
    container.bundle.file("two/tool", "#!/bin/sh\necho two\n", 0o755)
    container.process["env"] = ["PATH=/one:/two:/bin"]
    assert container.args("tool").run().ok().stdout == "one\n"


def test_lookup_skips_what_is_not_executable(container: Container) -> None:
    container.bundle.file("one/tool", "not executable", 0o644)
    container.bundle.directory("two/tool")
    container.bundle.file("three/tool", "#!/bin/sh\necho three\n", 0o755)
    container.process["env"] = ["PATH=/one:/two:/three:/bin"]
    assert container.args("tool").run().ok().stdout == "three\n"


def test_relative_path_counts_from_cwd(container: Container) -> None:
    container.bundle.file("work/tool", "#!/bin/sh\necho here\n", 0o755)
    container.process["cwd"] = "/work"
    assert container.args("./tool").run().ok().stdout == "here\n"


def test_symlink_to_the_program(container: Container) -> None:
    container.bundle.symlink("opt/echo", "/bin/echo")
    assert container.args("/opt/echo", "through").run().ok().stdout == "through\n"


def _no_program(container: Container, *argv: str) -> str:
    """Create must fail, not start, and leave nothing."""
    result = container.args(*argv).try_create().failed()
    assert container.runtime.leftovers() == []
    return result.stderr


def test_missing_name_fails_at_create(container: Container) -> None:
    message = _no_program(container, "nosuchprogram")
    assert "nosuchprogram" in message and "executable file not found in $PATH" in message


def test_missing_path_fails_at_create(container: Container) -> None:
    message = _no_program(container, "/no/such/program")
    assert "/no/such/program" in message and "no such file or directory" in message


def test_not_executable_fails_at_create(container: Container) -> None:
    container.bundle.file("etc/tool", "text", 0o644)
    message = _no_program(container, "/etc/tool")
    assert "/etc/tool" in message and "permission denied" in message


def test_directory_fails_at_create(container: Container) -> None:
    message = _no_program(container, "/etc")
    assert "/etc" in message and ("permission denied" in message or "is a directory" in message)


def test_component_that_is_no_directory_fails_at_create(container: Container) -> None:
    assert "not a directory" in _no_program(container, "/etc/passwd/tool")


def test_empty_name_fails_at_create(container: Container) -> None:
    _no_program(container, "")


def test_without_path_in_env_nothing_is_found(container: Container) -> None:
    container.process["env"] = []
    assert "executable file not found in $PATH" in _no_program(container, "sh")


def test_without_path_in_env_an_absolute_path_works(container: Container) -> None:
    container.process["env"] = []
    assert container.args("/bin/echo", "fine").run().ok().stdout == "fine\n"


def test_caller_path_is_not_used(container: Container) -> None:
    container.process["env"] = ["PATH=/nowhere"]
    result = container.args("sh").try_create(env=HOST_ENV)
    result.failed("executable file not found in $PATH")


def test_missing_interpreter_is_an_error_at_start(container: Container) -> None:
    container.bundle.file("tool", "#!/no/such/interpreter\n", 0o755)
    result = container.args("/tool").run()
    result.failed("no such file or directory")


def test_wrong_format_is_an_error_at_start(container: Container) -> None:
    container.bundle.file("tool", "\x7fELF but not really", 0o755)
    container.args("/tool").run().failed("exec format error")


def test_program_closed_to_the_user_fails(container: Container) -> None:
    container.bundle.file("tool", "#!/bin/sh\necho ran\n", 0o700)
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.process["capabilities"] = {}
    container.args("/tool").run().failed("permission denied")


# ---- environment ---------------------------------------------------------------------------------------------------


def _environ(container: Container, **options: object) -> dict[str, str]:
    return dict(line.split("=", 1) for line in container.args("env").run(**options).ok().stdout.splitlines())  # type: ignore[misc]


def test_environment_is_that_of_the_config_and_home(container: Container) -> None:
    container.process["env"] = ["PATH=/bin", "A=1", "B=two words", "C=", "D=a=b"]
    expected = {"PATH": "/bin", "A": "1", "B": "two words", "C": "", "D": "a=b", "HOME": "/root"}
    assert _environ(container, env=HOST_ENV) == expected


def test_environment_reaches_proc_environ_exactly(container: Container) -> None:
    container.process["env"] = ["PATH=/bin", "Z=last"]
    container.sleeping(env=HOST_ENV)
    assert proc.environ(container.pid) == {"PATH": "/bin", "Z": "last", "HOME": "/root"}


def test_last_duplicate_wins(container: Container) -> None:
    container.process["env"] = ["PATH=/bin", "A=first", "A=second"]
    assert _environ(container)["A"] == "second"


def test_duplicates_are_removed(container: Container) -> None:
    container.process["env"] = ["PATH=/bin", "A=first", "A=second"]
    container.sleeping()
    data = Path(f"/proc/{container.pid}/environ").read_bytes()
    assert data.count(b"A=first") == 0 and data.count(b"A=second") == 1


@pytest.mark.parametrize("entry", ["NOVALUE", "", "=novalue"])
def test_entry_without_name_or_value_is_refused(container: Container, entry: str) -> None:
    container.process["env"] = ["PATH=/bin", entry]
    result = container.args("true").run()
    if entry == "=novalue":
        return  # the kernel does not mind
    result.failed("env")


def test_large_environment(container: Container) -> None:
    container.process["env"] = ["PATH=/bin"] + [f"V{number}={'x' * 100}" for number in range(500)]
    assert len(_environ(container)) == 502


@pytest.mark.parametrize(("uid", "home"), [(0, "/root"), (1000, "/home/user"), (4711, "/")])
def test_home_comes_from_the_containers_passwd(container: Container, uid: int, home: str) -> None:
    container.process["user"] = {"uid": uid, "gid": uid}
    assert _environ(container, env=HOST_ENV)["HOME"] == home


def test_home_of_the_config_stays(container: Container) -> None:
    container.process["env"].append("HOME=/elsewhere")
    assert _environ(container)["HOME"] == "/elsewhere"


def test_empty_home_is_replaced(container: Container) -> None:
    container.process["env"].append("HOME=")
    assert _environ(container)["HOME"] == "/root"


@pytest.mark.parametrize("content", [None, "", pytest.param("broken line\n", marks=BROKEN)])
def test_home_without_usable_passwd(container: Container, content: str | None) -> None:
    path = Path(container.bundle.rootfs, "etc/passwd")
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert _environ(container)["HOME"] in ("/", "/root")


# ---- cwd -------------------------------------------------------------------------------------------------------------


def test_cwd(container: Container) -> None:
    container.process["cwd"] = "/etc"
    assert container.sh("pwd") == "/etc"


def test_missing_cwd_is_created(container: Container) -> None:
    container.process["cwd"] = "/made/by/runtime"
    container.process["user"] = {"uid": 1000, "gid": 1000}
    assert container.sh("pwd; stat -c '%a %u:%g' .") == "/made/by/runtime\n755 0:0"


def test_missing_cwd_in_a_mount_is_created_there(container: Container, directory: str) -> None:
    container.mount("/data", directory)
    container.process["cwd"] = "/data/made"
    assert container.sh("pwd") == "/data/made"
    assert os.listdir(directory) == ["made"]


def test_cwd_that_is_a_file_is_refused(container: Container) -> None:
    container.process["cwd"] = "/etc/passwd"
    container.try_create().failed("not a directory")


def test_missing_cwd_on_a_read_only_root_is_refused(container: Container) -> None:
    """It may be created before the root becomes read-only; either way nothing of the host may serve as cwd."""
    container.config["root"]["readonly"] = True
    container.process["cwd"] = "/made"
    result = container.shell("pwd").run()
    assert result.stdout in ("/made\n", "")


def test_cwd_closed_to_the_user_but_open_to_root(container: Container) -> None:
    container.bundle.directory("closed", 0o700)
    container.process["cwd"] = "/closed"
    container.process["user"] = {"uid": 1000, "gid": 1000}
    result = container.args("/bin/readlink", "/proc/self/cwd").run()
    assert result.stdout in ("/closed\n", ""), "another directory than the one asked for"


@pytest.mark.needs_root("chown")
def test_cwd_only_open_to_the_user(container: Container) -> None:
    """As on a FUSE or NFS mount: root may not enter, the user may."""
    os.chown(container.bundle.directory("home/user", 0o700), 1000, 1000)
    container.process["cwd"] = "/home/user"
    container.process["user"] = {"uid": 1000, "gid": 1000}
    for kind in ("bounding", "effective", "permitted"):
        container.process["capabilities"][kind] = ["CAP_SETUID", "CAP_SETGID"]
    assert container.sh("pwd; touch file; echo made") == "/home/user\nmade"


# ---- user, groups, umask -------------------------------------------------------------------------------------------


def test_user_and_group(container: Container) -> None:
    container.process["user"] = {"uid": 1000, "gid": 1001}
    container.sleeping()
    status = proc.status(container.pid)
    assert status["Uid"].split() == [str(caller.outside(1000))] * 4
    assert status["Gid"].split() == [str(caller.outside(1001, "gid"))] * 4


@pytest.mark.needs_root("ids that are not the caller's")
def test_large_ids(container: Container) -> None:
    container.process["user"] = {"uid": 2147483647, "gid": 2147483647}
    container.sleeping()
    assert proc.status(container.pid)["Uid"].split()[0] == "2147483647"


def test_additional_gids(container: Container) -> None:
    container.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 2000, 65534]}
    container.sleeping()
    expected = [str(caller.outside(gid, "gid")) for gid in (5, 2000, 65534)]
    assert proc.status(container.pid)["Groups"].split() == expected


@pytest.mark.parametrize("user", [{"uid": 0, "gid": 0}, {"uid": 0, "gid": 0, "additionalGids": []}])
@pytest.mark.needs_root("supplementary groups of the caller")
def test_groups_of_the_caller_are_dropped(container: Container, user: dict[str, object]) -> None:
    container.process["user"] = user
    container.sleeping(extra_groups=[4, 24, 27])
    assert proc.status(container.pid)["Groups"].split() == []


def test_user_is_optional(container: Container) -> None:
    del container.process["user"]
    assert container.sh("id -u; id -g") == "0\n0"


def test_username_is_ignored_on_linux(container: Container) -> None:
    container.process["user"] = {"uid": 0, "gid": 0, "username": "nobody"}
    assert container.sh("id -u") == "0"


@pytest.mark.parametrize("umask", [0, 0o22, 0o27, 0o77, 0o777])
def test_umask(container: Container, umask: int) -> None:
    container.process["user"]["umask"] = umask
    container.sleeping()
    assert int(proc.status(container.pid)["Umask"], 8) == umask


def test_umask_is_0022_when_not_given(container: Container) -> None:
    container.sleeping(umask=0o077)
    assert proc.status(container.pid)["Umask"] == "0022"


@pytest.mark.old_runc_lacks("independence of the caller's umask")
def test_umask_of_the_caller_does_not_touch_the_rootfs(container: Container) -> None:
    container.mount("/made/dir", "t", "tmpfs").args("stat", "-c", "%a", "/made", "/dev/null")
    assert container.run(umask=0o077).ok().stdout == "755\n666\n"


# ---- what a payload starts with --------------------------------------------------------------------------------------


def test_signals_are_reset(container: Container) -> None:
    """conmon ignores SIGPIPE, podman's cleanup blocks SIGUSR1."""

    def dirty() -> None:
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    container.sleeping(preexec_fn=dirty)
    status = proc.status(container.pid)
    assert int(status["SigIgn"], 16) == 0


@pytest.mark.old_runc_lacks("clearing the signal mask of its caller")
def test_signal_mask_is_cleared(container: Container) -> None:
    def dirty() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])

    container.sleeping(preexec_fn=dirty)
    assert int(proc.status(container.pid)["SigBlk"], 16) == 0


def test_payload_is_a_session_leader(container: Container) -> None:
    container.sleeping()
    fields = proc.stat_fields(container.pid)
    assert fields[2] == fields[3] == str(container.pid)
    assert fields[4] == "0"


def test_no_parent_death_signal(container: Container) -> None:
    """The caller's own parent-death signal must not reach the container."""
    container.sleeping()
    assert container.status == "running"


def test_nice_value_is_inherited(container: Container) -> None:
    container.sleeping(prefix=["nice", "-n", "5"])
    assert os.getpriority(os.PRIO_PROCESS, container.pid) == 5


def test_stdio_belongs_to_the_user(container: Container) -> None:
    """So that a payload may open /dev/stdout again."""
    container.process["user"] = {"uid": 1000, "gid": 1000}
    assert container.run().returncode == 0
    assert container.sh("echo again > /dev/stdout") == "again"


def test_dev_null_keeps_its_owner(container: Container) -> None:
    before = os.stat("/dev/null")
    container.process["user"] = {"uid": 1000, "gid": 1000}
    null = os.open("/dev/null", os.O_RDWR)
    try:
        container.try_create(stdin=null, stdout=null, stderr=null).ok()
    finally:
        os.close(null)
    after = os.stat("/dev/null")
    assert (after.st_uid, after.st_gid, after.st_mode) == (before.st_uid, before.st_gid, before.st_mode)


# ---- session keyring -------------------------------------------------------------------------------------------------


def _session_keyring(container: Container, *flags: str) -> str:
    return container.shell("cat /proc/keys").run(*flags).ok().stdout


@pytest.mark.skipif(not os.path.exists("/proc/keys"), reason="the kernel has no keyrings")
def test_session_keyring_is_named_after_the_container(container: Container) -> None:
    assert f"_ses.{container.id}" in _session_keyring(container)


@pytest.mark.skipif(not os.path.exists("/proc/keys"), reason="the kernel has no keyrings")
def test_no_new_keyring(container: Container) -> None:
    assert f"_ses.{container.id}" not in _session_keyring(container, "--no-new-keyring")
