"""The JSON schemas of the specification as the oracle for what decode.py accepts."""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import ValidationError  # type: ignore[import-untyped]
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from runtime.errors import Problem
from runtime.spec.decode import decode_spec
from runtime.spec.validate import validate

from .samples import DELETE, FULL, edit, full_config, join

SCHEMAS = Path(__file__).parents[2] / "data" / "oci-spec"

# where planc reads on although the schema does not, and why
WIDER = {
    "linux.devices[0].fileMode": "st_mode with its file type, as Docker and Podman send it",
    "linux.devices[1].fileMode": "the same",
    "linux.rootfsPropagation": "the recursive forms, as Docker and containerd send them",
}

# paths of which some values are refused although the schema takes them: the text of the spec, or the kernel
NARROWER = (
    "ociVersion",  # semantic versioning
    "process",  # required on Linux
    "process.args",
    "root",
    "process.user.umask",
    "process.oomScoreAdj",
    "process.ioPriority.priority",
    "process.scheduler.nice",
    "linux.personality.domain",
    "linux.resources.memory",
    "linux.resources.cpu.idle",
    "linux.resources.pids.limit",
    "linux.resources.devices",
    "linux.resources.blockIO",
    "linux.seccomp.syscalls",
    "linux.timeOffsets",
)

# objects whose keys are free
MAPS = {"rdma", "annotations", "sysctl", "unified", "netDevices"}


@lru_cache(maxsize=1)
def validator() -> Draft4Validator:
    resources = [
        (path.name, Resource.from_contents(json.loads(path.read_text()), default_specification=DRAFT4))
        for path in SCHEMAS.glob("*.json")
    ]
    registry: Any = Registry().with_resources(resources)
    return Draft4Validator({"$ref": "config-schema.json"}, registry=registry)


def leaves(error: ValidationError) -> Iterator[ValidationError]:
    if error.context:
        for inner in error.context:
            yield from leaves(inner)
    else:
        yield error


def refused_by_schema(config: Any) -> set[str]:
    """The paths of everything that has the wrong type, range or word, or is missing."""
    found: set[str] = set()
    for top in validator().iter_errors(config):
        for error in leaves(top):
            path = list(error.absolute_path)
            parent = config
            for step in path[:-1]:
                parent = parent[step]
            in_map = len(path) > 1 and path[-2] in MAPS
            if error.instance is None and isinstance(parent, dict) and not in_map:
                continue  # null is absent to planc
            if error.validator == "required":
                names = [name for name in error.validator_value if error.instance.get(name) is None]
                found.update(join([*path, name]) for name in names)
            else:
                assert error.validator in ("type", "enum", "minimum", "maximum", "pattern", "minItems"), error
                found.add(join(path))
    return found


def refused_by_planc(config: Any) -> list[Problem]:
    spec, problems = decode_spec(config)
    return problems + validate(spec, known=problems)


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of everything inside a JSON value."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for step, item in entries:
        yield (*path, step)
        yield from places(item, (*path, step))


