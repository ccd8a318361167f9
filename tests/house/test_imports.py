"""The house rules about imports: one direction, and few modules on the hot path."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNTIME = ROOT / "runtime"

# room → rooms it may import (docs/architecture.md)
ALLOWED = {
    "errors": set(),
    "linux": {"errors"},
    "native": {"errors", "linux"},
    "state": {"errors", "linux"},
    "spec": {"errors", "linux"},
    "plan": {"errors", "linux", "spec"},
    "execute": {"errors", "linux", "native", "state", "plan"},
    "cli": {"errors", "linux", "state", "spec", "plan", "execute"},
}

# what a command that managers call many times a second must not import: each costs milliseconds
HEAVY = {
    "argparse", "asyncio", "click", "collections", "contextlib", "ctypes", "dataclasses", "enum", "functools",
    "inspect", "json", "logging", "pathlib", "re", "shutil", "signal", "socket", "subprocess", "tempfile",
    "traceback", "typing",
}  # fmt: skip


def room(path: Path) -> str:
    return path.relative_to(RUNTIME).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms imported anywhere in the file, except for type checking only."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and isinstance(block.test, ast.Name) and block.test.id == "TYPE_CHECKING"
        for child in block.body
        for node in ast.walk(child)
    }
    names = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("runtime.")} & set(ALLOWED)


MODULES = sorted(path for path in RUNTIME.rglob("*.py") if room(path) in ALLOWED)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(RUNTIME)))
def test_imports_go_one_way(path: Path) -> None:
    mine = room(path)
    assert imported_rooms(path) - {mine} <= ALLOWED[mine]


@pytest.mark.parametrize("command", ["create", "start", "run", "state", "kill", "delete", "exec"])
def test_hot_commands_import_little(command: str) -> None:
    code = f"import runtime.cli.main, runtime.cli.launch, runtime.cli.{command}, sys; print(*sys.modules)"
    setup = f"import sys; sys.path[:0] = [{str(ROOT)!r}, *{sys.path!r}];"
    result = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-c", setup + code], capture_output=True, text=True, check=True
    )
    assert set(result.stdout.split()) & HEAVY == set()


def test_every_function_is_short() -> None:
    too_long = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 100:
                too_long.append(f"{path}:{node.name}")
    assert too_long == []
