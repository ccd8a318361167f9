"""Every row of bad_input_table.py: a clear line, an exit code other than 0, no traceback, nothing left behind."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from . import caller, cgroup, unprivileged
from .bad_input_table import BUNDLES, CALLS, CONFIGS, BadBundle, BadCall, BadConfig, Delete
from .harness import Container, Result

CONFIG = "planc create failed: config.json: "


IN_NO_USER_NAMESPACE = {
    "duplicate namespace",
    "mappings without user namespace",
    "user namespace without mappings",
}
ROOTLESS_LINE = (
    "\nlinux.namespaces: without root a container needs a user namespace; "
    'add {"type": "user"}, uidMappings and gidMappings, as planc spec --rootless does'
)


def _row(row: Any) -> Any:
    marks = [pytest.mark.old_runc_lacks(row.old_runc, strict=False)] if row.old_runc else []
    if row.name in IN_NO_USER_NAMESPACE:
        marks.append(pytest.mark.needs_root("a container without a user namespace"))
    if getattr(row, "controller", None):
        marks.append(pytest.mark.needs_controller(row.controller))
    return pytest.param(row, id=row.name.replace(" ", "-"), marks=marks)


def _change(config: dict[str, Any], path: str, value: Any) -> None:
    """Set or delete what a dotted path such as linux.namespaces[5].type names."""
    words: list[Any] = []
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        words.append(name or int(index))
    parent: Any = config
    for word in words[:-1]:
        parent = parent[word] if isinstance(word, int) else parent.setdefault(word, {})
    last = words[-1]
    if isinstance(value, Delete):
        del parent[last]
    elif isinstance(parent, list) and last == len(parent):
        parent.append(value)
    else:
        parent[last] = value


def _check_text(container: Container, said: str, row: Any) -> None:
    """All of standard error, so that a second line that nobody wants is a failure too."""
    assert said.endswith("\n")
    said = said.removesuffix("\n")
    if not isinstance(row, BadCall):
        assert said.startswith(CONFIG)
        said = said.removeprefix(CONFIG).replace("\nconfig.json: ", "\n")
    if caller.ROOTLESS and isinstance(row, BadBundle):
        said = said.removesuffix(ROOTLESS_LINE)
    if isinstance(row.exact, re.Pattern):
        assert row.exact.fullmatch(said), said
        return
    names = {"{id}": container.id, "{bundle}": container.bundle.path, "{root}": container.runtime.root}
    wanted = row.exact
    for name, value in names.items():
        wanted = wanted.replace(name, value)
    assert said == wanted


def _check(container: Container, result: Result, row: Any, old_runc: bool) -> None:
    result.failed(*([] if old_runc else row.words))
    assert "internal error" not in result.stderr, str(result)
    assert result.stdout == "" or old_runc, str(result)
    if not old_runc:
        _check_text(container, result.stderr, row)
    assert container.runtime.leftovers() == []
    assert cgroup.find_named(container.id) == []
    assert not os.path.exists(container.pid_file)


@pytest.mark.parametrize("row", [_row(row) for row in CONFIGS])
def test_config(container: Container, row: BadConfig, runtime_is_old_runc: bool) -> None:
    for path, value in row.changes.items():
        _change(container.config, path, value)
    _check(container, container.try_create(), row, runtime_is_old_runc)


@pytest.mark.parametrize("row", [_row(row) for row in BUNDLES])
def test_bundle(container: Container, row: BadBundle, runtime_is_old_runc: bool) -> None:
    if row.content is not None:
        Path(container.bundle.path, "config.json").write_bytes(row.content)
    result = container.runtime.call("create", "--bundle", container.bundle.path, container.id)
    _check(container, result, row, runtime_is_old_runc)


@pytest.mark.parametrize("row", [_row(row) for row in CALLS])
def test_call(container: Container, row: BadCall, runtime_is_old_runc: bool) -> None:
    container.bundle.write()
    os.mkdir(container.runtime.root)
    names = {"{id}": container.id, "{bundle}": container.bundle.path}
    words = [names.get(word, word) for word in row.argv]
    result = container.runtime.call(*words)
    _check(container, result, row, runtime_is_old_runc)
    if not runtime_is_old_runc:
        assert result.returncode == row.code


def test_config_json_is_a_directory(container: Container) -> None:
    os.mkdir(f"{container.bundle.path}/config.json")
    container.runtime.call("create", "--bundle", container.bundle.path, container.id).failed("config.json")


@pytest.mark.planc_only("a check that config.json is a file")
def test_config_json_is_a_fifo(container: Container) -> None:
    """It must not wait for a writer."""
    os.mkfifo(f"{container.bundle.path}/config.json")
    result = container.runtime.call("create", "--bundle", container.bundle.path, container.id)
    result.failed("config.json")


def test_config_json_is_unreadable(container: Container, directory: str) -> None:
    container.bundle.write()
    os.chmod(f"{container.bundle.path}/config.json", 0)
    container.runtime.root = f"{directory}/root"
    result = container.runtime.call(
        "create", "--bundle", container.bundle.path, container.id, user=unprivileged.UID
    )
    result.failed("config.json", "permission denied")


@pytest.mark.planc_only("a report of every problem at once")
def test_all_problems_are_reported_at_once(container: Container) -> None:
    container.process["args"] = []
    container.process["cwd"] = "relative"
    container.process["user"]["uid"] = "root"
    container.config["mounts"].append({"type": "tmpfs"})
    container.linux["namespaces"].append({"type": "nonsense"})
    last = len(container.linux["namespaces"]) - 1
    container.try_create().failed(
        "process.args",
        "process.cwd",
        "process.user.uid",
        "mounts[6].destination",
        f"linux.namespaces[{last}].type",
    )


def test_unknown_properties_are_ignored(container: Container) -> None:
    container.config["unknown"] = {"a": 1}
    container.process["unknown"] = [1]
    container.linux["unknown"] = "x"
    container.config["mounts"][0]["unknown"] = True
    assert container.sh("echo fine") == "fine"


def test_optional_parts_may_be_null(container: Container) -> None:
    """Go programs write null for empty slices and pointers."""
    container.config["hooks"] = None
    container.config["annotations"] = None
    container.process["rlimits"] = None
    container.process["user"]["additionalGids"] = None
    container.linux.update(
        dict.fromkeys(
            ["resources", "devices", "seccomp", "maskedPaths", "readonlyPaths", "sysctl"]
            + ([] if caller.ROOTLESS else ["uidMappings"])
        )
    )
    assert container.sh("echo fine") == "fine"


def test_the_table_is_large_enough() -> None:
    assert len(CONFIGS) + len(BUNDLES) + len(CALLS) >= 60
    for rows in (CONFIGS, BUNDLES, CALLS):
        names = [row.name for row in rows]
        assert len(names) == len(set(names))
