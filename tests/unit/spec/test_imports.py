"""What reading a config may cost at start-up, and which parts of planc it may know."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

FORBIDDEN = {
    "argparse",
    "click",
    "collections",
    "contextlib",
    "ctypes",
    "dataclasses",
    "enum",
    "functools",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "re",
    "shutil",
    "signal",
    "socket",
    "struct",
    "subprocess",
    "tempfile",
    "typing",
}


def modules_after(code: str) -> set[str]:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}; print(*sorted(sys.modules))"
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_spec_is_light() -> None:
    loaded = modules_after("import runtime.spec.bundle, runtime.spec.decode, runtime.spec.validate")
    assert "runtime.spec.check_linux" in loaded
    assert loaded & FORBIDDEN == set()


def test_reading_a_bundle_is_light(tmp_path: Path) -> None:
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "config.json").write_bytes((Path(__file__).parent / "data" / "full.json").read_bytes())
    loaded = modules_after(f"from runtime.spec.bundle import load_bundle; load_bundle({str(tmp_path)!r})")
    assert "runtime.spec.bundle" in loaded
    assert loaded & FORBIDDEN == set()


def test_the_tables_are_light() -> None:
    loaded = modules_after("import runtime.linux.signals, runtime.linux.capabilities, runtime.spec.template")
    assert loaded & FORBIDDEN == set()


def test_the_spec_knows_only_errors_and_linux() -> None:
    loaded = modules_after("import runtime.spec.bundle, runtime.spec.template")
    rooms = {name.split(".")[1] for name in loaded if name.startswith("runtime.")}
    assert rooms == {"errors", "linux", "spec"}
