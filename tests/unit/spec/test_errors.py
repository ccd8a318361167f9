"""The error family."""

import errno

from runtime.errors import (
    KernelError,
    PlancError,
    PlanError,
    Problem,
    SpecError,
    StateError,
    UsageError,
    errno_name,
    errno_text,
)


def test_message_and_hint() -> None:
    error = PlancError("cannot do it", "try later")
    assert (error.message, error.hint, error.exit_code) == ("cannot do it", "try later", 1)
    assert str(error) == "cannot do it; try later"
    assert str(PlancError("cannot do it")) == "cannot do it"


def test_family() -> None:
    for error in (
        SpecError([Problem("a", 1, "b")]),
        PlanError("x"),
        KernelError("mount", errno.EPERM),
        StateError("x"),
        UsageError("x"),
    ):
        assert isinstance(error, PlancError)
        assert error.exit_code == 1


def test_spec_error_has_a_line_per_problem() -> None:
    one = Problem("process.cwd", "tmp", '"tmp" is not an absolute path; write it from /')
    error = SpecError([one])
    assert str(error) == 'config.json: process.cwd: "tmp" is not an absolute path; write it from /'
    two = SpecError([one, Problem("", None, "odd")], "process.json")
    assert str(two).splitlines() == [
        'process.json: process.cwd: "tmp" is not an absolute path; write it from /',
        "process.json: odd",
    ]
    assert two.problems == [one, Problem("", None, "odd")]


def test_plan_error() -> None:
    error = PlanError("this kernel has no rdma cgroup", "linux.resources.rdma")
    assert str(error) == "linux.resources.rdma: this kernel has no rdma cgroup"
    assert error.pointer == "linux.resources.rdma"


def test_kernel_error() -> None:
    error = KernelError("mount tmpfs on /run/lock", errno.EPERM, "mounts[3]", hint="a user namespace owns it")
    assert str(error) == (
        "mounts[3]: mount tmpfs on /run/lock: EPERM: operation not permitted; a user namespace owns it"
    )
    assert (error.errno, error.pointer, error.operation) == (1, "mounts[3]", "mount tmpfs on /run/lock")
    assert str(KernelError("exec sh", 0, detail="is a directory")) == "exec sh: is a directory"


def test_errno_names() -> None:
    assert errno_name(errno.ENOENT) == "ENOENT"
    assert errno_name(4711) == "errno 4711"
    assert errno_text(errno.ENOENT) == "ENOENT: no such file or directory"
    assert errno_text(4711) == "errno 4711"
