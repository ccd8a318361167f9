"""Values of systemd's properties as text: the GVariant text format, and the D-Bus types it stands for.

In a plan a property is ``Name=TEXT`` (``MemoryMax=uint64 67108864``), which is also what annotations
``org.systemd.property.*`` are written in.
Source: GLib's "GVariant Text Format"; types as the D-Bus specification writes them. What D-Bus has no
type for (``just``, ``nothing``) is refused, and so is what no message may carry: whoever sends it is
disconnected without a word.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    #: D-Bus signature and the value as jeepney takes it
    Typed = tuple[str, Any]

KEYWORDS = {
    "boolean": "b",
    "byte": "y",
    "int16": "n",
    "uint16": "q",
    "int32": "i",
    "uint32": "u",
    "int64": "x",
    "uint64": "t",
    "double": "d",
    "string": "s",
    "objectpath": "o",
    "signature": "g",
}
RANGES = {
    "y": (0, 2**8 - 1),
    "n": (-(2**15), 2**15 - 1),
    "q": (0, 2**16 - 1),
    "i": (-(2**31), 2**31 - 1),
    "u": (0, 2**32 - 1),
    "x": (-(2**63), 2**63 - 1),
    "t": (0, 2**64 - 1),
}
ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
UNLIMITED = 2**64 - 1
#: D-Bus allows twice as many levels, half of them arrays
MAX_DEPTH = 32


def parse_value(text: str) -> Typed:
    """The value that `text` stands for. Raises ValueError, saying what is wrong with it."""
    reader = _Reader(text)
    found = reader.value("")
    reader.spaces()
    if reader.at < len(text):
        raise ValueError(f'"{text[reader.at :]}" is left over')
    return found


def string(value: str) -> str:
    """A string as text."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return f"'{escaped}'"


def uint64(value: int) -> str:
    """A number that systemd takes as t; negative is no limit."""
    return f"uint64 {UNLIMITED if value < 0 else value}"


def boolean(value: bool) -> str:
    return "true" if value else "false"


