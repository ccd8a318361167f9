"""Fetch the newer User Mode Linux through apt, from the archive that this machine is configured with.

Nothing is installed: the packages are unpacked into build/uml. The program needs a newer C library than the machine's,
which comes with it; its program interpreter is given a relative name in place, so that it must be started in build/uml.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parents[2] / "build" / "uml"
SUITE = "sid"
PACKAGES = ("user-mode-linux", "libc6")
INTERPRETER = b"/lib64/ld-linux-x86-64.so.2\0"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Unusable(Exception):
    """It cannot be had, or does not work here."""


@dataclass(frozen=True)
class Unpacked:
    """Paths of the kernel, all but `program` absolute."""

    directory: str
    program: str = "./linux.uml"

    @property
    def libraries(self) -> str:
        return f"{self.directory}/root/usr/lib/x86_64-linux-gnu"

    @property
    def modules(self) -> str:
        return f"{self.directory}/root/usr/lib/uml/modules"

    @property
    def tried(self) -> bool:
        """Whether it has booted on this machine."""
        return os.path.exists(f"{self.directory}/tried")

    def mark_tried(self) -> None:
        Path(self.directory, "tried").touch()


def fetch() -> Unpacked:
    """Unpack it unless an earlier run has."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with _alone():
        if not (DIRECTORY / "linux.uml").exists():
            for name in ("apt", "packages", "root"):
                shutil.rmtree(DIRECTORY / name, ignore_errors=True)
            _download()
            _unpack()
            shutil.rmtree(DIRECTORY / "apt")
            shutil.rmtree(DIRECTORY / "packages")
    return Unpacked(str(DIRECTORY))


@contextmanager
def _alone() -> Iterator[None]:
    with open(DIRECTORY / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _download() -> None:
    apt = DIRECTORY / "apt"
    (apt / "lists/partial").mkdir(parents=True)
    (apt / "cache/archives/partial").mkdir(parents=True)
    (DIRECTORY / "packages").mkdir()
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {_archive()} {SUITE} main\n")
    options = {
        "Dir::Etc::SourceList": apt / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache": apt / "cache",
        "APT::Sandbox::User": "root",
        "Acquire::Retries": 2,
        "Acquire::http::Timeout": 30,
    }
    apt_get = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in options.items())]
    _call([*apt_get, "update"])
    _call([*apt_get, "download", *(f"{name}/{SUITE}" for name in PACKAGES)], cwd=DIRECTORY / "packages")


def _archive() -> str:
    """Where this machine gets Debian itself from, in whatever form that is written down."""
    release = _call(["sh", "-c", '. /etc/os-release; echo "$VERSION_CODENAME"']).strip()
    targets = _call(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]
    )
    for line in targets.splitlines():
        suite, component, uri = line.split(" ", 2)
        if suite == release and component == "main":
            return uri
    raise Unusable(f"apt has no archive of {release} main")


def _unpack() -> None:
    for package in (DIRECTORY / "packages").iterdir():
        _call(["dpkg-deb", "-x", str(package), str(DIRECTORY / "root")])
    root = DIRECTORY / "root/usr"
    shutil.copy(root / "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", DIRECTORY / "ld.so")
    program = (root / "bin/linux.uml").read_bytes()
    if program.count(INTERPRETER) != 1:
        raise Unusable("linux.uml is not linked as expected")
    (DIRECTORY / "linux.uml.new").write_bytes(
        program.replace(INTERPRETER, b"ld.so".ljust(len(INTERPRETER), b"\0"))
    )
    os.chmod(DIRECTORY / "linux.uml.new", 0o755)
    os.rename(DIRECTORY / "linux.uml.new", DIRECTORY / "linux.uml")


def _call(argv: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        words = " ".join(word for word in argv if not word.startswith("-"))
        raise Unusable(f"{words}: {done.stderr.strip()}")
    return done.stdout
