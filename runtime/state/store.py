"""The directory of containers: <root>/<id>/ with state.json, exec.fifo and exec.status.

Creation is `mkdir`, so that of two creates of one id exactly one wins; state.json
is replaced by rename, so that a reader sees the old or the new one; a command that
changes a container holds a lock on its directory.  While a container is being created
the file `init` says which process is its init.
"""

from __future__ import annotations

import errno
import fcntl
import time

from runtime.errors import KernelError, StateError, UsageError
from runtime.linux import posix as os
from runtime.linux.files import read_all, write_all
from runtime.linux.json import JSONError, dumps, loads
from runtime.state.record import Record, from_json

TYPE_CHECKING = False

STATE_FILE = "state.json"
INIT_FILE = "init"
EXEC_FIFO = "exec.fifo"
EXEC_STATUS = "exec.status"
LOCK_PAUSE = 0.02
ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")


def check_id(container_id: str) -> None:
    """Raise UsageError unless the id is one or more of ``[A-Za-z0-9_+.-]`` and neither "." nor ".."."""
    if not container_id:
        raise UsageError("container id cannot be empty", hint="write one of a-z, A-Z, 0-9 and _ + - .")
    if container_id in (".", ".."):
        raise UsageError(f"invalid container id {container_id!r}: it names a directory; write another")
    if not ID_CHARACTERS.issuperset(container_id):
        raise UsageError(f"invalid container id {container_id!r}: only a-z, A-Z, 0-9 and _ + - . are allowed")
    if len(container_id) > 255:
        raise UsageError(f"invalid container id: {len(container_id)} characters are too many (at most 255)")


