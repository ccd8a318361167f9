"""Reading a bundle from disk; the documents of exec and update."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import SpecError
from runtime.linux import posix
from runtime.spec.bundle import MAX_SIZE, load_bundle, load_process, load_resources
from runtime.spec.template import default_config

from .samples import full_config


def make_bundle(path: Path, config: Any = None) -> Path:
    (path / "rootfs").mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config or default_config()))
    return path


def refused(path: Path, **options: bool) -> str:
    with pytest.raises(SpecError) as caught:
        load_bundle(str(path), **options)
    assert caught.value.exit_code == 1
    return str(caught.value)


def test_a_bundle(tmp_path: Path) -> None:
    bundle = load_bundle(str(make_bundle(tmp_path)))
    assert bundle.path == os.path.realpath(tmp_path)
    assert bundle.rootfs == f"{bundle.path}/rootfs"
    assert bundle.spec.process.args == ["sh"]


def test_paths_are_absolute_and_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = make_bundle(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    (real / "rootfs").rename(real / "tree")
    (real / "rootfs").symlink_to("tree")
    monkeypatch.chdir(tmp_path)
    bundle = load_bundle("link")
    assert bundle.path == os.path.realpath(real)
    assert bundle.rootfs == f"{bundle.path}/tree"


def test_an_absolute_rootfs(tmp_path: Path) -> None:
    config = full_config()
    config["root"]["path"] = str(tmp_path)
    assert load_bundle(str(make_bundle(tmp_path / "b", config))).rootfs == os.path.realpath(tmp_path)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    config = full_config()
    config["process"]["cwd"] = "tmp"
    config["process"]["terminal"] = 1
    config["root"]["path"] = "nowhere"
    path = make_bundle(tmp_path, config)
    assert refused(path).splitlines() == [
        "config.json: process.terminal: 1 is a number, not true or false",
        'config.json: process.cwd: "tmp" is not an absolute path; write it from /',
        f'config.json: root.path: "nowhere" is {os.path.realpath(path)}/nowhere: '
        "no such file or directory; make it, or write the path of another",
    ]


def test_a_rootfs_that_is_a_file(tmp_path: Path) -> None:
    path = make_bundle(tmp_path)
    (path / "rootfs").rmdir()
    (path / "rootfs").touch()
    assert refused(path) == (
        f'config.json: root.path: "rootfs" is {os.path.realpath(path)}/rootfs, which is not a directory; '
        "write the path of a directory"
    )


def test_a_rootfs_behind_a_file(tmp_path: Path) -> None:
    config = full_config()
    config["root"]["path"] = "config.json/rootfs"
    path = make_bundle(tmp_path, config)
    assert refused(path) == (
        f'config.json: root.path: "config.json/rootfs" is {os.path.realpath(path)}/config.json/rootfs: '
        "ENOTDIR: not a directory"
    )


def test_no_config(tmp_path: Path) -> None:
    assert refused(tmp_path) == (
        f"config.json: there is no {os.path.realpath(tmp_path)}/config.json; "
        "a bundle is a directory with a config.json, which planc spec writes"
    )


def test_no_bundle(tmp_path: Path) -> None:
    assert refused(tmp_path / "none") == (
        f"config.json: there is no {os.path.realpath(tmp_path)}/none/config.json; "
        "a bundle is a directory with a config.json, which planc spec writes"
    )


def test_a_bundle_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file") == (
        f"config.json: cannot open {os.path.realpath(tmp_path)}/file/config.json: ENOTDIR: not a directory; "
        "a bundle is a directory with a config.json, which planc spec writes"
    )


def test_a_config_that_is_a_directory(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    assert refused(tmp_path) == (
        f"config.json: {os.path.realpath(tmp_path)}/config.json is a directory; "
        "it must be a file of JSON text"
    )


def test_a_config_that_is_a_fifo(tmp_path: Path) -> None:
    """It must not wait for someone to write to it."""
    os.mkfifo(tmp_path / "config.json")
    assert refused(tmp_path) == (
        f"config.json: {os.path.realpath(tmp_path)}/config.json is not a regular file; "
        "it must be a file of JSON text"
    )


def test_a_config_that_is_a_loop(tmp_path: Path) -> None:
    (tmp_path / "config.json").symlink_to("config.json")
    assert refused(tmp_path) == (
        f"config.json: cannot open {os.path.realpath(tmp_path)}/config.json: "
        "ELOOP: too many levels of symbolic links"
    )


def test_an_unreadable_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read everything, so the refusal of open(2) is put in its place."""

    def refuse(path: str, flags: int) -> int:
        raise PermissionError(13, "Permission denied", path)

    path = make_bundle(tmp_path)
    monkeypatch.setattr(posix, "open", refuse)
    message = refused(path)
    monkeypatch.undo()
    assert message == (
        f"config.json: cannot open {os.path.realpath(path)}/config.json: EACCES: permission denied"
    )


