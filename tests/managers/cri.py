"""What a Kubernetes node asks of containerd: the few calls of its Container Runtime Interface that make a pod.

Messages are encoded by hand from the field numbers of k8s.io/cri-api, pkg/apis/runtime/v1/api.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .containerd_api import call, first_fields, number_field, text_field

if TYPE_CHECKING:
    from pathlib import Path

NODE = 2
"""NamespaceMode: the host's."""


def resources(memory: int, swap: int) -> bytes:
    """A LinuxContainerResources with limits in bytes."""
    return number_field(4, memory) + number_field(10, swap)


class Cri:
    """The runtime service at a socket; pods have the host's network and a parent slice."""

    def __init__(self, socket: Path, parent: str) -> None:
        self.socket = socket
        namespaces = text_field(1, number_field(1, NODE))
        linux = text_field(1, parent) + text_field(2, namespaces)
        metadata = text_field(1, "pod") + text_field(2, "uid") + text_field(3, "default")
        self.pod_config = text_field(1, metadata) + text_field(8, linux)

    def _call(self, method: str, request: bytes) -> dict[int, bytes | int]:
        return first_fields(call(self.socket, f"/runtime.v1.RuntimeService/{method}", request))

    def run_pod(self) -> str:
        """RunPodSandbox; the pod's id."""
        return _text(self._call("RunPodSandbox", text_field(1, self.pod_config))[1])

    def create(self, pod: str, image: str, command: tuple[str, ...], limits: bytes) -> str:
        """CreateContainer and StartContainer; the container's id."""
        config = text_field(1, text_field(1, "container")) + text_field(2, text_field(1, image))
        config += b"".join(text_field(3, word) for word in command)
        config += text_field(15, text_field(1, limits))
        request = text_field(1, pod) + text_field(2, config) + text_field(3, self.pod_config)
        container = _text(self._call("CreateContainer", request)[1])
        self._call("StartContainer", text_field(1, container))
        return container

    def run(self, container: str, *command: str) -> tuple[int, str]:
        """ExecSync; exit code and standard output."""
        request = text_field(1, container) + b"".join(text_field(2, word) for word in command)
        answer = self._call("ExecSync", request)
        code = answer.get(3, 0)
        assert isinstance(code, int)
        return code, _text(answer.get(1, b""))

    def update(self, container: str, limits: bytes) -> None:
        self._call("UpdateContainerResources", text_field(1, container) + text_field(2, limits))

    def remove(self, container: str) -> None:
        """StopContainer, which kills at once, and RemoveContainer."""
        self._call("StopContainer", text_field(1, container))
        self._call("RemoveContainer", text_field(1, container))

    def remove_pod(self, pod: str) -> None:
        self._call("StopPodSandbox", text_field(1, pod))
        self._call("RemovePodSandbox", text_field(1, pod))


def _text(value: bytes | int) -> str:
    assert isinstance(value, bytes)
    return value.decode()
