"""First module of the installed planc: loads what the command needs, then runs it.

The import system takes about as long to find a module as to run it. What a hot command imports, and in
which order, is known when planc is installed; so those modules are run one after the other here, and
the imports among them only look into sys.modules.
"""

import _imp
import gc
import sys

import planc_launcher

gc.disable()

# filled in by tools/launcher: command -> modules in order; packages; extension modules and their files
HOT: dict[str, tuple[str, ...]] = {}
PACKAGES: frozenset[str] = frozenset()
EXTENSIONS: dict[str, str] = {}
LIBRARY = ""
STDLIB = ""


class Rest:
    """Last finder while only the interpreter's core runs: the first import that gets here starts the rest."""

    @classmethod
    def finish(cls) -> None:
        sys.meta_path.remove(cls)
        planc_launcher.finish_interpreter()
        # of the codecs only one is in the program, the others are files
        sys.modules["encodings"].__path__ = [f"{STDLIB}/encodings"]

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        cls.finish()
        if name.startswith("encodings."):
            path = sys.modules["encodings"].__path__
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None


class Spec:
    """What _imp.create_dynamic wants to know."""

    def __init__(self, name: str, origin: str) -> None:
        self.name = name
        self.origin = origin


def load(names: tuple[str, ...], codes: tuple) -> None:
    """Run the modules in the order given: each after those that it imports. `codes`: of those that are ours."""
    modules = sys.modules
    rest = iter(codes)
    for name in names:
        if name in EXTENSIONS:
            modules[name] = module = _imp.create_dynamic(Spec(name, EXTENSIONS[name]))
            _imp.exec_dynamic(module)
        else:
            run_module(name, next(rest))


def run_module(name: str, code) -> None:
    module = type(sys)(name)
    parent, _, child = name.rpartition(".")
    path = f"{LIBRARY}/{name.replace('.', '/')}"
    if name in PACKAGES:
        module.__path__ = [path]
        module.__package__ = name
        module.__file__ = f"{path}/__init__.py"
    else:
        module.__package__ = parent
        module.__file__ = f"{path}.py"
    sys.modules[name] = module
    exec(code, module.__dict__)
    if parent:
        setattr(sys.modules[parent], child, module)


def command() -> str:
    """The first word that may be one: a guess that only decides what is loaded early."""
    for word in sys.argv[1:]:
        if word in HOT:
            return word
    return ""


def boot() -> None:
    sys.meta_path.append(Rest)
    name = command()
    if name:
        # one object with the code of all: what they have in common is read once
        load(HOT[name], _imp.get_frozen_object(f"planc_hot_{name}").co_consts)
    else:
        # codecs and files want the whole interpreter
        Rest.finish()
        run_module("runtime", _imp.get_frozen_object("runtime"))
    from runtime.cli.launch import main

    main()
