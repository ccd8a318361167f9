"""Build of planc: the Python packages, the cffi extension, and the static init.

``python3 setup.py build_ext --inplace`` builds both C parts in place, for
development.  ``SANITIZE=1`` builds the init with ASan and UBSan into
``build/sanitize/planc-init`` besides, for the tests (PLANC_TEST_INIT=that path).
"""

import os
import runpy

from setuptools import find_packages, setup
from setuptools.command.build_ext import build_ext

HERE = os.path.dirname(os.path.abspath(__file__))
INIT = os.path.join("runtime", "native", "planc-init")


def read(path: str) -> str:
    with open(os.path.join(HERE, path), encoding="utf-8") as file:
        return file.read()


def compile_init(output: str, sanitize: bool = False) -> None:
    runpy.run_path(os.path.join(HERE, "csrc", "build_init.py"))["compile_init"](output, sanitize)


class BuildExt(build_ext):
    """The extension as usual, then planc-init beside it."""

    def init_path(self) -> str:
        return os.path.join(HERE if self.inplace else self.build_lib, INIT)

    def run(self) -> None:
        super().run()
        compile_init(self.init_path())
        if os.environ.get("SANITIZE"):
            compile_init(os.path.join(HERE, "build", "sanitize", "planc-init"), sanitize=True)

    def get_outputs(self) -> list[str]:
        return [*super().get_outputs(), self.init_path()]


VERSION = runpy.run_path(os.path.join(HERE, "runtime", "__init__.py"))["__version__"]
README = os.path.join(HERE, "README.md")

setup(
    name="planc",
    version=VERSION,
    description="OCI container runtime that compiles config.json into a plan and carries it out",
    long_description=read("README.md") if os.path.exists(README) else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    platforms=["linux"],
    packages=find_packages(include=["runtime", "runtime.*"]),
    package_data={"runtime.native": ["planc-init"]},
    zip_safe=False,
    cmdclass={"build_ext": BuildExt},
    cffi_modules=["csrc/build_native.py:ffibuilder"],
    # libseccomp's own bindings (module `seccomp`) are not on package indexes: they come with
    # libseccomp, on Debian as python3-seccomp
    install_requires=[
        "cffi>=1.15",  # the kernel's calls that Python lacks, compiled from csrc/
        "click>=8",  # command line: help, errors, completion
        "jeepney>=0.8",  # D-Bus messages, for --systemd-cgroup only
        "python-prctl>=1.8",  # prctl(2) and capabilities of planc's own process
    ],
    entry_points={"console_scripts": ["planc=runtime.cli.launch:main"]},
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: C",
    ],
)
