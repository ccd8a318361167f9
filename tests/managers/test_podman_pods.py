"""Podman pods: containers that share the namespaces of an infra container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import need
from .image import SHORT as IMAGE
from .machine import poll
from .machine_init import cgroup_mounts, unified_only

if TYPE_CHECKING:
    from pathlib import Path

    from .daemons import Podman


@pytest.fixture(autouse=True)
def usable_pods(podman: Podman) -> None:
    """Podman 4.3 with cgroupfs forbids a pod's cgroup all devices on cgroup v2, and so its infra container's too."""
    need("cgroup v1, for pods with the cgroupfs driver", not unified_only(cgroup_mounts()))


def test_shared_namespaces(podman: Podman) -> None:
    podman("pod", "create", "--name", "pod1", "--share", "net,ipc,uts,pid", "--network", "none")
    podman("run", "-d", "--pod", "pod1", "--name", "one", IMAGE, "sleep", "1000")
    podman("run", "-d", "--pod", "pod1", "--name", "two", IMAGE, "httpd", "-f")
    one, two = podman.pid("one"), podman.pid("two")
    for kind in ("net", "ipc", "uts", "pid"):
        assert podman.machine.namespace(one, kind) == podman.machine.namespace(two, kind)
        assert podman.machine.namespace(one, kind) != podman.machine.namespace(1, kind)
    assert podman.machine.namespace(one, "mnt") != podman.machine.namespace(two, "mnt")
    commands = podman("exec", "one", "ps", "-o", "args").out.splitlines()
    assert {"sleep 1000", "httpd -f"} <= set(commands)
    assert "1 packets received" in podman("exec", "one", "ping", "-c1", "127.0.0.1").out


def test_life_of_a_pod(podman: Podman) -> None:
    podman("pod", "create", "--name", "pod1", "--network", "none")
    podman("run", "-d", "--pod", "pod1", "--name", "one", IMAGE, "sleep", "1000")
    pid = podman.pid("one")
    podman("pod", "pause", "pod1")
    assert podman.inspect("one", "{{.State.Status}}") == "paused"
    podman("pod", "unpause", "pod1")
    podman("pod", "kill", "pod1")
    poll(lambda: podman.inspect("one", "{{.State.Status}}") == "exited")
    podman("pod", "start", "pod1")
    assert podman.pid("one") not in ("0", pid)
    podman("pod", "stop", "-t", "1", "pod1")
    podman("pod", "rm", "-f", "pod1")


def test_kubernetes_yaml(podman: Podman, workdir: Path) -> None:
    (workdir / "pod.yml").write_text(f"""
apiVersion: v1
kind: Pod
metadata: {{name: kp}}
spec:
  restartPolicy: Never
  containers:
  - name: k1
    image: {IMAGE}
    imagePullPolicy: Never
    command: [sleep, "1000"]
    securityContext: {{runAsUser: 1000}}
    resources: {{limits: {{memory: 64Mi}}}}
""")
    podman("play", "kube", "--network", "none", workdir / "pod.yml")
    assert podman("exec", "kp-k1", "id", "-u").out == "1000"
    assert podman.machine.cgroup(podman.pid("kp-k1")).memory == 64 << 20
    podman("play", "kube", "--down", workdir / "pod.yml")
