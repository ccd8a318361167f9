"""The words of mounts[].options: mount(8), mount_setattr(2), runtime-spec "Linux mount options"."""

from __future__ import annotations

from runtime.linux.constants import (
    MOUNT_ATTR__ATIME,
    MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW,
    MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_RELATIME,
    MOUNT_ATTR_STRICTATIME,
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# How a word acts: on an attribute of the mount, on one of the whole tree, on the access time (one
# value of three, not bits), on the superblock, on propagation, on the kind of mount, or not at all.
_SET, _CLEAR, _ATIME, _UNDO_ATIME = "set", "clear", "atime", "undo atime"
_SUPER, _UNDO_SUPER, _PROPAGATION, _KIND, _NOTHING = "super", "undo super", "propagation", "kind", "nothing"

_ATTRIBUTE_WORDS: dict[str, tuple[str, int]] = {
    "ro": (_SET, MOUNT_ATTR_RDONLY),
    "rw": (_CLEAR, MOUNT_ATTR_RDONLY),
    "nosuid": (_SET, MOUNT_ATTR_NOSUID),
    "suid": (_CLEAR, MOUNT_ATTR_NOSUID),
    "nodev": (_SET, MOUNT_ATTR_NODEV),
    "dev": (_CLEAR, MOUNT_ATTR_NODEV),
    "noexec": (_SET, MOUNT_ATTR_NOEXEC),
    "exec": (_CLEAR, MOUNT_ATTR_NOEXEC),
    "nodiratime": (_SET, MOUNT_ATTR_NODIRATIME),
    "diratime": (_CLEAR, MOUNT_ATTR_NODIRATIME),
    "nosymfollow": (_SET, MOUNT_ATTR_NOSYMFOLLOW),
    "symfollow": (_CLEAR, MOUNT_ATTR_NOSYMFOLLOW),
    "noatime": (_ATIME, MOUNT_ATTR_NOATIME),
    "relatime": (_ATIME, MOUNT_ATTR_RELATIME),
    "strictatime": (_ATIME, MOUNT_ATTR_STRICTATIME),
    "atime": (_UNDO_ATIME, MOUNT_ATTR_NOATIME),
    "norelatime": (_UNDO_ATIME, MOUNT_ATTR_RELATIME),
    "nostrictatime": (_UNDO_ATIME, MOUNT_ATTR_STRICTATIME),
}

MOUNT_OPTIONS: dict[str, tuple[str, int | str]] = {
    **_ATTRIBUTE_WORDS,
    # the same with "r": on every mount of the tree
    **{"r" + word: effect for word, effect in _ATTRIBUTE_WORDS.items()},
    "sync": (_SUPER, "sync"),
    "async": (_UNDO_SUPER, "sync"),
    "dirsync": (_SUPER, "dirsync"),
    "mand": (_SUPER, "mand"),
    "nomand": (_UNDO_SUPER, "mand"),
    "lazytime": (_SUPER, "lazytime"),
    "nolazytime": (_UNDO_SUPER, "lazytime"),
    "private": (_PROPAGATION, MS_PRIVATE),
    "rprivate": (_PROPAGATION, MS_PRIVATE | MS_REC),
    "slave": (_PROPAGATION, MS_SLAVE),
    "rslave": (_PROPAGATION, MS_SLAVE | MS_REC),
    "shared": (_PROPAGATION, MS_SHARED),
    "rshared": (_PROPAGATION, MS_SHARED | MS_REC),
    "unbindable": (_PROPAGATION, MS_UNBINDABLE),
    "runbindable": (_PROPAGATION, MS_UNBINDABLE | MS_REC),
    "bind": (_KIND, "bind"),
    "rbind": (_KIND, "rbind"),
    "remount": (_KIND, "remount"),
    "tmpcopyup": (_KIND, "copy_up"),
    "idmap": (_KIND, "idmap"),
    "ridmap": (_KIND, "ridmap"),
    "defaults": (_NOTHING, 0),
    # console messages of the file system: fsconfig(2) knows no such flag
    "silent": (_NOTHING, 0),
    "loud": (_NOTHING, 0),
    # file systems that have i_version keep it without being asked (all of them since Linux 6.6)
    "iversion": (_NOTHING, 0),
    "noiversion": (_NOTHING, 0),
}
"""Every word that is not the file system's own: how it acts, on what."""


class Attributes:
    """MOUNT_ATTR_* to set and to clear; the later word wins.

    The access time follows mount(2): strictatime wins over noatime; `atime` or `nostrictatime` take
    the earlier word back, or, with nothing to take back, ask for the default; `relatime` is that.
    """

    __slots__ = ("_atime", "_atime_words", "clear", "set")

    def __init__(self) -> None:
        self.set = 0
        self.clear = 0
        self._atime: set[int] = set()
        self._atime_words = False

    def add(self, how: str, flag: int) -> None:
        if how == _SET:
            self.set |= flag
            self.clear &= ~flag
        elif how == _CLEAR:
            self.set &= ~flag
            self.clear |= flag
        elif how == _ATIME:
            if flag == MOUNT_ATTR_RELATIME:
                self._atime.clear()
            self._atime.add(flag)
            self._atime_words = True
        elif flag == MOUNT_ATTR_RELATIME:
            self._atime.discard(flag)
        else:
            self._atime.discard(flag)
            self._atime_words = True

    def result(self) -> tuple[int, int]:
        """(set, clear) as mount_setattr(2) wants them: a new access time clears the whole field."""
        if not self._atime_words:
            return self.set, self.clear
        wanted = self.set
        if MOUNT_ATTR_STRICTATIME in self._atime:
            wanted |= MOUNT_ATTR_STRICTATIME
        elif MOUNT_ATTR_NOATIME in self._atime:
            wanted |= MOUNT_ATTR_NOATIME
        return wanted, self.clear | MOUNT_ATTR__ATIME


class MountOptions:
    """What a list of words comes to.

    attr_set, attr_clr  MOUNT_ATTR_* for the mount; cleared ones are words like `rw`, which matter
                        for binds, as those start with the attributes of their source
    rec_set, rec_clr    the same for every mount of the tree
    propagation         MS_* in the order given
    superflags          words for the superblock, "sync,dirsync"; without `ro`
    data                the file system's own words
    bind, recursive     `bind`, `rbind`
    remount, copy_up, idmap, ridmap   whether that word is there
    """

    __slots__ = (
        "attr_clr", "attr_set", "bind", "copy_up", "data", "idmap", "propagation", "rec_clr", "rec_set",
        "recursive", "remount", "ridmap", "superflags",
    )  # fmt: skip

    def __init__(self) -> None:
        self.attr_set = self.attr_clr = self.rec_set = self.rec_clr = 0
        self.bind = self.recursive = self.remount = self.copy_up = self.idmap = self.ridmap = False
        self.propagation: list[int] = []
        self.superflags: list[str] = []
        self.data: list[str] = []

    @property
    def readonly(self) -> bool:
        return bool(self.attr_set & MOUNT_ATTR_RDONLY)

    def _super(self, how: str, word: str) -> None:
        if word in self.superflags:
            self.superflags.remove(word)
        if how == _SUPER:
            self.superflags.append(word)

    def _kind(self, word: str) -> None:
        if word in ("bind", "rbind"):
            self.bind = True
            self.recursive = word == "rbind" or self.recursive
        else:
            setattr(self, word, True)


def parse_options(words: Iterable[str]) -> MountOptions:
    """Read the words in order; later ones win. Unknown words are the file system's."""
    options = MountOptions()
    mount, tree = Attributes(), Attributes()
    for word in words:
        how, what = MOUNT_OPTIONS.get(word, ("", 0))
        if not how:
            options.data.append(word)
        elif how == _PROPAGATION:
            options.propagation.append(int(what))
        elif how in (_SUPER, _UNDO_SUPER):
            options._super(how, str(what))
        elif how == _KIND:
            options._kind(str(what))
        elif how != _NOTHING:
            attributes = mount if word in _ATTRIBUTE_WORDS else tree
            attributes.add(how, int(what))
    options.attr_set, options.attr_clr = mount.result()
    options.rec_set, options.rec_clr = tree.result()
    return options