class _Reader:
    """A recursive descent over the text. `wanted` is the signature that the place demands, "" for any."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def spaces(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def take(self, token: str) -> bool:
        self.spaces()
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def need(self, token: str) -> None:
        if not self.take(token):
            found = self.text[self.at : self.at + 1]
            raise ValueError(f'"{token}" is missing before "{found}"' if found else f'"{token}" is missing')

    def word(self) -> str:
        self.spaces()
        start = self.at
        while self.at < len(self.text) and (self.text[self.at].isalnum() or self.text[self.at] in "+-._"):
            self.at += 1
        return self.text[start : self.at]

    def value(self, wanted: str) -> Typed:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError(f"there are more than {MAX_DEPTH} values inside of each other")
        found = self.any_value(wanted)
        self.depth -= 1
        return found

    def any_value(self, wanted: str) -> Typed:
        self.spaces()
        first = self.text[self.at : self.at + 1]
        if not first:
            raise ValueError("there is no value")
        if first == "@":
            self.at += 1
            return self.value(_agree(wanted, self.signature()))
        if first in "'\"":
            return self.quoted(wanted)
        if first == "b" and self.text[self.at + 1 : self.at + 2] in ("'", '"'):
            self.at += 1
            _agree(wanted, "ay")
            return "ay", self.quoted_text().encode() + b"\0"
        if first in "[{(<":
            return {"[": self.array, "{": self.dictionary, "(": self.tuple, "<": self.variant}[first](wanted)
        return self.plain(wanted)

    def signature(self) -> str:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in "ybnqiuxtdsogav(){}":
            self.at += 1
        name = self.text[start : self.at]
        if not name or len(complete_types(name)) != 1:
            raise ValueError(f'"{name}" is not one type')
        return name

    def quoted(self, wanted: str) -> Typed:
        kind = wanted or "s"
        if kind not in ("s", "o", "g"):
            raise ValueError(f"a string stands where type {wanted} is wanted")
        text = self.quoted_text()
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise ValueError("a string has a character that D-Bus cannot carry")
        if kind == "o" and not is_object_path(text):
            raise ValueError(f'"{text}" is not an object path')
        if kind == "g" and text and not complete_types(text):
            raise ValueError(f'"{text}" is not a signature')
        return kind, text

    def quoted_text(self) -> str:
        quote = self.text[self.at]
        self.at += 1
        parts: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char == quote:
                return "".join(parts)
            parts.append(self.escape() if char == "\\" else char)
        raise ValueError("a string has no end")

    def escape(self) -> str:
        char = self.text[self.at : self.at + 1]
        self.at += 1
        if char in ("u", "U"):
            digits = self.text[self.at : self.at + (4 if char == "u" else 8)]
            self.at += len(digits)
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                raise ValueError(f'"\\{char}{digits}" is no character') from None
        return ESCAPES.get(char, char)

    def array(self, wanted: str) -> Typed:
        self.need("[")
        item = wanted[1:] if wanted.startswith("a") else ""
        if wanted and not item:
            raise ValueError(f"an array stands where type {wanted} is wanted")
        values: list[Any] = []
        while not self.take("]"):
            if values:
                self.need(",")
            item, value = self.value(item)
            values.append(value)
        if not item:
            raise ValueError("the type of an empty array is not known: write @as [], say")
        return "a" + item, bytes(values) if item == "y" else values

    def dictionary(self, wanted: str) -> Typed:
        self.need("{")
        kinds = complete_types(wanted[2:-1]) if wanted.startswith("a{") else []
        if wanted and not kinds:
            raise ValueError(f"a dictionary stands where type {wanted} is wanted")
        key_kind, value_kind = kinds or ("", "")
        found: dict[Any, Any] = {}
        while not self.take("}"):
            if found:
                self.need(",")
            key_kind, key = self.value(key_kind)
            if len(key_kind) > 1 or key_kind == "v":
                raise ValueError("a key is neither a string nor a number")
            self.need(":")
            value_kind, found[key] = self.value(value_kind)
        if not key_kind:
            raise ValueError("the type of an empty dictionary is not known: write @a{sv} {}, say")
        return f"a{{{key_kind}{value_kind}}}", found

    def tuple(self, wanted: str) -> Typed:
        self.need("(")
        kinds = complete_types(wanted[1:-1]) if wanted.startswith("(") else []
        if wanted and not kinds:
            raise ValueError(f"a tuple stands where type {wanted} is wanted")
        found: list[Typed] = []
        while not self.take(")"):
            if found:
                self.need(",")
                if self.take(")"):
                    break
            if kinds and len(found) == len(kinds):
                raise ValueError(f"a tuple is longer than type {wanted}")
            found.append(self.value(kinds[len(found)] if kinds else ""))
        if len(found) < max(len(kinds), 1):
            raise ValueError("a tuple is too short" if found else "D-Bus has no empty tuple")
        return f"({''.join([kind for kind, _ in found])})", tuple([value for _, value in found])

    def variant(self, wanted: str) -> Typed:
        self.need("<")
        _agree(wanted, "v")
        inner = self.value("")
        self.need(">")
        return "v", inner

    def plain(self, wanted: str) -> Typed:
        """A keyword and a value, a boolean, or a number."""
        name = self.word()
        if name in KEYWORDS:
            return self.value(_agree(wanted, KEYWORDS[name]))
        if name in ("true", "false"):
            _agree(wanted, "b")
            return "b", name == "true"
        if not name:
            raise ValueError(f'"{self.text[self.at :]}" is no value')
        return _number(name, wanted)


def _number(text: str, wanted: str) -> Typed:
    digits = text.lstrip("+-")
    hexadecimal = digits[:2].lower() == "0x"
    real = wanted == "d" or not hexadecimal and ("." in digits or "e" in digits.lower())
    try:
        if real and not hexadecimal or digits in ("inf", "nan"):
            _agree(wanted, "d")
            return "d", float(text)
        octal = len(digits) > 1 and digits[0] == "0" and not hexadecimal
        value = int(text, 16 if hexadecimal else 8 if octal else 10)
    except ValueError as err:
        if "is wanted" in str(err):
            raise
        raise ValueError(f"\"{text}\" is no value: a string needs quotes, as in '{text}'") from None
    kind = wanted or "i"
    if kind == "d":
        return "d", float(value)
    if kind not in RANGES:
        raise ValueError(f"a number stands where type {wanted} is wanted")
    low, high = RANGES[kind]
    if not low <= value <= high:
        raise ValueError(f"{text} does not fit type {kind}" + ("" if wanted else f": write uint64 {text}"))
    return kind, value


def _agree(wanted: str, kind: str) -> str:
    if wanted and wanted != kind:
        raise ValueError(f"type {kind} stands where type {wanted} is wanted")
    return kind


def is_object_path(text: str) -> bool:
    """Whether D-Bus takes it for type o."""
    if text == "/":
        return True
    parts = text.split("/")
    return (
        len(parts) > 1
        and not parts[0]
        and all(part.isascii() and part.replace("_", "a").isalnum() for part in parts[1:])
    )


def complete_types(signature: str) -> list[str]:
    """ "sa(ss)" is ["s", "a(ss)"]; [] when the signature is not valid."""
    found = []
    at = 0
    while at < len(signature):
        end = _type_end(signature, at)
        if end < 0:
            return []
        found.append(signature[at:end])
        at = end
    return found


def _type_end(signature: str, at: int) -> int:
    char = signature[at : at + 1]
    if char == "a":
        if signature[at + 1 : at + 2] == "{":
            return _group_end(signature, at + 2, "}", 2)
        return _type_end(signature, at + 1)
    if char == "(":
        return _group_end(signature, at + 1, ")", 0)
    return at + 1 if char and char in "ybnqiuxtdsogv" else -1


def _group_end(signature: str, at: int, close: str, count: int) -> int:
    """The place behind the closing bracket; `count`: as many types exactly, 0: one or more."""
    inside = 0
    while signature[at : at + 1] != close:
        at = _type_end(signature, at) if at < len(signature) else -1
        if at < 0:
            return -1
        inside += 1
    return at + 1 if inside and inside == (count or inside) else -1
