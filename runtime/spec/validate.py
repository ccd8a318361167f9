"""What a decoded config must be to make sense as a whole.

Each check is one small function that appends what it finds.  A check passes
over what is None: it is absent, or decode.py has reported it already.
Nothing here asks the host; what the host cannot do is for the planner to say.
"""

from __future__ import annotations

from runtime.errors import Problem
from runtime.spec.check_linux import check_linux
from runtime.spec.check_process import check_env, check_process
from runtime.spec.check_resources import check_resources
from runtime.spec.decode import entry, show
from runtime.spec.finding import Namespaces, check_absolute, items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.spec.model import LinuxResources, Process, Spec

__all__ = ["validate", "validate_process", "validate_resources"]


def validate(spec: Spec, rootless: bool = False, known: Sequence[Problem] = ()) -> list[Problem]:
    """Every problem of a decoded config; what is merely ignored goes to spec.warnings.

    rootless: the caller is not root, nor root of a user namespace;
    known: what decoding has found, so that nothing unreadable is called missing as well.
    """
    problems: list[Problem] = []
    if spec.warnings is None:
        spec.warnings = []
    for check in _CHECKS:
        check(spec, problems)
    if spec.process is not None:
        check_process(spec.process, "process", problems, spec.warnings)
    check_linux(spec, problems)
    if rootless:
        _check_rootless(spec, problems)
    return _without(problems, known)


def _without(problems: list[Problem], known: Sequence[Problem]) -> list[Problem]:
    if not known or not problems:
        return problems
    unreadable = {problem.path for problem in known}
    return [problem for problem in problems if problem.path not in unreadable]


def validate_process(
    process: Process,
    path: str = "process",
    warnings: list[str] | None = None,
    known: Sequence[Problem] = (),
) -> list[Problem]:
    """The problems of a `process` object alone, as `exec --process` gets one; known: as validate()."""
    problems: list[Problem] = []
    check_process(process, path, problems, [] if warnings is None else warnings)
    return _without(problems, known)


def validate_resources(
    resources: LinuxResources,
    path: str = "linux.resources",
    update: bool = False,
    known: Sequence[Problem] = (),
) -> list[Problem]:
    """The problems of a `linux.resources` object alone; known: as validate().

    update: it changes limits that are in force, so what it leaves out has a value already.
    """
    problems: list[Problem] = []
    check_resources(resources, path, problems, update)
    return _without(problems, known)


def _check_version(spec: Spec, problems: list[Problem]) -> None:
    version = spec.oci_version
    if version is None:
        return
    if not _is_semver(version):
        message = f"{show(version)} is not a version; write it like 1.3.0"
        problems.append(Problem("ociVersion", version, message))
    elif not version.startswith("1."):
        message = f"{show(version)} is not supported; planc reads versions 1.0 to 1.3, and later 1.x"
        problems.append(Problem("ociVersion", version, message))


def _is_semver(version: str) -> bool:
    """Semantic Versioning 2.0.0: 1.2.3, then -PRERELEASE, then +BUILD."""
    release, has_build, build = version.partition("+")
    core, has_prerelease, prerelease = release.partition("-")
    numbers = core.split(".")
    if len(numbers) != 3 or not all(_is_number(number) for number in numbers):
        return False
    if has_build and not all(_is_identifier(part) for part in build.split(".")):
        return False
    return not has_prerelease or all(
        _is_identifier(part) and (not part.isdigit() or _is_number(part)) for part in prerelease.split(".")
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")


def _is_identifier(text: str) -> bool:
    return text.isascii() and text.replace("-", "0").isalnum()


def _check_root(spec: Spec, problems: list[Problem]) -> None:
    if spec.root is not None and spec.root.path == "":
        problems.append(
            Problem("root.path", "", '"" is empty; write the path of a directory, such as rootfs')
        )


def _check_names(spec: Spec, problems: list[Problem]) -> None:
    """hostname and domainname: sethostname(2) takes 64 bytes, and needs the namespace."""
    lacks_uts = Namespaces(spec).lack("uts")
    for path, name in (("hostname", spec.hostname), ("domainname", spec.domainname)):
        if not name:
            continue
        if len(name.encode("utf-8", "replace")) > 64:
            problems.append(Problem(path, name, f"{show(name)} is too long; the kernel takes 64 bytes"))
        if lacks_uts:
            message = f'{show(name)} needs a UTS namespace; add {{"type": "uts"}} to linux.namespaces'
            problems.append(Problem(path, name, message))


def _check_mounts(spec: Spec, problems: list[Problem]) -> None:
    for path, mount in items("mounts", spec.mounts):
        if mount.destination is not None and not mount.destination.startswith("/"):
            shown = show(mount.destination)
            spec.warnings.append(f"{path}.destination: {shown} is not absolute and counts from /")
        options = mount.options or []
        if ("bind" in options or "rbind" in options) and not mount.source and "remount" not in options:
            message = "missing; a bind mount needs the path of what to bind"
            problems.append(Problem(f"{path}.source", mount.source, message))


def _check_hooks(spec: Spec, problems: list[Problem]) -> None:
    hooks = spec.hooks
    if hooks is None:
        return
    for name, kind in (
        ("prestart", hooks.prestart),
        ("createRuntime", hooks.create_runtime),
        ("createContainer", hooks.create_container),
        ("startContainer", hooks.start_container),
        ("poststart", hooks.poststart),
        ("poststop", hooks.poststop),
    ):
        for path, hook in items(f"hooks.{name}", kind):
            check_absolute(hook.path, f"{path}.path", problems)
            check_env(hook.env, f"{path}.env", problems)


def _check_annotations(spec: Spec, problems: list[Problem]) -> None:
    if spec.annotations and "" in spec.annotations:
        path = entry("annotations", "")
        problems.append(Problem(path, spec.annotations[""], "the key is empty; give it a name"))


def _check_rootless(spec: Spec, problems: list[Problem]) -> None:
    if Namespaces(spec).lack("user"):
        message = (
            'without root a container needs a user namespace; add {"type": "user"}, uidMappings and '
            "gidMappings, as planc spec --rootless does"
        )
        problems.append(Problem("linux.namespaces", None, message))


_CHECKS = (
    _check_version,
    _check_root,
    _check_names,
    _check_mounts,
    _check_hooks,
    _check_annotations,
)
