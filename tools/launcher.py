"""Builds the installed program: csrc/launcher, csrc/front, libpython and planc's modules in one file."""

import ast
import importlib.util
import marshal
import os
import subprocess
import sys
import sysconfig
import tempfile
import types

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FRONT = os.path.join(TOP, "csrc", "front")
HOT_COMMANDS = ("create", "delete", "exec", "kill", "run", "start", "state")
# imported inside functions on nearly every run of these commands
USED = {
    "create": ("runtime.cli.launch", "runtime.execute.unix_socket", "runtime.linux.cgroup", "runtime.execute.cgroup_devices", "runtime.plan.device_rules"),
    "run": (
        "runtime.cli.launch", "runtime.execute.unix_socket", "runtime.linux.cgroup", "runtime.execute.cgroup_devices", "runtime.plan.device_rules",
        "runtime.execute.foreground", "runtime.execute.subreaper", "runtime.execute.cgroup_processes",
    ),
    "delete": ("runtime.cli.launch", "runtime.execute.cgroup_processes"),
    "exec": ("runtime.cli.launch", "runtime.execute.unix_socket", "runtime.linux.cgroup", "runtime.execute.foreground"),
}  # fmt: skip
# what an error in decoding text imports; Python does not freeze it itself
STANDARD = ("encodings", "encodings.aliases", "encodings.utf_8")
# a package with extension modules: outside of the hot commands it must be imported from its directory
WITH_EXTENSIONS = ("runtime.native",)
DEPENDENCIES = ("_cffi_backend", "click", "prctl", "seccomp")
FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-no-pie", "-fno-pie", "-Wl,--export-dynamic")


def package_directories() -> list[str]:
    """Where this interpreter finds planc's dependencies, beside its standard library."""
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_config_var("DESTSHARED")}
    found: list[str] = []
    for name in DEPENDENCIES:
        spec = importlib.util.find_spec(name)
        if spec is None or not spec.origin:
            if name != "seccomp":
                sys.exit(f"the Python module {name} is missing: run `make dependencies`")
            continue
        origin = os.path.dirname(spec.origin) if spec.submodule_search_locations else spec.origin
        directory = os.path.dirname(origin)
        if directory not in standard and directory not in found:
            found.append(directory)
    return found


class WithoutTypes(ast.NodeTransformer):
    """Annotations and imports for type checking only: loading them costs a tenth of planc's time."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        self.generic_visit(node)
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign(targets=[node.target], value=node.value), node)

    def visit_If(self, node: ast.If) -> ast.stmt:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return ast.copy_location(ast.Pass(), node)
        self.generic_visit(node)
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        return ast.copy_location(ast.Pass(), node) if node.module == "__future__" else node


class Module:
    """One frozen module: name, whether it is a package, code."""

    def __init__(self, name: str, package: bool, source: str, shown: str) -> None:
        self.name = name
        self.package = package
        # docstrings and asserts stay in the sources: they cost time to load
        tree = ast.fix_missing_locations(WithoutTypes().visit(ast.parse(source)))
        self.code = compile(tree, shown, "exec", dont_inherit=True, optimize=2)


def planc_modules(library: str, installed: str) -> list[Module]:
    """Every module of the package, with the path its source will have."""
    modules = []
    for directory, _, files in sorted(os.walk(os.path.join(library, "runtime"))):
        for file in sorted(files):
            if not file.endswith(".py"):
                continue
            path = os.path.join(directory, file)
            relative = os.path.relpath(path, library)
            name = relative.removesuffix(".py").replace("/", ".")
            package = name.endswith(".__init__")
            with open(path, encoding="utf-8") as source:
                modules.append(
                    Module(
                        name.removesuffix(".__init__"),
                        package,
                        source.read(),
                        os.path.join(installed, relative),
                    )
                )
    return modules


PROBE = """
import sys
sys.path[:0] = [{library!r}]
sys.path += {packages!r}
import {names}
for name, module in list(sys.modules.items()):
    print(name, getattr(module.__spec__, "origin", None) or "-")
