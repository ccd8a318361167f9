"""The images of the suite: busybox with a few users, and the same as infra container of pods."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "docker.io/library/bb:latest"
PAUSE_NAME = "docker.io/library/pause:latest"
SHORT = "bb"
BUSYBOX = ("/bin/busybox", "/usr/bin/busybox", "/usr/local/bin/busybox")
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"
GROUP = "root:x:0:root\nwheel:x:10:root,app\napp:x:1000:\n"
PAUSE = "#!/bin/sh\ntrap exit TERM INT\nsleep 1000000 & wait\n"
DIRECTORIES = (
    "bin",
    "dev",
    "etc",
    "home",
    "home/app",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "usr",
    "usr/bin",
    "var",
)


def busybox() -> str:
    """The path of a busybox on this machine, or an empty string."""
    return next((path for path in BUSYBOX if os.access(path, os.X_OK)), "")


def write_rootfs(directory: Path) -> None:
    """Make an unpacked root file system of the image."""
    program = busybox()
    for name in DIRECTORIES:
        (directory / name).mkdir()
    (directory / "tmp").chmod(0o1777)
    if os.geteuid() == 0:
        os.chown(directory / "home/app", 1000, 1000)
    shutil.copy(program, directory / "bin/busybox")
    (directory / "bin/busybox").chmod(0o755)
    for applet in subprocess.check_output([program, "--list"], text=True).split():
        if applet != "busybox":
            (directory / "bin" / applet).symlink_to("busybox")
    (directory / "etc/passwd").write_text(PASSWD)
    (directory / "etc/group").write_text(GROUP)
    (directory / "bin/pause").write_text(PAUSE)
    (directory / "bin/pause").chmod(0o755)
    (directory / "etc/plain").write_text("not a program\n")
    (directory / "bin/badformat").write_bytes(b"\x01\x02\x03 neither ELF nor script\n")
    (directory / "bin/badformat").chmod(0o755)


def image_config(layer: bytes, command: str) -> bytes:
    """The image's own config: what runs by default, and the digest of its only layer."""
    return json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine],
            "os": "linux",
            "config": {
                "Cmd": [command],
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            },
            "history": [{"created_by": "this test suite"}],
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()


def _owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """As root would have made it, whoever did."""
    entry.uid = entry.gid = 1000 if entry.name == "./home/app" else 0
    entry.uname = entry.gname = ""
    return entry


def write_archive(rootfs: Path, archive: Path) -> None:
    """Pack a root file system as `docker save` would: readable by docker, podman, ctr and buildah."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(rootfs, arcname=".", filter=_owned)
    layer = buffer.getvalue()
    manifest = [
        {"Config": "bb.json", "RepoTags": [NAME], "Layers": ["layer.tar"]},
        {"Config": "pause.json", "RepoTags": [PAUSE_NAME], "Layers": ["layer.tar"]},
    ]
    members = {
        "bb.json": image_config(layer, "sh"),
        "pause.json": image_config(layer, "/bin/pause"),
        "manifest.json": json.dumps(manifest).encode(),
        "layer.tar": layer,
    }
    with tarfile.open(archive, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