def test_no_utf8(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b'{\n"hostname": "\xfcber"}')
    assert refused(tmp_path) == ("config.json: not UTF-8: line 2 has the byte 0xfc; save the file as UTF-8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON: line 1, column 1: the document is empty"),
        ('{\n  "a": 1,\n}', "not JSON: line 2, column 9: leave out the comma before }"),
        ("[" * 1000000, "not JSON: nested too deeply"),
        ("[]", "[] is a list, not an object"),
        ("null", "null is not an object"),
        ('{"a": NaN}', "not JSON: line 1, column 7: NaN is not a number of JSON"),
    ],
)
def test_no_json(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert refused(tmp_path) == f"config.json: {message}"


def test_an_enormous_config(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(MAX_SIZE + 1)
    assert refused(tmp_path) == (
        f"config.json: {os.path.realpath(tmp_path)}/config.json has 67108865 bytes; "
        "planc reads up to 67108864 (64 MiB)"
    )


def test_an_endless_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").symlink_to("/dev/zero")
    assert "is not a regular file" in refused(tmp_path)


def test_a_long_config_is_read_whole(tmp_path: Path) -> None:
    config = full_config()
    config["annotations"]["long"] = "x" * 3_000_000
    annotations = load_bundle(str(make_bundle(tmp_path, config))).spec.annotations
    assert annotations is not None and len(annotations["long"]) == 3_000_000


def test_odd_names_are_told_on_one_line(tmp_path: Path) -> None:
    odd = tmp_path / "two\nlines"
    message = refused(odd)
    assert message.isprintable()
    assert 'two\\nlines/config.json"' in message
    undecodable = tmp_path / os.fsdecode(b"\xff")
    assert refused(undecodable).isprintable()


def test_without_root(tmp_path: Path) -> None:
    path = make_bundle(tmp_path)
    assert load_bundle(str(path)).spec.linux is not None
    assert refused(path, rootless=True).startswith("config.json: linux.namespaces: without root")


def test_open_files_stay_as_they_are(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    load_bundle(str(make_bundle(tmp_path / "good")))
    refused(tmp_path)
    (tmp_path / "config.json").mkdir()
    refused(tmp_path)
    assert os.listdir("/proc/self/fd") == before


def test_process_file(tmp_path: Path) -> None:
    file = tmp_path / "process.json"
    file.write_text('{"args": ["id"], "cwd": "/", "user": {"uid": 5}}')
    process = load_process(str(file))
    assert process.args == ["id"]
    assert process.user is not None and process.user.uid == 5
    file.write_text('{"args": [], "cwd": "x"}')
    with pytest.raises(SpecError) as caught:
        load_process(str(file))
    assert str(caught.value).splitlines() == [
        f"{file}: args: [] is empty; write the program and its arguments",
        f'{file}: cwd: "x" is not an absolute path; write it from /',
    ]
    file.unlink()
    with pytest.raises(SpecError) as caught:
        load_process(str(file))
    assert str(caught.value) == f"--process: there is no {file}; write the path of a file of JSON text"


def test_resources() -> None:
    resources = load_resources(b'{"memory": {"swap": 10}, "pids": {"limit": -1}}')
    assert resources.pids is not None and resources.pids.limit == -1
    with pytest.raises(SpecError) as caught:
        load_resources(b'{"pids": {"limit": "many"}}', "standard input")
    assert str(caught.value) == 'standard input: pids.limit: "many" is a string, not an integer'
    with pytest.raises(SpecError) as caught:
        load_resources(b"{", "standard input")
    assert str(caught.value) == ("standard input: not JSON: line 1, column 2: the text ends too early")