"""


def imported(library: str, command: str) -> tuple[list[str], dict[str, str]]:
    """What a command imports of planc and of extension modules, in the order in which they are complete,
    and the files of the extension modules."""
    names = [f"runtime.cli.{command}", "runtime.cli.main", *USED.get(command, ("runtime.cli.launch",))]
    code = PROBE.format(library=library, packages=package_directories(), names=", ".join(names))
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    origins = dict(line.split(" ", 1) for line in result.stdout.splitlines())
    extensions = {name: origin for name, origin in origins.items() if origin.endswith(".so")}
    order = [
        line.rpartition("|")[2].strip()
        for line in result.stderr.splitlines()
        if line.startswith("import time")
    ]
    ours = [name for name in order if name in extensions or name == "runtime" or name.startswith("runtime.")]
    return ours, extensions


def with_parents(order: list[str], packages: set[str], extensions: dict[str, str]) -> list[str]:
    """Each package in front of its first module; an extension module where it is."""
    placed: list[str] = []
    for name in order:
        if name in extensions:
            placed.append(name)
            continue
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            part = ".".join(parts[:count])
            if part not in placed and (part in packages or part == name):
                placed.append(part)
    return placed


def standard_modules() -> list[Module]:
    modules = []
    for name in STANDARD:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None
        with open(spec.origin, encoding="utf-8") as source:
            package = spec.submodule_search_locations is not None
            modules.append(Module(name, package, source.read(), spec.origin))
    return modules


def boot_modules(library: str, installed: str, modules: list[Module]) -> list[Module]:
    packages = {module.name for module in modules if module.package}
    hot: dict[str, tuple[str, ...]] = {}
    extensions: dict[str, str] = {}
    for command in HOT_COMMANDS:
        order, found = imported(library, command)
        hot[command] = tuple(with_parents(order, packages, found))
        for name, origin in found.items():
            extensions[name] = origin.replace(library, installed)
    with open(os.path.join(TOP, "tools", "planc_boot.py"), encoding="utf-8") as file:
        source = file.read()
    for variable, value in (
        ("HOT: dict[str, tuple[str, ...]] = {}", f"HOT = {hot!r}"),
        ("PACKAGES: frozenset[str] = frozenset()", f"PACKAGES = frozenset({sorted(packages)!r})"),
        ("EXTENSIONS: dict[str, str] = {}", f"EXTENSIONS = {extensions!r}"),
        ('STDLIB = ""', f"STDLIB = {sysconfig.get_path('stdlib')!r}"),
        ('LIBRARY = ""', f"LIBRARY = {installed!r}"),
    ):
        assert variable in source
        source = source.replace(variable, value)
    codes = {module.name: module.code for module in modules}
    hot_modules = [
        hot_module(command, [codes[name] for name in names if name in codes])
        for command, names in hot.items()
    ]
    return [*hot_modules, Module("planc_boot", False, source + "\n\nboot()\n", "planc_boot.py")]


def hot_module(command: str, codes: list[types.CodeType]) -> Module:
    """What a command loads as the constants of one code object: in it a name that many use stands once."""
    module = Module(f"planc_hot_{command}", False, "", "planc_hot.py")
    module.code = module.code.replace(co_consts=tuple(codes))
    return module


def c_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def header(modules: list[Module], installed: str) -> str:
    """modules.h, see csrc/launcher/launcher.c."""
    lines = ["/* generated by tools/launcher */"]
    for number, module in enumerate(modules):
        data = ",".join(map(str, marshal.dumps(module.code)))
        lines.append(f"static const unsigned char module_{number}[] = {{{data}}};")
    lines.append("static const struct _frozen modules[] = {")
    for number, module in enumerate(modules):
        size = len(marshal.dumps(module.code))
        lines.append(
            f"    {{{c_string(module.name)}, module_{number}, {size}, {int(module.package)}, NULL}},"
        )
    lines.append("    {NULL, NULL, 0, 0, NULL},\n};")
    paths = [
        installed,
        sysconfig.get_path("stdlib"),
        sysconfig.get_config_var("DESTSHARED"),
        *package_directories(),
    ]
    lines.append(f"static const char *const search_paths[] = {{{', '.join(map(c_string, paths))}, NULL}};")
    lines.append(f"#define PYTHON_HOME {c_string(sys.base_prefix)}")
    lines.append(f"#define PYTHON_EXECUTABLE {c_string(os.path.realpath(sys.executable))}")
    lines.append(f"#define PYTHON_STDLIB {c_string(sysconfig.get_path('stdlib'))}")
    return "\n".join(lines) + "\n"


def static_library() -> str:
    """libpythonX.Y.a, or "" where it is not installed."""
    path = os.path.join(sysconfig.get_config_var("LIBPL") or "", sysconfig.get_config_var("LIBRARY") or "-")
    return path if os.path.exists(path) else ""


def build(library: str, output: str, prefix: str) -> bool:
    """Build `output` from the package `runtime` in `library`, which will be found below PREFIX/lib/planc.

    False when this Python cannot be embedded, because its static library is not installed.
    """
    archive = static_library()
    if not archive:
        return False
    installed = os.path.join(prefix, "lib", "planc")
    modules = planc_modules(library, installed)
    modules += [*standard_modules(), *boot_modules(library, installed, modules)]
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "modules.h"), "w", encoding="utf-8") as file:
            file.write(
                header([module for module in modules if module.name not in WITH_EXTENSIONS], installed)
            )
        subprocess.run(
            [*compiler(directory), *sources(), archive, *libraries(), "-o", output + ".new"], check=True
        )
    os.rename(output + ".new", output)
    return True


def compiler(generated: str) -> list[str]:
    include = [generated, FRONT, os.path.join(TOP, "csrc"), sysconfig.get_path("include")]
    return ["cc", *FLAGS, "-D_GNU_SOURCE", *[f"-I{directory}" for directory in include]]


def sources() -> list[str]:
    front = sorted(os.path.join(FRONT, name) for name in os.listdir(FRONT) if name.endswith(".c"))
    return [os.path.join(TOP, "csrc", "launcher", "launcher.c"), *front]


def libraries() -> list[str]:
    """What the static library wants beside itself."""
    names = " ".join(str(sysconfig.get_config_var(name) or "") for name in ("LIBS", "SYSLIBS", "MODLIBS"))
    return [*dict.fromkeys(names.split()), "-lm"]
