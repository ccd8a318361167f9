"""Scopes of systemd: started around a process, changed, entered, stopped; each waited for.

Every function takes the scope's name and whether it is one of the caller's own manager (`user`).
Failures are PlancErrors that say what systemd said.
Source: org.freedesktop.systemd1(5).
"""

from __future__ import annotations

import time

from runtime.errors import PlancError
from runtime.execute.interrupt import readable
from runtime.linux.systemd import connect, disconnect
from runtime.plan.systemd_properties import ANNOTATION
from runtime.plan.systemd_values import parse_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

#: seconds for which a unit may be on its way up or down
JOB_TIMEOUT = 30.0

#: seconds for which a unit without a process may take to end
FORGET_TIMEOUT = 2.0
#: seconds in which systemd moves a process into its new unit, and hears of its end
SETTLE_TIME = 0.2

#: the methods that answer with a job
JOBS = ("StartTransientUnit", "StopUnit")

#: what a job may end with instead of "done", org.freedesktop.systemd1(5), JobRemoved
RESULTS = {
    "canceled": "it was canceled",
    "timeout": "it took too long for systemd",
    "failed": "it failed",
    "dependency": "a unit that it depends on failed",
    "skipped": "it was skipped",
}


def begin_scope(
    unit: str, user: bool, properties: Sequence[str], pid: int, annotations: Iterable[str] = ()
) -> str:
    """Have systemd start the scope with process `pid` in it; returns the job, for :func:`await_scope`.

    A unit of that name that only its failure keeps loaded is forgotten first. Raises PlancError: there
    is no such unit then, or it is somebody else's. `annotations`: the names of the container's, one of
    which may be what systemd does not like.
    """
    typed = [*[typed_property(text) for text in properties], ("PIDs", ("au", [pid]))]
    arguments: tuple[Any, ...] = (unit, "replace", typed, [])
    try:
        try:
            return _start(user, arguments)
        except _UnitExistsError:
            reset_failed(unit, user)
            return _start(user, arguments)
    except _UnitExistsError:
        raise PlancError(
            f"start unit {unit}: systemd already has a unit of this name",
            f"another container may have it: choose another cgroupsPath; `{_systemctl(user)} status {unit}`"
            " shows it",
        ) from None
    except _RefusedError as err:
        raise blame(err, annotations) from None


def blame(error: PlancError, annotations: Iterable[str]) -> PlancError:
    """The error with the annotation that it names, or may mean: systemd names no property whose value has
    the wrong type."""
    given = [key for key in annotations if key.startswith(ANNOTATION)]
    for key in given:
        name = key.removeprefix(ANNOTATION)
        if name in error.message or f"{name.removesuffix('Sec')}USec" in error.message:
            return PlancError(f'annotations["{key}"]: {error.message}', "see org.freedesktop.systemd1(5)")
    if given:
        error.hint = f"an annotation may have a value of the wrong type ({', '.join(given)})"
    return error


def await_scope(unit: str, user: bool, job: str) -> None:
    """Wait until systemd has moved the process into the scope. Raises PlancError."""
    result = _job_result(user, job, f"start unit {unit}")
    if result != "done":
        reset_failed(unit, user)
        raise PlancError(
            f"start unit {unit}: systemd's job did not succeed: {RESULTS.get(result, result)}",
            f"`{_systemctl(user)} status {unit}` or its journal may say why",
        )
    # in the foreground it may be hours until something is asked of systemd again
    disconnect()


def stop_unit(unit: str, user: bool) -> None:
    """Stop the unit and have systemd forget it; one that is not there is no failure. Raises PlancError."""
    try:
        (job,) = _call(user, f"stop unit {unit}", "StopUnit", "ss", (unit, "replace"))
    except _NoSuchUnitError:
        return
    # whatever the result: what is left of it is removed as a cgroup
    _job_result(user, job, f"stop unit {unit}")
    reset_failed(unit, user)


def forget_unit(unit: str, user: bool, in_use: Callable[[], bool]) -> None:
    """End a unit whose process is gone, perhaps while systemd moved it: then the unit has failed, or goes
    on for ever without a process.

    One that is `in_use` is somebody else's, and stays. Raises PlancError.
    """
    settled = time.monotonic() + SETTLE_TIME
    end = time.monotonic() + FORGET_TIMEOUT
    while time.monotonic() < end:
        try:
            _call(user, f"find unit {unit}", "GetUnit", "s", (unit,))
        except _NoSuchUnitError:
            return
        reset_failed(unit, user)
        if time.monotonic() > settled and not in_use():
            stop_unit(unit, user)
            return
        time.sleep(0.02)


