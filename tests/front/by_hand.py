"""Containers made by hand: a process of the test's for init, plain directories for cgroups.

The front and Python's commands cannot tell, and no root is needed.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from runtime.linux.process import process_status
from runtime.state import store
from runtime.state.record import Record
from runtime.state.summary import save_summary

OWN_PID_NAMESPACE = {"linux": {"namespaces": [{"type": "pid"}]}}


def new_record(container_id: str, pid: int = 0) -> Record:
    """A finished container with a pid namespace of its own, whose init is `pid` (0: one that is gone)."""
    record = Record(container_id, "/bundle")
    record.rootfs, record.oci_version, record.created = (
        "/bundle/rootfs",
        "1.0.2",
        "2026-01-02T03:04:05.000000006Z",
    )
    record.pid, record.start_time = (pid, process_status(pid)[1]) if pid else (2**22, 1)
    record.creating = False
    record.config = dict(OWN_PID_NAMESPACE)
    return record


def save(root: Path, record: Record, files: Sequence[str] = ()) -> Path:
    """Write a record as `create` does; `files`: FIFOs beside it. Returns the directory."""
    with store.reserve(str(root), record.id) as directory:
        directory.save(record)
        save_summary(directory, record)
        for name in files:
            os.mkfifo(name, 0o600, dir_fd=directory.fd)
        return Path(directory.path)


class Init:
    """The other end of exec.fifo and exec.status: waits for its byte, then does `answer(status fd)`."""

    def __init__(self, directory: Path, answer: Callable[[int], None]) -> None:
        flags = os.O_RDWR | os.O_CLOEXEC
        self.fifo = os.open(directory / store.EXEC_FIFO, flags)
        self.status = os.open(directory / store.EXEC_STATUS, flags)
        self.heard = b""
        self.answer = answer
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        self.heard = os.read(self.fifo, 100)
        self.answer(self.status)
        os.close(self.status)

    def join(self) -> bytes:
        """What has come through the FIFO; b"" for one that nobody woke."""
        os.write(self.fifo, b"!")
        self.thread.join()
        os.close(self.fifo)
        return self.heard.removesuffix(b"!")


def sleeper(*argv: str) -> subprocess.Popen[bytes]:
    """A process to be some container's init."""
    return subprocess.Popen(argv or ("sleep", "1000"), stdin=subprocess.DEVNULL)
