"""QEMU with emulated processors (TCG): slow, but with every cgroup controller, AppArmor, checkpoint/restore."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import cloud_kernel, machine

PROGRAM = "qemu-system-x86_64"
VIRTIOFSD = ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")
PROCESSORS = 2


@dataclass(frozen=True)
class Qemu:
    """A kernel and an initramfs."""

    name: str
    kernel: Path
    initramfs: Path
    virtiofsd: str
    terminal: str = "/dev/ttyS0"
    modules: str = str(cloud_kernel.modules_directory())

    @contextlib.contextmanager
    def boot(self, run: machine.Run) -> Iterator[subprocess.Popen[bytes]]:
        with contextlib.ExitStack() as stack:
            messages = stack.enter_context(open(run.share / "emulator", "ab"))
            root, share = run.share / "root.socket", run.share / "share.socket"
            words = {
                root: ("source=/", "cache=always", "xattr"),
                share: (f"source={run.share}", "cache=none"),
            }
            for socket, options in words.items():
                argv = [
                    self.virtiofsd,
                    f"--socket-path={socket}",
                    "--rlimit-nofile=0",
                    "-o",
                    "sandbox=chroot",
                ]
                for option in options:
                    argv += ["-o", option]
                stack.enter_context(machine.group_of(argv, stdout=messages, stderr=messages))
            _await(root, share)
            out = stack.enter_context(machine.copied(run.stdout))
            err = stack.enter_context(machine.copied(run.stderr))
            yield stack.enter_context(
                machine.group_of(
                    self._arguments(run, root, share, out, err),
                    stdin=None if run.interactive else subprocess.DEVNULL,
                    stdout=None if run.interactive else messages,
                    stderr=messages,
                    pass_fds=(out, err),
                )
            )

    def _arguments(self, run: machine.Run, root: Path, share: Path, out: int, err: int) -> list[str]:
        words = ["console=ttyS0", "quiet", "loglevel=4", "panic=-1", "tsc=reliable", "mitigations=off"]
        argv = [PROGRAM, "-M", "q35", "-accel", "tcg,thread=multi", "-nographic", "-nodefaults", "-no-reboot"]
        # QEMU 7.2 computes the flags of cmpxchg16b wrongly now and then
        argv += ["-cpu", "max,-cx16", "-smp", str(PROCESSORS), "-m", str(run.memory)]
        argv += ["-object", f"memory-backend-memfd,id=memory,size={run.memory}M,share=on"]
        argv += ["-numa", "node,memdev=memory"]
        for tag, socket in (("root", root), ("share", share)):
            argv += ["-chardev", f"socket,id={tag},path={socket}"]
            argv += ["-device", f"vhost-user-fs-pci,queue-size=1024,chardev={tag},tag={tag}"]
        argv += ["-device", "virtio-serial-pci"]
        for name, descriptor in (("out", out), ("err", err)):
            argv += ["-add-fd", f"fd={descriptor},set={descriptor}"]
            argv += ["-chardev", f"file,id={name},path=/dev/fdset/{descriptor},append=on"]
            argv += ["-device", f"virtserialport,chardev={name},name={name}"]
        argv += ["-serial", "stdio" if run.interactive else f"file:{run.console}"]
        argv += ["-kernel", str(self.kernel), "-initrd", str(self.initramfs)]
        return [*argv, "-append", " ".join([*words, *run.world.kernel_arguments])]


def _await(*sockets: Path) -> None:
    deadline = time.monotonic() + 30
    while not all(socket.exists() for socket in sockets) and time.monotonic() < deadline:
        time.sleep(0.02)


def cloud() -> Qemu:
    """Debian's cloud kernel; exits with what to install when there is no QEMU."""
    virtiofsd = next((path for path in VIRTIOFSD if os.path.exists(path)), None)
    if not shutil.which(PROGRAM) or not virtiofsd:
        sys.exit("tests/worlds: no QEMU: run tools/dependencies emulator")
    kernel, initramfs = cloud_kernel.fetch()
    return Qemu("QEMU " + cloud_kernel.release(), kernel, initramfs, virtiofsd)