class ContainerDirectory:
    """An open <root>/<id>/. Use as a context manager; `fd` is its descriptor."""

    __slots__ = ("container_id", "fd", "path")

    def __init__(self, root: str, container_id: str, fd: int) -> None:
        self.path = f"{root}/{container_id}"
        self.container_id = container_id
        self.fd = fd

    def __enter__(self) -> ContainerDirectory:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor, and with it give up the lock."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def lock(self, patience: float | None = None) -> bool:
        """Wait until no other command works on this container; held until close.

        False: one still does after `patience` seconds. Raises StateError when the container was deleted
        meanwhile.
        """
        if patience is None:
            fcntl.flock(self.fd, fcntl.LOCK_EX)
        elif not self._lock_within(patience):
            return False
        if os.fstat(self.fd).st_nlink == 0:
            raise StateError(f"container does not exist: {self.container_id!r}")
        return True

    def _lock_within(self, patience: float) -> bool:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() >= end:
                    return False
            time.sleep(LOCK_PAUSE)

    def load(self) -> Record | None:
        """The record, or None when the container was never finished (its `create` was killed)."""
        try:
            fd = os.open(STATE_FILE, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.fd)
        except FileNotFoundError:
            return None
        try:
            text = read_all(fd)
        finally:
            os.close(fd)
        try:
            record = from_json(loads(text.decode()))
        except (JSONError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as err:
            raise StateError(
                f"{self.path}/{STATE_FILE} is damaged: {err}",
                hint=f"remove it with: delete --force {self.container_id}",
            ) from None
        if record.creating:
            record.pid, record.start_time = self.load_init()
        return record

    def save_init(self, pid: int, start_time: int) -> None:
        """Put down who init is, beside a record that is still without: a small file is quickly written.

        Whoever saves the finished record unlinks it. Raises KernelError.
        """
        try:
            fd = os.open(INIT_FILE, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=self.fd)
            try:
                os.write(fd, b"%d %d\n" % (pid, start_time))
            finally:
                os.close(fd)
        except OSError as err:
            raise KernelError(f"write {self.path}/{INIT_FILE}", err.errno or 0) from None

    def load_init(self) -> tuple[int, int]:
        """What :meth:`save_init` put down: pid and start time, or 0 0."""
        try:
            fd = os.open(INIT_FILE, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.fd)
        except FileNotFoundError:
            return 0, 0
        try:
            text = os.read(fd, 64)
        finally:
            os.close(fd)
        if not text.endswith(b"\n"):
            # `create` was killed while it wrote
            return 0, 0
        pid, start_time = text.split()
        return int(pid), int(start_time)

    def save(self, record: Record) -> None:
        """Replace state.json. Raises KernelError (a full disk, say)."""
        temporary = f".{STATE_FILE}.{os.getpid()}"
        try:
            fd = os.open(
                temporary,
                os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW,
                0o600,
                dir_fd=self.fd,
            )
            try:
                write_all(fd, dumps(record.to_json()).encode())
            finally:
                os.close(fd)
            os.rename(temporary, STATE_FILE, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except OSError as err:
            raise KernelError(f"write {self.path}/{STATE_FILE}", err.errno or 0) from None

    def has(self, name: str) -> bool:
        """Whether the directory holds `name`."""
        try:
            os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except OSError:
            return False
        return True

    def unlink(self, name: str) -> None:
        """Remove `name`; missing is fine."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            pass

    def remove(self) -> None:
        """Remove the directory and what planc put into it; missing is fine."""
        remove_tree(self.path)


def remove_tree(path: str) -> None:
    """Remove a directory of the store: files, and directories one below the other; missing is fine."""
    try:
        with os.scandir(path) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    remove_tree(entry.path)
                else:
                    os.unlink(entry.path)
        os.rmdir(path)
    except FileNotFoundError:
        return
    except OSError as err:
        raise KernelError(f"remove {path}", err.errno or 0) from None


def make_root(root: str) -> None:
    """Create the root directory (mode 0700) and its parents (0755). Raises KernelError."""
    try:
        os.mkdir(root, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        parent = os.path.dirname(root)
        try:
            os.makedirs(parent, 0o755, exist_ok=True)
        except OSError as err:
            raise KernelError(f"create {parent}", err.errno or 0, hint="give another --root") from None
        make_root(root)
    except OSError as err:
        raise KernelError(f"create {root}", err.errno or 0, hint="give another --root") from None


def reserve(root: str, container_id: str) -> ContainerDirectory:
    """Create <root>/<id>/ and lock it. Raises StateError when it exists already."""
    check_id(container_id)
    make_root(root)
    path = f"{root}/{container_id}"
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        raise StateError(
            f"container with given ID already exists: {container_id!r}",
            hint="delete it first, or choose another id",
        ) from None
    except OSError as err:
        raise KernelError(f"create {path}", err.errno or 0, hint="give another --root") from None
    directory = open_directory(root, container_id)
    directory.lock()
    return directory


def open_directory(root: str, container_id: str) -> ContainerDirectory:
    """Open <root>/<id>/. Raises StateError "container does not exist"."""
    check_id(container_id)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        fd = os.open(f"{root}/{container_id}", flags)
    except OSError as err:
        if err.errno in (errno.ENOENT, errno.ENOTDIR):
            hint = f"planc --root {root} list shows those that do"
            raise StateError(f"container does not exist: {container_id!r}", hint) from None
        raise KernelError(f"open {root}/{container_id}", err.errno or 0) from None
    return ContainerDirectory(root, container_id, fd)


def load(root: str, container_id: str) -> tuple[ContainerDirectory, Record]:
    """An existing, finished container. Raises StateError."""
    directory = open_directory(root, container_id)
    record = directory.load()
    if record is None:
        directory.close()
        raise StateError(
            f"container does not exist: {container_id!r} was never finished",
            hint=f"remove what is left with: delete --force {container_id}",
        )
    return directory, record


def container_ids(root: str) -> list[str]:
    """The ids below `root`, sorted. Raises FileNotFoundError when there is no root."""
    with os.scandir(root) as entries:
        return sorted(
            entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and entry.name[0] != "."
        )
