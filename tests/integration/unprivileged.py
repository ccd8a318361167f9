"""Calls of the runtime by a user without privileges, with or without subordinate ids.

Nothing of the machine is changed: the passwd, subuid and subgid files that newuidmap reads are bind-mounted over the
machine's own in a private mount namespace of the one call.
"""

from __future__ import annotations

import os
from typing import Any

from . import caller
from .harness import Bundle, Container

UID = caller.UID or 64321
NAME = caller.user_name() if caller.ROOTLESS else "plancit"
SUBORDINATE = caller.first_subordinate(700000)
"""First of 65536 subordinate ids."""


def prepare(container: Container, directory: str) -> Container:
    """Turn the base configuration into one that an unprivileged user may run: `spec --rootless` in short."""
    container.runtime.root = os.path.join(directory, "root")
    container.runtime.defaults |= {"user": UID}
    container.runtime.driver_flags = []  # the user has no systemd of its own
    give(container.bundle, directory)
    container.without_namespace("network").namespace("user").without_mount("/sys")
    container.config["mounts"].append(
        {
            "destination": "/sys",
            "type": "none",
            "source": "/sys",
            "options": ["rbind", "nosuid", "noexec", "ro"],
        }
    )
    for mount in container.config["mounts"]:
        mount["options"] = [word for word in mount["options"] if word != "gid=5"]
    container.linux.pop("cgroupsPath")
    container.linux["uidMappings"] = [{"containerID": 0, "hostID": UID, "size": 1}]
    container.linux["gidMappings"] = [{"containerID": 0, "hostID": UID, "size": 1}]
    container.pid_file = os.path.join(directory, "pid")
    return container


def give(bundle: Bundle, *directories: str) -> None:
    """Make the user the owner of the bundle and of further directories."""
    if caller.ROOTLESS:
        return
    for top in (bundle.path, *directories):
        for parent, names, files in os.walk(top):
            os.chown(parent, UID, UID)
            for name in names + files:
                os.chown(os.path.join(parent, name), UID, UID, follow_symlinks=False)


def with_subordinate_ids(container: Container, directory: str) -> dict[str, Any]:
    """Map root to the user and 65536 further ids; returns the call options (a `prefix`) that make newuidmap agree."""
    for kind in ("uidMappings", "gidMappings"):
        container.linux[kind] = [
            {"containerID": 0, "hostID": UID, "size": 1},
            {"containerID": 1, "hostID": SUBORDINATE, "size": 65536},
        ]
    container.runtime.defaults.pop("user", None)
    if caller.ROOTLESS:
        return {}
    files = {
        "passwd": f"root:x:0:0::/root:/bin/sh\n{NAME}:x:{UID}:{UID}::/:/bin/sh\n",
        "group": f"root:x:0:\n{NAME}:x:{UID}:\n",
        "subuid": f"{NAME}:{SUBORDINATE}:65536\n",
        "subgid": f"{NAME}:{SUBORDINATE}:65536\n",
    }
    script = ""
    for name, content in files.items():
        path = os.path.join(directory, name)
        with open(path, "w") as file:
            file.write(content)
        script += f"mount --bind {path} /etc/{name} && "
    script += f'exec setpriv --reuid={UID} --regid={UID} --clear-groups -- "$@"'
    prefix = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"]
    return {"prefix": prefix}
