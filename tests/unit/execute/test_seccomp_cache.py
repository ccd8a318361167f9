"""Compiled filters are kept by all that decides them, and a damaged one is made anew."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from runtime.errors import KernelError
from runtime.execute import seccomp_cache, seccomp_compile
from runtime.execute.seccomp_cache import KEPT, compiled_filter, load_for_exec, save_for_exec
from runtime.spec.model import LinuxSeccomp, LinuxSyscall

PROFILE = LinuxSeccomp(
    default_action="SCMP_ACT_ERRNO", syscalls=[LinuxSyscall(names=["read"], action="SCMP_ACT_ALLOW")]
)
RAW = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[LinuxSeccomp]:
    """Counts how often libseccomp is asked."""
    asked: list[LinuxSeccomp] = []
    real = seccomp_compile.compile_profile

    def compile_profile(profile: LinuxSeccomp) -> bytes:
        asked.append(profile)
        return real(profile)

    monkeypatch.setattr(seccomp_compile, "compile_profile", compile_profile)
    return asked


def entries(root: Path) -> list[Path]:
    return sorted((root / ".cache/seccomp").iterdir())


def test_second_time_from_the_cache(tmp_path: Path, compilations: list[LinuxSeccomp]) -> None:
    first = compiled_filter(PROFILE, RAW, str(tmp_path))
    assert compiled_filter(PROFILE, RAW, str(tmp_path)) == first
    assert len(compilations) == 1
    (entry,) = entries(tmp_path)
    assert entry.read_bytes() == first
    assert entry.stat().st_mode & 0o777 == 0o600
    assert entry.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "changed",
    [
        {**RAW, "defaultAction": "SCMP_ACT_KILL"},
        {**RAW, "defaultErrnoRet": 1},
        {**RAW, "architectures": ["SCMP_ARCH_X86"]},
        {**RAW, "syscalls": [{"names": ["write"], "action": "SCMP_ACT_ALLOW"}]},
        {**RAW, "syscalls": [*RAW["syscalls"], {"names": ["read"], "action": "SCMP_ACT_KILL"}]},
    ],
)
def test_any_change_of_the_profile_is_another_filter(
    tmp_path: Path, compilations: list[LinuxSeccomp], changed: object
) -> None:
    compiled_filter(PROFILE, RAW, str(tmp_path))
    compiled_filter(PROFILE, changed, str(tmp_path))
    assert len(compilations) == len(entries(tmp_path)) == 2


def test_another_version_of_planc_makes_its_own(
    tmp_path: Path, compilations: list[LinuxSeccomp], monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled_filter(PROFILE, RAW, str(tmp_path))
    monkeypatch.setattr(seccomp_cache, "__version__", "99.0")
    compiled_filter(PROFILE, RAW, str(tmp_path))
    assert len(compilations) == 2


@pytest.mark.parametrize("damage", [b"", b"\x06\0\0\0\0\0\xff"])
def test_a_file_that_cannot_be_a_filter_is_made_anew(
    tmp_path: Path, compilations: list[LinuxSeccomp], damage: bytes
) -> None:
    first = compiled_filter(PROFILE, RAW, str(tmp_path))
    (entry,) = entries(tmp_path)
    entry.write_bytes(damage)
    assert compiled_filter(PROFILE, RAW, str(tmp_path)) == first
    assert entry.read_bytes() == first
    assert len(compilations) == 2


def test_a_link_in_its_place_is_not_followed(tmp_path: Path, compilations: list[LinuxSeccomp]) -> None:
    first = compiled_filter(PROFILE, RAW, str(tmp_path))
    (entry,) = entries(tmp_path)
    other = tmp_path / "other"
    other.write_bytes(b"12345678")
    entry.unlink()
    entry.symlink_to(other)
    assert compiled_filter(PROFILE, RAW, str(tmp_path)) == first
    assert other.read_bytes() == b"12345678" and not entry.is_symlink()


def test_a_cache_that_cannot_be_written_is_no_failure(
    tmp_path: Path, compilations: list[LinuxSeccomp]
) -> None:
    (tmp_path / ".cache").write_text("in the way")
    first = compiled_filter(PROFILE, RAW, str(tmp_path))
    assert compiled_filter(PROFILE, RAW, str(tmp_path)) == first != b""
    assert len(compilations) == 2


def test_no_more_than_so_many_are_kept(tmp_path: Path) -> None:
    program = compiled_filter(PROFILE, RAW, str(tmp_path))
    (first,) = entries(tmp_path)
    os.utime(first, (1, 1))
    for index in range(KEPT + 5):
        seccomp_cache._write(str(first.parent / f"{index:03}"), program)
    assert KEPT <= len(entries(tmp_path)) <= KEPT + 1
    assert not first.exists(), "the oldest went first"
    assert (first.parent / f"{KEPT + 4:03}").exists()


def test_filter_of_a_container_for_its_execs(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        save_for_exec(b"old and longer than the new one", fd)
        save_for_exec(b"the program", fd)
        assert load_for_exec(fd) == b"the program"
        assert (tmp_path / "seccomp.bpf").stat().st_mode & 0o777 == 0o600
        (tmp_path / "seccomp.bpf").unlink()
        with pytest.raises(KernelError, match="^read seccomp.bpf: ENOENT: no such file or directory$"):
            load_for_exec(fd)
        shutil.rmtree(tmp_path)
        with pytest.raises(KernelError, match="^write seccomp.bpf: ENOENT"):
            save_for_exec(b"x", fd)
    finally:
        os.close(fd)
