"""Hooks: who runs each, and what it reads on its standard input (runtime-spec "POSIX-platform Hooks")."""

from __future__ import annotations

from runtime.linux.json import dumps
from runtime.plan.ops import Op
from runtime.spec.model import Hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.container import Container
    from runtime.spec.model import Hook


def prestart(c: Container) -> list[Op]:
    return _by_runtime("prestart", _hooks(c).prestart)


def create_runtime(c: Container) -> list[Op]:
    return _by_runtime("createRuntime", _hooks(c).create_runtime)


def create_container(c: Container) -> list[Op]:
    """In the container's namespaces, but found in the caller's tree: before the root is entered."""
    return _by_init(c, "createContainer", _hooks(c).create_container, "created")


def start_container(c: Container) -> list[Op]:
    """In the container, as late as can be: `start` has been asked for, the program comes next."""
    return _by_init(c, "startContainer", _hooks(c).start_container, "created")


def _hooks(c: Container) -> Hooks:
    return c.spec.hooks or Hooks()


def _argv(hook: Hook) -> list[str]:
    return hook.args or [hook.path]


def _by_runtime(kind: str, hooks: list[Hook] | None) -> list[Op]:
    return [
        Op(
            "run_hook",
            f"/hooks/{kind}/{index}",
            kind=kind,
            path=hook.path,
            argv=_argv(hook),
            env=hook.env,
            timeout=hook.timeout or 0,
        )
        for index, hook in enumerate(hooks or ())
    ]


def _by_init(c: Container, kind: str, hooks: list[Hook] | None, status: str) -> list[Op]:
    if not hooks:
        return []
    head, tail = state_around_pid(c, status)
    return [
        Op(
            "hook",
            f"/hooks/{kind}/{index}",
            path=hook.path,
            argv=_argv(hook),
            env=hook.env or [],
            timeout=hook.timeout or 0,
            head=head,
            tail=tail,
        )
        for index, hook in enumerate(hooks)
    ]


def state_around_pid(c: Container, status: str) -> tuple[str, str]:
    """The state JSON, cut where init puts its pid: only inside is known which one the container sees."""
    before = {"ociVersion": c.spec.oci_version, "id": c.options.id, "status": status}
    after: dict[str, object] = {"bundle": c.bundle}
    if c.spec.annotations:
        after["annotations"] = c.spec.annotations
    return dumps(before, spaces=False)[:-1] + ',"pid":', "," + dumps(after, spaces=False)[1:]
