"""Make what is measured: driver, root file system, and one bundle per config and purpose."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from measure import configs

HERE = Path(__file__).resolve().parent.parent
#: What the container does: end at once, or stay for `exec`, `state` and `kill`.
PROGRAMS = {"true": ["/bin/true"], "sleep": ["/bin/sleep", "1000"]}
KINDS = ("default", "docker")


def build_driver(build_dir: Path) -> Path:
    """Compile bench/driver.c, statically, and return the program's path."""
    driver = build_dir / "driver"
    flags = ["-O2", "-static", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, "-o", str(driver), str(HERE / "driver.c")], check=True)
    return driver


def make(build_dir: Path, kind: str, program: str, owner: str) -> Path:
    """Write the bundle for config `kind` running `program` and return its directory.

    Each owner (runtime) has its own, so that containers of several at once do not share a cgroup.
    """
    rootfs = build_dir / "rootfs"
    subprocess.run([str(HERE.parent / "bundles/mkrootfs"), str(rootfs)], check=True)
    for name in ("resolv.conf", "hostname", "hosts"):
        (rootfs / "etc" / name).touch()
    bundle = build_dir / f"bundle-{kind}-{program}-{owner}"
    bundle.mkdir(exist_ok=True)
    (bundle / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    (bundle / "hostname").write_text("bench\n")
    (bundle / "hosts").write_text("127.0.0.1 localhost bench\n")
    args = PROGRAMS[program]
    config = (
        configs.docker(args, str(rootfs), str(bundle), f"bench-{owner}")
        if kind == "docker"
        else configs.spec_default(args, str(rootfs))
    )
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle
