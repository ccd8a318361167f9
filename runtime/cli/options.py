"""Every command, argument and option of planc, as data.

Two readers: `parse.py`, the parser of the hot path, and `click_app.py`, which builds the click
commands that give help, errors and completion. A test holds the two to the same answers.
"""

from __future__ import annotations

TYPE_CHECKING = False

FLAG = "flag"
VALUE = "value"
INTEGER = "integer"
MULTIPLE = "multiple"


class Option:
    """One option: long name, kind, help; `short` letter; `metavar`; `choices`; `hidden`; `default`."""

    __slots__ = ("choices", "default", "help", "hidden", "kind", "long", "metavar", "name", "short")

    def __init__(
        self,
        long: str,
        kind: str,
        help: str,
        short: str = "",
        metavar: str = "",
        choices: tuple[str, ...] = (),
        hidden: bool = False,
        default: str | int | None = None,
    ) -> None:
        self.long = long
        self.name = long.replace("-", "_")
        self.kind = kind
        self.help = help
        self.short = short
        self.metavar = metavar
        self.choices = choices
        self.hidden = hidden
        self.default = default


class Command:
    """One command: help, the names of its arguments, its options.

    `arguments`: "NAME" is required, "[NAME]" optional, "NAME..." takes the rest. `interspersed` False:
    options end at the first argument.
    """

    __slots__ = ("arguments", "help", "interspersed", "options")

    def __init__(
        self,
        help: str,
        arguments: tuple[str, ...],
        options: tuple[Option, ...] = (),
        interspersed: bool = True,
    ) -> None:
        self.help = help
        self.arguments = arguments
        self.options = options
        self.interspersed = interspersed


GLOBAL_OPTIONS = (
    Option("debug", FLAG, "print each operation before it is done, and tracebacks"),
    Option("log", VALUE, "append messages to this file too", metavar="FILE"),
    Option("log-format", VALUE, "form of the messages: text or json", metavar="FORMAT", default="text"),
    Option("root", VALUE, "where the state of containers is kept", metavar="DIR"),
    Option("systemd-cgroup", FLAG, "let systemd make the cgroups (cgroupsPath is slice:prefix:name)"),
    Option("rootless", VALUE, "ignore cgroup permission errors: true, false or auto", metavar="WHEN", default="auto"),
)  # fmt: skip

BUNDLE = Option("bundle", VALUE, "the bundle's directory (default: the current one)", "b", "DIR")
CONSOLE_SOCKET = Option(
    "console-socket", VALUE, "Unix socket that gets the terminal's master", metavar="PATH"
)
PIDFD_SOCKET = Option("pidfd-socket", VALUE, "Unix socket that gets the process's pidfd", metavar="PATH")
PID_FILE = Option("pid-file", VALUE, "write the process's pid to this file", metavar="FILE")
NO_PIVOT = Option("no-pivot", FLAG, "use chroot instead of pivot_root (a root file system on a ramdisk)")
NO_NEW_KEYRING = Option("no-new-keyring", FLAG, "keep the caller's session keyring")
PRESERVE_FDS = Option("preserve-fds", INTEGER, "pass descriptors 3 to 3+N-1 on", metavar="N", default=0)
NO_SUBREAPER = Option("no-subreaper", FLAG, "do not adopt and reap the container's orphans")
CREATE_OPTIONS = (BUNDLE, CONSOLE_SOCKET, PIDFD_SOCKET, PID_FILE, NO_PIVOT, NO_NEW_KEYRING, PRESERVE_FDS)
TABLE_OR_JSON = ("table", "json")

