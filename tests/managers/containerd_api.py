"""containerd's gRPC interface, for what its command `ctr` has no word for.

The messages are those of containerd's api/services/tasks/v1/tasks.proto, few enough to be encoded by hand.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from pathlib import Path

LINUX_RESOURCES = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"
TIMEOUT = 80.0
VARINT, BYTES = 0, 2
"""Wire types of protobuf."""


def text_field(number: int, value: str | bytes) -> bytes:
    """A field of a message: a string, bytes or an encoded message."""
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | BYTES) + _varint(len(content)) + content


def number_field(number: int, value: int) -> bytes:
    return _varint(number << 3 | VARINT) + _varint(value)


def first_fields(message: bytes) -> dict[int, bytes | int]:
    """The fields of a message that has only numbers, strings and messages; of repeated ones the first."""
    found: dict[int, bytes | int] = {}
    rest = message
    while rest:
        key, rest = _split_varint(rest)
        value: bytes | int
        value, rest = _split_varint(rest)
        if key & 7 == BYTES:
            value, rest = rest[:value], rest[value:]
        found.setdefault(key >> 3, value)
    return found


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _split_varint(data: bytes) -> tuple[int, bytes]:
    number = 0
    for place, byte in enumerate(data):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, data[place + 1 :]
    raise ValueError("a cut-off protobuf message")


def call(socket: Path, method: str, request: bytes, *headers: tuple[str, str]) -> bytes:
    """One unary call; grpc.RpcError tells what containerd says against it."""
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        answer = channel.unary_unary(method)(request, metadata=headers, timeout=TIMEOUT)
    return bytes(answer)


def update_task(socket: Path, task: str, resources: dict[str, Any]) -> None:
    """Tasks.Update: new limits, a LinuxResources of the runtime spec, for a task of the namespace `default`."""
    any_message = text_field(1, LINUX_RESOURCES) + text_field(2, json.dumps(resources))
    request = text_field(1, task) + text_field(2, any_message)
    call(socket, "/containerd.services.tasks.v1.Tasks/Update", request, ("containerd-namespace", "default"))
