"""Planning does nothing: it opens no file, starts no process, reads no clock and no environment."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLAN = ROOT / "runtime" / "plan"

# a hook of sys.addaudithook cannot be taken off again, so the plans are made in a process of their own
PROGRAM = """
import sys
sys.path[:0] = {path!r}
from tests.unit.plan.goldens import GOLDENS, text
from runtime.plan import cgroup_mounts
for make in GOLDENS.values():
    text(make())  # what is imported lazily is imported now

import builtins, os, time
seen = []
def audit(event, args):
    if event not in ("object.__getattr__", "object.__setattr__", "sys._getframe"):
        seen.append((event, args))
def refuse(*args, **kwargs):
    raise AssertionError("planning is not pure")
class Environ(dict):
    __getitem__ = __contains__ = get = keys = items = refuse
plain = ("fspath", "fsencode", "fsdecode")
for name, value in list(vars(os).items()):
    if name[0] != "_" and name not in plain and callable(value) and not isinstance(value, type):
        setattr(os, name, refuse)
for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "gmtime", "localtime", "sleep"):
    setattr(time, name, refuse)
os.environ = Environ()
builtins.open = builtins.input = builtins.print = refuse
sys.addaudithook(audit)
texts = [text(make()) for make in GOLDENS.values()]
again = [text(make()) for make in GOLDENS.values()]
assert seen == [], seen
assert texts == again
sys.stdout.write("pure")
"""


def test_plans_are_made_without_a_system_call() -> None:
    program = PROGRAM.format(path=[str(ROOT), *sys.path])
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, cwd="/")
    assert (done.stdout, done.returncode) == ("pure", 0), done.stderr


@pytest.mark.parametrize("path", sorted(PLAN.glob("*.py")), ids=lambda path: path.name)
def test_nothing_is_imported_that_could_act(path: Path) -> None:
    """Only the room's own and those to the left of it; no module of the system."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            pure = (
                "runtime.plan",
                "runtime.spec",
                "runtime.errors",
                "__future__",
                "typing",
                "collections.abc",
            )
            tables = ("capabilities", "constants", "facts", "json", "host", "signals")
            linux = [f"runtime.linux.{module}" for module in tables]
            assert name.startswith(pure) or name in (*linux, "array", "math", "_struct"), name


def test_the_fast_path_knows_nothing_of_explain() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runtime.plan.compile; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "runtime.plan.compile" in loaded and "runtime.plan.explain" not in loaded