COMMANDS = {
    "create": Command("create a container, ready to be started", ("ID",), CREATE_OPTIONS),
    "delete": Command(
        "delete a stopped container, and all that planc made for it",
        ("ID",),
        (Option("force", FLAG, "kill it first if it still runs; a missing container is no error", "f"),),
    ),
    "doctor": Command(
        "print what this host can and cannot give a container, and what to do about it",
        (),
        (Option("json", FLAG, "print JSON"),),
    ),
    "events": Command(
        "print out-of-memory events and statistics as JSON lines",
        ("ID",),
        (
            Option("interval", VALUE, "time between statistics, like 500ms or 5s", metavar="DURATION", default="5s"),
            Option("stats", FLAG, "print the statistics once and exit"),
        ),
    ),
    "exec": Command(
        "run another process in a container",
        ("ID", "COMMAND..."),
        (
            CONSOLE_SOCKET,
            PIDFD_SOCKET,
            Option("cwd", VALUE, "working directory, absolute", metavar="DIR"),
            Option("env", MULTIPLE, "set an environment variable", "e", "NAME=VALUE"),
            Option("tty", FLAG, "give the process a terminal", "t"),
            Option("user", VALUE, "user and group, as numbers", "u", "UID[:GID]"),
            Option("additional-gids", MULTIPLE, "additional groups, as numbers", "g", "GID"),
            Option("process", VALUE, "a file with the process object; other options then do not count", "p", "FILE"),
            Option("detach", FLAG, "do not wait for the process", "d"),
            PID_FILE,
            Option("process-label", VALUE, "SELinux label of the process", metavar="LABEL"),
            Option("apparmor", VALUE, "AppArmor profile of the process", metavar="PROFILE"),
            Option("no-new-privs", FLAG, "set no_new_privs for the process"),
            Option("cap", MULTIPLE, "add a capability to the process's sets", "c", "CAP"),
            PRESERVE_FDS,
            Option("cgroup", MULTIPLE, "run in this sub-cgroup: PATH, or CONTROLLER[,CONTROLLER]:PATH", metavar="PATH"),
            Option("ignore-paused", FLAG, "also in a paused container: the process starts when it is resumed"),
        ),
        interspersed=False,
    ),
    "explain": Command(
        "print the plan of a bundle: what create would do, in order, and why",
        (),
        (
            BUNDLE,
            Option("json", FLAG, "print JSON"),
            NO_PIVOT,
            NO_NEW_KEYRING,
        ),
    ),
    "features": Command("print what this runtime can do, as JSON", ()),
    "kill": Command(
        "send a signal to a container's init (default: TERM)",
        ("ID", "[SIGNAL]"),
        (Option("all", FLAG, "to every process of the container", "a"),),
        interspersed=False,
    ),
    "list": Command(
        "list the containers",
        (),
        (
            Option("format", VALUE, "table or json", "f", "FORMAT", TABLE_OR_JSON, default="table"),
            Option("quiet", FLAG, "print ids only", "q"),
        ),
    ),
    "pause": Command("suspend all processes of a container", ("ID",)),
    "ps": Command(
        "list the processes of a container",
        ("ID", "[PS-OPTION...]"),
        (Option("format", VALUE, "table or json", "f", "FORMAT", TABLE_OR_JSON, default="table"),),
        interspersed=False,
    ),
    "resume": Command("resume all processes of a paused container", ("ID",)),
    "run": Command(
        "create and start a container, and wait for it",
        ("ID",),
        (
            *CREATE_OPTIONS,
            Option("detach", FLAG, "do not wait for the container", "d"),
            Option("keep", FLAG, "keep the container when its process has ended"),
            NO_SUBREAPER,
        ),
    ),
    "spec": Command(
        "write a config.json to begin with",
        (),
        (BUNDLE, Option("rootless", FLAG, "for a container without root")),
    ),
    "start": Command("run the program of a created container", ("ID",)),
    "state": Command("print the state of a container as JSON", ("ID",)),
    "update": Command(
        "change the limits of a container",
        ("ID",),
        (
            Option("resources", VALUE, "a file with linux.resources, - for standard input", "r", "FILE"),
            Option("blkio-weight", VALUE, "block IO weight, 10 to 1000", metavar="N"),
            Option("cpu-period", VALUE, "CPU period in microseconds", metavar="N"),
            Option("cpu-quota", VALUE, "CPU quota in microseconds per period", metavar="N"),
            Option("cpu-burst", VALUE, "CPU burst in microseconds", metavar="N"),
            Option("cpu-share", VALUE, "CPU shares, relative", metavar="N"),
            Option("cpu-rt-period", VALUE, "real-time period in microseconds", metavar="N"),
            Option("cpu-rt-runtime", VALUE, "real-time runtime in microseconds", metavar="N"),
            Option("cpuset-cpus", VALUE, "CPUs, like 0-3,7", metavar="LIST"),
            Option("cpuset-mems", VALUE, "memory nodes, like 0-1", metavar="LIST"),
            Option("cpu-idle", VALUE, "1: run only when nothing else wants the CPU", metavar="N"),
            Option("kernel-memory", VALUE, "ignored: kernels no longer have it", metavar="BYTES", hidden=True),
            Option("kernel-memory-tcp", VALUE, "ignored", metavar="BYTES", hidden=True),
            Option("memory", VALUE, "memory limit, with k, m or g; -1 for none", metavar="BYTES"),
            Option("memory-reservation", VALUE, "memory reservation (soft limit)", metavar="BYTES"),
            Option("memory-swap", VALUE, "memory and swap together; -1 for no limit", metavar="BYTES"),
            Option("pids-limit", VALUE, "number of processes; -1 for no limit", metavar="N"),
            Option("l3-cache-schema", VALUE, "refused: resctrl is not supported yet", metavar="TEXT", hidden=True),
            Option("mem-bw-schema", VALUE, "refused: resctrl is not supported yet", metavar="TEXT", hidden=True),
        ),
    ),
}  # fmt: skip

HOT_COMMANDS = ("create", "delete", "exec", "kill", "run", "start", "state")
