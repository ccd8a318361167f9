"""What is written back where systemd has overwritten a value that it was not to change."""

import pytest

from runtime.errors import PlancError
from runtime.execute.systemd import blame, typed_property
from runtime.execute.systemd_update import restore, snapshot, to_write


@pytest.mark.parametrize(
    ("file", "old", "now", "writes"),
    [
        ("cpu.max", ["12345 100000"], ["13000 100000"], ["12345 100000"]),
        ("cpu.max", ["max 100000"], ["max 100000"], []),
        ("io.max", ["8:0 rbps=1 wbps=max"], [], ["8:0 rbps=1 wbps=max"]),
        ("io.max", [], ["8:0 rbps=1"], ["8:0 rbps=max wbps=max riops=max wiops=max"]),
        ("io.max", ["8:0 rbps=1"], ["8:0 rbps=2"], ["8:0 rbps=1"]),
        ("io.weight", ["default 100", "8:0 50"], ["default 200"], ["default 100", "8:0 50"]),
        ("cpuset.cpus", [], ["0-1"], ["\n"]),
    ],
)
def test_lines(file: str, old: list[str], now: list[str], writes: list[str]) -> None:
    assert to_write(file, old, now) == writes


def test_only_what_has_changed_is_written(tmp_path: object) -> None:
    path = str(tmp_path)
    for name, text in (("memory.high", "4096\n"), ("pids.max", "5\n")):
        with open(f"{path}/{name}", "w") as file:
            file.write(text)
    before = snapshot([((), path)])
    assert before == {f"{path}/memory.high": ["4096"], f"{path}/pids.max": ["5"]}
    with open(f"{path}/memory.high", "w") as file:
        file.write("8888\n")
    restore(before)
    with open(f"{path}/memory.high") as file:
        assert file.read().startswith("4096")


def test_an_error_names_the_annotation() -> None:
    annotations = ["org.example", "org.systemd.property.Nonsense"]
    error = blame(PlancError("start unit x: systemd: Cannot set property Nonsense"), annotations)
    assert str(error).startswith('annotations["org.systemd.property.Nonsense"]: ')
    error = blame(PlancError("Failed to set unit properties: Unexpected message contents"), annotations)
    assert "org.systemd.property.Nonsense" in str(error)
    error = blame(PlancError("Cannot set property WaitUSec"), ["org.systemd.property.WaitSec"])
    assert str(error).startswith('annotations["org.systemd.property.WaitSec"]: ')
    assert str(blame(PlancError("something else"), ["org.example"])) == "something else"


def test_properties_have_their_types() -> None:
    assert typed_property("Description='a=b'") == ("Description", ("s", "a=b"))
