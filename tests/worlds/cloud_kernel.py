"""Fetch Debian's cloud kernel, unpacked below build/qemu, and make what QEMU boots: the kernel and an initramfs.

Nothing is installed: a kernel package in the machine's own /boot might be what the machine itself boots next.
"""

from __future__ import annotations

import fcntl
import lzma
import os
import shutil
import subprocess
from pathlib import Path

INSIDE = Path(__file__).resolve().parent / "inside"
DIRECTORY = Path(__file__).resolve().parents[2] / "build" / "qemu"
PACKAGE = "linux-image-cloud-amd64"
INITRAMFS = DIRECTORY / "initramfs"

MODULES = (
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci",
    "fs/fuse/fuse",
    "fs/fuse/virtiofs",
    "fs/overlayfs/overlay",
    "drivers/char/virtio_console",
)
"""In the order of loading; what the kernel has built in is left out."""

APPLETS = ("sh", "mount", "umount", "insmod", "mkdir", "switch_root", "rm", "ln", "uname", "sync", "sleep")

# where a compressed kernel may begin inside bzImage, and what unpacks it
COMPRESSIONS = (
    (b"\xfd7zXZ\0", ["xz", "-dc"]),
    (b"\x02\x21\x4c\x18", ["lz4", "-dc"]),
    (b"\x28\xb5\x2f\xfd", ["zstd", "-dc"]),
)


def modules_directory() -> Path:
    """What /lib/modules has for it."""
    return DIRECTORY / "root/lib/modules"


def release() -> str:
    """`uname -r`."""
    return next(modules_directory().iterdir()).name


def fetch() -> tuple[Path, Path]:
    """The kernel and the initramfs, made anew when the scripts that go into it have changed."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    with open(DIRECTORY / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (DIRECTORY / "vmlinux").exists():
            _unpack()
            _extract(next((DIRECTORY / "root/boot").glob("vmlinuz-*")))
        _make_initramfs()
    return DIRECTORY / "vmlinux", DIRECTORY / "initramfs.cpio"


def _unpack() -> None:
    for name in ("packages", "root"):
        shutil.rmtree(DIRECTORY / name, ignore_errors=True)
    packages = DIRECTORY / "packages"
    packages.mkdir()
    lines = subprocess.run(
        ["apt-cache", "depends", PACKAGE], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    image = [line.split()[-1] for line in lines if "Depends: linux-image-" in line]
    subprocess.run(
        ["apt-get", "-qq", "-oAPT::Sandbox::User=root", "download", *image], cwd=packages, check=True
    )
    for package in packages.iterdir():
        subprocess.run(["dpkg-deb", "-x", package, DIRECTORY / "root"], check=True)
    shutil.rmtree(packages)
    subprocess.run(["depmod", "-b", DIRECTORY / "root", release()], check=True)


def _extract(image: Path) -> None:
    """bzImage → vmlinux, which QEMU starts at once: unpacking itself takes an emulated kernel many seconds."""
    content = image.read_bytes()
    found = content
    for magic, command in COMPRESSIONS:
        start = content.find(magic)
        while start >= 0 and not found.startswith(b"\x7fELF"):
            done = subprocess.run(command, input=content[start:], capture_output=True, check=False)
            if done.stdout.startswith(b"\x7fELF"):
                found = done.stdout
            start = content.find(magic, start + 1)
    (DIRECTORY / "vmlinux.new").write_bytes(found)
    os.rename(DIRECTORY / "vmlinux.new", DIRECTORY / "vmlinux")


def _make_initramfs() -> None:
    shutil.rmtree(INITRAMFS, ignore_errors=True)
    for name in ("bin", "modules", "proc", "dev", "lower", "mnt"):
        (INITRAMFS / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox, "no busybox on PATH (Debian: busybox-static)"
    shutil.copy(busybox, INITRAMFS / "bin")
    for name in APPLETS:
        (INITRAMFS / "bin" / name).symlink_to("busybox")
    shutil.copy(INSIDE / "boot-qemu", INITRAMFS / "init")
    shutil.copy(INSIDE / "lib.sh", INITRAMFS)
    _copy_modules()
    names = "\n".join(str(path.relative_to(INITRAMFS)) for path in sorted(INITRAMFS.rglob("*")))
    with open(DIRECTORY / "initramfs.cpio", "wb") as archive:
        subprocess.run(
            ["cpio", "--create", "--format=newc", "--quiet"],
            input=names.encode(),
            stdout=archive,
            cwd=INITRAMFS,
            check=True,
        )


def _copy_modules() -> None:
    order = []
    for module in MODULES:
        path = modules_directory() / release() / "kernel" / f"{module}.ko"
        name = path.stem
        if path.exists():
            shutil.copy(path, INITRAMFS / "modules")
        elif path.with_suffix(".ko.xz").exists():
            unpacked = lzma.decompress(path.with_suffix(".ko.xz").read_bytes())
            (INITRAMFS / "modules" / f"{name}.ko").write_bytes(unpacked)
        else:
            continue
        order.append(name)
    (INITRAMFS / "modules/order").write_text("".join(f"{name}\n" for name in order))
