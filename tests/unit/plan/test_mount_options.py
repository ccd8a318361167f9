"""The table of mount options, against the spec's list, mount(8) and a second way to compute the same."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.linux import constants as k
from runtime.plan.mount_options import MOUNT_OPTIONS, parse_options

BITS = {
    ("ro", "rw"): k.MOUNT_ATTR_RDONLY,
    ("nosuid", "suid"): k.MOUNT_ATTR_NOSUID,
    ("nodev", "dev"): k.MOUNT_ATTR_NODEV,
    ("noexec", "exec"): k.MOUNT_ATTR_NOEXEC,
    ("nodiratime", "diratime"): k.MOUNT_ATTR_NODIRATIME,
    ("nosymfollow", "symfollow"): k.MOUNT_ATTR_NOSYMFOLLOW,
}
SUPER = {"sync": "async", "dirsync": "", "mand": "nomand", "lazytime": "nolazytime"}
PROPAGATION = {
    "private": k.MS_PRIVATE,
    "slave": k.MS_SLAVE,
    "shared": k.MS_SHARED,
    "unbindable": k.MS_UNBINDABLE,
}
# no word of ours has a digit
FOREIGN = st.from_regex(r"\A[a-z]{1,8}[0-9](=[a-z0-9]{0,6})?\Z")
WORDS = st.lists(st.sampled_from(sorted(MOUNT_OPTIONS)) | FOREIGN, max_size=12)


def last_of(words: list[str], *names: str) -> str:
    """The last of the names that is in the list, "" if none is."""
    return next((word for word in reversed(words) if word in names), "")


def without_atime(flags: int) -> int:
    return flags & ~k.MOUNT_ATTR__ATIME


@given(WORDS)
def test_the_later_word_wins(words: list[str]) -> None:
    options = parse_options(words)
    for (on, off), bit in BITS.items():
        assert bool(options.attr_set & bit) == (last_of(words, on, off) == on)
        assert bool(options.attr_clr & bit) == (last_of(words, on, off) == off)
        assert bool(options.rec_set & bit) == (last_of(words, f"r{on}", f"r{off}") == f"r{on}")
        assert bool(options.rec_clr & bit) == (last_of(words, f"r{on}", f"r{off}") == f"r{off}")
    for word, undo in SUPER.items():
        assert (word in options.superflags) == (last_of(words, word, undo or word) == word)


@given(WORDS)
def test_the_access_time_is_one_value(words: list[str]) -> None:
    """As mount(2): strictatime beats noatime; a word that takes another back leaves relatime."""
    for prefix, attr_set, attr_clr in (
        ("", parse_options(words).attr_set, parse_options(words).attr_clr),
        ("r", parse_options(words).rec_set, parse_options(words).rec_clr),
    ):
        relatime = f"{prefix}relatime"
        strict = last_of(words, f"{prefix}strictatime", f"{prefix}nostrictatime", relatime)
        noatime = last_of(words, f"{prefix}noatime", f"{prefix}atime", relatime)
        wanted = k.MOUNT_ATTR_NOATIME if noatime == f"{prefix}noatime" else 0
        if strict == f"{prefix}strictatime":
            wanted = k.MOUNT_ATTR_STRICTATIME
        assert attr_set & k.MOUNT_ATTR__ATIME == wanted
        # the kernel wants all of the field cleared, or none of it
        assert attr_clr & k.MOUNT_ATTR__ATIME in (0, k.MOUNT_ATTR__ATIME)
        named = ("noatime", "atime", "relatime", "strictatime", "nostrictatime")
        touched = any(f"{prefix}{word}" in words for word in named)
        assert bool(attr_clr & k.MOUNT_ATTR__ATIME) == touched


@given(WORDS)
def test_nothing_is_lost_and_order_is_kept(words: list[str]) -> None:
    options = parse_options(words)
    assert options.data == [word for word in words if word not in MOUNT_OPTIONS]
    propagation = [
        PROPAGATION.get(word, 0) or PROPAGATION.get(word[1:], 0) | k.MS_REC
        for word in words
        if word in PROPAGATION or (word.startswith("r") and word[1:] in PROPAGATION)
    ]
    assert options.propagation == propagation
    assert options.bind == ("bind" in words or "rbind" in words)
    assert options.recursive == ("rbind" in words)
    assert (options.remount, options.copy_up) == ("remount" in words, "tmpcopyup" in words)
    assert (options.idmap, options.ridmap) == ("idmap" in words, "ridmap" in words)
    assert options.readonly == (last_of(words, "ro", "rw") == "ro")


@given(WORDS)
def test_no_bit_is_set_and_cleared(words: list[str]) -> None:
    options = parse_options(words)
    assert without_atime(options.attr_set) & options.attr_clr == 0
    assert without_atime(options.rec_set) & options.rec_clr == 0


@given(WORDS)
def test_saying_it_twice_changes_nothing(words: list[str]) -> None:
    once, twice = parse_options(words), parse_options(words + words)
    for name in ("attr_set", "attr_clr", "rec_set", "rec_clr", "bind", "recursive"):
        assert getattr(once, name) == getattr(twice, name)
    assert sorted(once.superflags) == sorted(twice.superflags)


# the table of runtime-spec "Linux mount options"
SPEC_TABLE = """
async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime
noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev
rdiratime relatime remount rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid
rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw
shared silent slave strictatime suid symfollow sync tmpcopyup unbindable idmap ridmap
"""
OF_THE_SPEC = set(SPEC_TABLE.split())


def test_every_option_of_the_spec_is_known() -> None:
    assert set(MOUNT_OPTIONS) >= OF_THE_SPEC


def test_what_is_known_beyond_the_spec() -> None:
    assert set(MOUNT_OPTIONS) - OF_THE_SPEC == {"rnodev"}


@pytest.mark.parametrize(
    ("words", "attr_set", "attr_clr"),
    [
        ("ro rw nosuid suid", 0, k.MOUNT_ATTR_RDONLY | k.MOUNT_ATTR_NOSUID),
        ("rw ro", k.MOUNT_ATTR_RDONLY, 0),
        ("noatime", k.MOUNT_ATTR_NOATIME, k.MOUNT_ATTR__ATIME),
        ("noatime atime", 0, k.MOUNT_ATTR__ATIME),
        ("noatime relatime", 0, k.MOUNT_ATTR__ATIME),
        ("noatime strictatime", k.MOUNT_ATTR_STRICTATIME, k.MOUNT_ATTR__ATIME),
        ("relatime", 0, k.MOUNT_ATTR__ATIME),
        ("norelatime", 0, 0),
        ("defaults silent loud iversion noiversion", 0, 0),
    ],
)
def test_examples(words: str, attr_set: int, attr_clr: int) -> None:
    options = parse_options(words.split())
    assert (options.attr_set, options.attr_clr) == (attr_set, attr_clr)
    assert options.data == []


def test_unknown_words_go_to_the_file_system() -> None:
    assert parse_options(["size=1k", "ro", "mode=755", "Ro"]).data == ["size=1k", "mode=755", "Ro"]


def kernel_numbers() -> dict[str, int]:
    """MS_* and MOUNT_ATTR_* of the installed headers (linux-libc-dev, which csrc/ needs too)."""
    text = Path("/usr/include/linux/mount.h").read_text()
    found = {}
    for name, value in re.findall(r"#define\s+((?:MS|MOUNT_ATTR)_\w+)\s+(\(?\w+(?:<<\d+)?\)?)", text):
        number, _, shift = value.strip("()").partition("<<")
        if number[0].isdigit():
            found[name] = int(number, 0) << int(shift or 0)
    return found


def test_the_numbers_are_the_kernels() -> None:
    kernel = kernel_numbers()
    ours = {name: value for name, value in vars(k).items() if name.startswith(("MS_", "MOUNT_ATTR_"))}
    assert len(ours) > 14
    assert {name: kernel[name] for name in ours} == ours