# planc refuses these as a whole
UNSUPPORTED = ("linux.intelRdt", "linux.memoryPolicy", "linux.netDevices", "process.execCPUAffinity")
PLACES = sorted({join(path) for path in places(FULL)})

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**66), 2**66)
    | st.sampled_from([-1, 0, 1, 7, 8, 511, 512, 2**16, 2**32 - 1, 2**32, 2**63, 2**64 - 1, 2**64])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6)
    | st.sampled_from(["pid", "c", "CAP_KILL", "SCMP_ACT_LOG", "LINUX", "shared", "/x", "2MB", "1.0.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutations(draw: st.DrawFn) -> Any:
    """A valid config in which a few properties were replaced or removed."""
    config = full_config()
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES))
        value = DELETE if draw(st.integers(0, 4)) == 0 else draw(JSON_VALUES)
        try:
            edit(config, path, value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier edit removed the place
    return config


@settings(max_examples=200, deadline=None)
@given(mutations())
def test_what_the_schema_refuses_is_reported_at_the_same_path(config: Any) -> None:
    found = {problem.path for problem in refused_by_planc(config)}
    for path in refused_by_schema(config):
        if path in WIDER or path.startswith(UNSUPPORTED):
            continue
        assert path in found, f"{path} is not among {sorted(found)}"


@settings(max_examples=200, deadline=None)
@given(mutations())
def test_what_the_schema_accepts_is_decoded(config: Any) -> None:
    if not validator().is_valid(config):
        return
    for problem in decode_spec(config)[1]:
        # the schema has a pattern for keys that leaves out the empty one and newlines
        odd_key = problem.path.endswith('[""]') or "\\n" in problem.path
        odd_text = "NUL" in problem.message or "surrogate" in problem.message
        assert problem.path.startswith(NARROWER) or odd_key or odd_text, problem


@pytest.mark.parametrize("path", PLACES)
def test_wrong_type_everywhere(path: str) -> None:
    """Each property of the full config, given a value of another type, is a problem just there."""
    config = full_config()
    edit(config, path, 5.5)
    assert path in refused_by_schema(config)
    found = refused_by_planc(config)
    assert path in [problem.path for problem in found]
    assert all(problem.message for problem in found)


def schema_properties(schema: Any, base: str, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every path of property names in a schema; through lists and maps without a step."""
    if "$ref" in schema:
        file, _, pointer = schema["$ref"].partition("#")
        target = json.loads((SCHEMAS / (file or base)).read_text())
        for step in pointer.split("/")[1:]:
            target = target[step]
        yield from schema_properties(target, file or base, seen)
    for part in schema.get("allOf", []) + schema.get("anyOf", []):
        yield from schema_properties(part, base, seen)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from schema_properties(schema[key], base, seen)
    for name, inner in schema.get("properties", {}).items():
        yield (*seen, name)
        yield from schema_properties(inner, base, (*seen, name))


OTHER_PLATFORMS = {"solaris", "windows", "vm", "zos", "freebsd"}
REFUSED_AS_A_WHOLE = {"intelRdt", "memoryPolicy", "netDevices", "execCPUAffinity"}


def test_the_full_config_has_every_property_of_the_schema() -> None:
    """So that the tests above are about all of them."""
    listed = {
        path
        for path in schema_properties({"$ref": "config-schema.json"}, "config-schema.json")
        if path[0] not in OTHER_PLATFORMS
        and not REFUSED_AS_A_WHOLE.intersection(path[:-1])
        and path[-1] not in ("commandLine", "username")  # of Windows
    }
    used = set()
    for path in places(FULL):
        names = [
            step
            for index, step in enumerate(path)
            if isinstance(step, str) and not (index and path[index - 1] in MAPS)
        ]
        used.add(tuple(names))
    assert listed - used == set()


# valid configs


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.just(DELETE) | values


NAME = st.text("abcdefghij", min_size=1, max_size=5)
ABSOLUTE = st.lists(NAME, max_size=3).map(lambda names: "/" + "/".join(names))
ENV = st.lists(
    st.builds("{}={}".format, NAME, st.text(st.characters(exclude_characters="\0", codec="utf-8")))
)
VALID = {
    "ociVersion": st.sampled_from(["1.0.0", "1.0.2-dev", "1.1.0", "1.2.1", "1.3.0+x"]),
    "hostname": maybe(st.text("abc-", max_size=64)),
    "annotations": maybe(st.dictionaries(st.text(min_size=1), st.text())),
    "root.path": ABSOLUTE | NAME,
    "root.readonly": maybe(st.booleans()),
    "process.args": st.lists(NAME, min_size=1),
    "process.env": maybe(ENV),
    "process.cwd": ABSOLUTE,
    "process.user.uid": maybe(st.integers(0, 1000)),
    "process.user.umask": maybe(st.integers(0, 0o777)),
    "process.oomScoreAdj": maybe(st.integers(-1000, 1000)),
    "process.rlimits": maybe(
        st.integers(0, 2**64 - 1).map(
            lambda hard: [{"type": "RLIMIT_STACK", "soft": hard // 2, "hard": hard}]
        )
    ),
    "process.scheduler": maybe(
        st.fixed_dictionaries(
            {"policy": st.sampled_from(["SCHED_OTHER", "SCHED_BATCH"]), "nice": st.integers(-20, 19)}
        )
        | st.fixed_dictionaries(
            {"policy": st.sampled_from(["SCHED_FIFO", "SCHED_RR"]), "priority": st.integers(1, 99)}
        )
    ),
    "mounts": maybe(st.lists(st.fixed_dictionaries({"destination": ABSOLUTE}, optional={"source": NAME}))),
    "hooks": maybe(
        st.dictionaries(
            st.sampled_from(["prestart", "createRuntime", "poststop"]),
            st.lists(st.fixed_dictionaries({"path": ABSOLUTE}, optional={"timeout": st.integers(1, 9999)})),
        )
    ),
    "linux.cgroupsPath": maybe(ABSOLUTE | NAME),
    "linux.maskedPaths": maybe(st.lists(ABSOLUTE)),
    "linux.seccomp.defaultAction": st.sampled_from(["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"]),
    "linux.seccomp.flags": maybe(st.just([])),
    "linux.resources.memory.limit": st.integers(0, 536870912).filter(bool) | st.just(536870912),
    "linux.resources.memory.swap": st.just(-1) | st.integers(536870912, 2**63 - 1),
    "linux.resources.cpu.shares": maybe(st.integers(0, 2**64 - 1)),
    "linux.resources.pids.limit": st.integers(-1, 2**63 - 1),
    "linux.timeOffsets": maybe(st.dictionaries(st.sampled_from(["boottime", "monotonic"]), st.just({}))),
    "linux.devices": maybe(
        st.lists(
            st.fixed_dictionaries(
                {
                    "path": ABSOLUTE,
                    "type": st.sampled_from("cbu"),
                    "major": st.integers(0, 4095),
                    "minor": st.integers(0, 1048575),
                }
            )
        )
    ),
}


@settings(max_examples=100, deadline=None)
@given(st.fixed_dictionaries(VALID))
def test_valid_configs_have_no_problem(edits: dict[str, Any]) -> None:
    config = full_config()
    for path, value in edits.items():
        edit(config, path, value)
    assert list(validator().iter_errors(config)) == []
    assert refused_by_planc(config) == []


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([path for path in PLACES if not path.endswith("]")]), st.data())
def test_unknown_properties_are_ignored(path: str, data: st.DataObject) -> None:
    config = full_config()
    holder = path.rpartition(".")[0]
    if holder in ("annotations", "linux.sysctl", "linux.resources.unified", "linux.resources.rdma"):
        return
    if holder == "linux.timeOffsets":
        return
    edit(config, f"{holder}.somethingNew" if holder else "somethingNew", data.draw(JSON_VALUES))
    assert refused_by_planc(config) == []


@settings(max_examples=200, deadline=None)
@given(JSON_VALUES | mutations())
def test_no_config_whatever_is_more_than_a_problem(config: Any) -> None:
    """Never an exception, and every line is one line of printable text."""
    for problem in refused_by_planc(config):
        assert str(problem).isprintable()
