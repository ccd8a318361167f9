"""Builder of planc-init, the static program that runs inside (csrc/*.c).

``compile_init(output)`` is what setup.py calls.  As a script:
``python3 csrc/build_init.py [--sanitize] [--cc CC] OUTPUT``.
"""

from __future__ import annotations

import argparse
import glob
import os
import shutil
import subprocess

CSRC = os.path.dirname(os.path.abspath(__file__))

WARNINGS = (
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wshadow",
    "-Wstrict-prototypes",
    "-Wmissing-prototypes",
    "-Wpointer-arith",
    "-Wundef",
    "-Wvla",
)
# small in the file and, above all, in memory: a waiting init is counted against the container
SMALL = (
    "-Os",
    "-static",
    "-fno-pie",
    "-no-pie",
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-stack-protector",
    "-s",
    "-Wl,--gc-sections",
    "-Wl,-z,norelro",
    "-Wl,-z,noseparate-code",
    "-Wl,--build-id=none",
)
SANITIZE = (
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
)


def kernel_headers(cc: str) -> list[str]:
    """musl-gcc looks for its own headers only; the kernel's come after them."""
    machine = subprocess.run(
        [cc, "-print-multiarch"], capture_output=True, text=True, check=True
    ).stdout.strip()
    found = ["/usr/include", os.path.join("/usr/include", machine)]
    return [word for path in found if os.path.isdir(path) for word in ("-idirafter", path)]


def sources() -> list[str]:
    return sorted(glob.glob(os.path.join(CSRC, "*.c")))


def command(output: str, sanitize: bool, cc: str | None) -> list[str]:
    musl = shutil.which("musl-gcc")
    line = [cc or (musl if musl and not sanitize else "cc"), "-std=gnu11", "-D_GNU_SOURCE", *WARNINGS]
    if os.path.basename(line[0]).startswith("musl-"):
        line += kernel_headers(line[0])
    if sanitize:
        return [*line, *SANITIZE, "-o", output, *sources(), os.path.join(CSRC, "tests", "sanitize.c")]
    return [*line, *SMALL, "-o", output, *sources()]


def compile_init(output: str, sanitize: bool = False, cc: str | None = None) -> None:
    """Compile to `output`: static and small, or (sanitize) dynamic with ASan and UBSan, for tests."""
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    # into a file of its own, so that an init that is being read is never half a program
    subprocess.run(command(output + ".new", sanitize, cc), check=True)
    os.rename(output + ".new", output)


def main() -> None:
    parser = argparse.ArgumentParser(description="compile planc-init")
    parser.add_argument("output")
    parser.add_argument("--sanitize", action="store_true", help="dynamic, with ASan and UBSan")
    parser.add_argument("--cc", help="the compiler; default: musl-gcc where there is one, else cc")
    args = parser.parse_args()
    compile_init(args.output, args.sanitize, args.cc)


if __name__ == "__main__":
    main()
