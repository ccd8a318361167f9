"""Builder of runtime.native._native: planc's own side of the kernel, through cffi's API mode.

The C declarations that Python sees are those of native.h and kernel.h, read
whole; nothing is declared twice.  Run by setup.py (``cffi_modules``), in the
directory of setup.py.
"""

import glob
import os

from cffi import FFI

CSRC = "csrc"
HEADERS = (os.path.join(CSRC, "native.h"), os.path.join(CSRC, "kernel.h"))
SOURCES = (*sorted(glob.glob(os.path.join(CSRC, "parent", "*.c"))), os.path.join(CSRC, "raw.c"))
# cffi's generated code has unused parameters; Python's headers shadow
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter")

ffibuilder = FFI()
for header in HEADERS:
    with open(header, encoding="utf-8") as file:
        ffibuilder.cdef(file.read())

ffibuilder.set_source(
    "runtime.native._native",
    '#include "native_all.h"',
    sources=list(SOURCES),
    depends=[*HEADERS, os.path.join(CSRC, "parent", "native_all.h"), os.path.join(CSRC, "raw.h")],
    include_dirs=[os.path.join(CSRC, "parent")],
    define_macros=[("_GNU_SOURCE", "1")],
    extra_compile_args=["-O2", *WARNINGS],
    py_limited_api=False,
)
