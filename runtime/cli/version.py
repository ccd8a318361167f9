"""What planc says of itself."""

from __future__ import annotations

import runtime
from runtime.linux import posix as os

TYPE_CHECKING = False

OCI_VERSION = "1.3.0"
OCI_VERSION_MIN = "1.0.0"


def commit() -> str:
    """The commit this planc was built from; "unknown" for a build from no checkout."""
    path = os.path.join(os.path.dirname(runtime.__file__), "COMMIT")
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip() or "unknown"
    except OSError:
        return "unknown"
