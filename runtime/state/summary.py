"""The summary of a record: <root>/<id>/summary, for commands that do not start Python (csrc/front/).

A text file, written once the container is created, that says what `state`, `kill`, `start` and
`delete` need and nothing else.  state.json stays the truth: the summary names the file that it was
made from (inode, size, time), and whoever finds another one there goes by state.json.

Lines, in this order, ended by a newline each::

    planc-summary 1
    record INODE SIZE NANOSECONDS   of state.json
    process PID START-TIME          init in the caller's pid namespace, clock ticks since boot
    flags [WORD...]                 see `_flags`
    freezer TEXT FILE               at most one: the container is paused when FILE holds TEXT
    cgroup DIRECTORY                any number, the unified one last
    state HEAD MIDDLE TAIL          sizes in bytes of the three parts that follow

The parts, with the pid between the first two and the status between the last two, are what
`planc state` prints.  A reader refuses what it does not know.
"""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.files import write_all
from runtime.linux.json import dumps
from runtime.state.oci_state import state_output
from runtime.state.record import has_own_pid_namespace
from runtime.state.store import STATE_FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.state.record import Record
    from runtime.state.store import ContainerDirectory

SUMMARY_FILE = "summary"
VERSION = 1


def save_summary(directory: ContainerDirectory, record: Record) -> None:
    """Write the summary of a record that has just been saved; the directory must be locked.

    Without one everything works, only slower: so a container that cannot be summed up has none, and
    a full disk is no failure.
    """
    temporary = f".{SUMMARY_FILE}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        text = summary_text(record, os.stat(STATE_FILE, dir_fd=directory.fd, follow_symlinks=False))
        if text is None:
            return
        fd = os.open(temporary, flags, 0o600, dir_fd=directory.fd)
        try:
            write_all(fd, text)
        finally:
            os.close(fd)
        os.rename(temporary, SUMMARY_FILE, src_dir_fd=directory.fd, dst_dir_fd=directory.fd)
    except OSError:
        try:
            directory.unlink(temporary)
        except OSError:
            pass


def summary_text(record: Record, file: os.stat_result) -> bytes | None:
    """The summary of a finished container whose state.json is `file`; None: a path does not fit a line."""
    lines = [
        f"planc-summary {VERSION}",
        f"record {file.st_ino} {file.st_size} {file.st_mtime_ns}",
        f"process {record.pid} {record.start_time}",
        " ".join(["flags", *_flags(record)]),
        *_freezer(record),
        *[f"cgroup {path}" for controllers, path in record.cgroups if controllers],
        *[f"cgroup {path}" for controllers, path in record.cgroups if not controllers],
    ]
    if any("\n" in line or "\0" in line for line in lines):
        return None
    parts = _state_parts(record)
    lines.append("state " + " ".join([str(len(part)) for part in parts]))
    return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n" + b"".join(parts)


def _flags(record: Record) -> list[str]:
    """What makes a command more than a few system calls (or, the first, fewer)."""
    hooks = record.config.get("hooks", {})
    answers = {
        "mounts": bool(record.covered_mount),
        "own-pid-namespace": has_own_pid_namespace(record),
        "poststart": bool(hooks.get("poststart")),
        "poststop": bool(hooks.get("poststop")),
        "systemd": record.systemd_cgroup,
    }
    return [name for name, answer in answers.items() if answer]


def _freezer(record: Record) -> list[str]:
    """The file that runtime.state.status looks at."""
    for controllers, path in record.cgroups:
        if "freezer" in controllers:
            return [f"freezer FROZEN {path}/freezer.state"]
    for controllers, path in record.cgroups:
        if not controllers:
            return [f"freezer 1 {path}/cgroup.freeze"]
    return []


def _state_parts(record: Record) -> list[bytes]:
    """The output of `planc state` before the pid, between pid and status, and after."""
    text = dumps(state_output(record, "running"), indent=2).encode() + b"\n"
    # a line of its own can only be a member of the top level: in a string a newline is escaped
    head, mark, rest = text.partition(b'\n  "pid": ')
    middle, status, tail = rest.removeprefix(str(record.pid).encode()).partition(b'"running"')
    return [head + mark, middle + status[:1], status[-1:] + tail]
