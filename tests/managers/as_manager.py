"""Become the runtime exactly as a manager would start it; run as a script inside the machine.

argv[1] is JSON: `argv`, `env` (complete), `ignore` and `block` (signal numbers), `fds` ({number: path of a
FIFO or file, opened for reading and writing}), `null_output` (stdout and stderr are /dev/null, read-only).
"""

import fcntl
import json
import os
import signal
import sys


def set_signals(ignored: list[int], blocked: list[int]) -> None:
    """Undo what this interpreter did to signals, then do what the manager does."""
    for own in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(own, signal.SIG_DFL)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def open_descriptors(paths: dict[str, str]) -> None:
    opened = {int(n): fcntl.fcntl(os.open(path, os.O_RDWR), fcntl.F_DUPFD, 100) for n, path in paths.items()}
    os.closerange(3, 100)
    for number, fd in opened.items():
        os.dup2(fd, number, inheritable=True)
        os.close(fd)


def main() -> None:
    call = json.loads(sys.argv[1])
    set_signals(call["ignore"], call["block"])
    open_descriptors(call["fds"])
    if call["null_output"]:
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.close(null)
    os.execve(call["argv"][0], call["argv"], call["env"])


if __name__ == "__main__":
    main()