def reset_failed(unit: str, user: bool) -> None:
    """Have systemd forget that the unit failed, which keeps it loaded."""
    try:
        _call(user, f"reset unit {unit}", "ResetFailedUnit", "s", (unit,))
    except PlancError:
        pass


def set_properties(unit: str, user: bool, properties: Sequence[str]) -> None:
    """Change properties until the unit ends; systemd has done it when this returns. Raises PlancError."""
    set_typed(unit, user, [typed_property(text) for text in properties])


def set_typed(unit: str, user: bool, typed: Sequence[tuple[str, tuple[str, Any]]]) -> None:
    """:func:`set_properties` with values as D-Bus has them."""
    what = f"set properties of unit {unit}"
    _call(user, what, "SetUnitProperties", "sba(sv)", (unit, True, list(typed)))
    # it answers before it writes the files, but writes them before it answers anything else
    _call(user, what, "GetUnit", "s", (unit,))


def get_properties(unit: str, user: bool, names: Sequence[str]) -> list[tuple[str, tuple[str, Any]]]:
    """The values of some properties of a scope. Raises PlancError."""
    what = f"read properties of unit {unit}"
    (path,) = _call(user, what, "GetUnit", "s", (unit,))
    place = {"path": path, "interface": "org.freedesktop.DBus.Properties"}
    scope = "org.freedesktop.systemd1.Scope"
    return [(name, _call(user, what, "Get", "ss", (scope, name), **place)[0]) for name in names]


def attach(unit: str, user: bool, below: str, pid: int) -> None:
    """Move a process into the unit's cgroup, or into one `below` ("/" itself). Raises PlancError."""
    what = f"attach process {pid} to unit {unit}"
    _call(user, what, "AttachProcessesToUnit", "ssau", (unit, below, [pid]))


def typed_property(text: str) -> tuple[str, tuple[str, Any]]:
    """ "TasksMax=uint64 5" as D-Bus has it. Raises ValueError."""
    name, _, value = text.partition("=")
    return name, parse_value(value)


def _systemctl(user: bool) -> str:
    return "systemctl --user" if user else "systemctl"


class _RefusedError(PlancError):
    pass


class _UnitExistsError(PlancError):
    pass


class _NoSuchUnitError(PlancError):
    pass


def _start(user: bool, arguments: tuple[Any, ...]) -> str:
    what = f"start unit {arguments[0]}"
    (job,) = _call(user, what, "StartTransientUnit", "ssa(sv)a(sa(sv))", arguments)
    return str(job)


def _call(
    user: bool, what: str, member: str, signature: str, body: tuple[Any, ...], **place: str
) -> tuple[Any, ...]:
    """One method, of the manager unless `place` (path, interface) is another object.

    Raises PlancError, which for what systemd answers with is one of ours above.
    """
    from runtime.linux.systemd_bus import BusError, reason

    try:
        bus = connect(user)
        if member in JOBS:
            bus.match("org.freedesktop.systemd1.Manager", "JobRemoved")
        return bus.call(member, signature, body, **place)  # type: ignore[arg-type]
    except BusError as err:
        if err.is_a("UnitExists"):
            raise _UnitExistsError(f"{what}: {err.text}") from None
        if err.is_a("NoSuchUnit"):
            raise _NoSuchUnitError(f"{what}: {err.text}") from None
        raise _RefusedError(f"{what}: systemd: {err.text or err.name}") from None
    except OSError as err:
        disconnect()
        raise PlancError(f"{what}: systemd: {reason(err)}") from None


def _job_result(user: bool, job: str, what: str) -> str:
    """Wait for the end of a job; its result. Raises PlancError, and Interrupted after ``hold``."""
    from runtime.linux.systemd_bus import reason

    bus = connect(user)
    bus.wait = readable
    try:
        # id, job, unit, result
        return str(bus.await_signal("JobRemoved", lambda body: body[1] == job, JOB_TIMEOUT)[3])
    except TimeoutError:
        raise PlancError(f"{what}: systemd has not done it in {JOB_TIMEOUT:.0f} s") from None
    except OSError as err:
        disconnect()
        raise PlancError(f"{what}: systemd: {reason(err)}") from None
