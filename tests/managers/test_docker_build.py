"""docker build with the legacy builder and with BuildKit, which calls `runc` from PATH in the foreground."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .cgroup_files import MEMORY_LIMIT
from .conftest import need_bridges
from .daemons import Manager
from .image import SHORT as IMAGE

if TYPE_CHECKING:
    from pathlib import Path

    from .daemons import Docker
    from .machine import Result

GOOD = f"""FROM {IMAGE}
RUN echo one > /one
WORKDIR /w
ENV A=1
USER app
RUN test "$(id -u)" = 1000 && test "$(pwd)" = /w && test "$A" = 1
USER root
COPY given /given
RUN ["sh", "-c", "cat /one /given > /both"]
CMD ["cat", "/both"]
"""
BUILDERS = pytest.mark.parametrize("buildkit", ["0", "1"], ids=["legacy", "buildkit"])


def build(
    docker: Docker, context: Path, recipe: str, buildkit: str, code: int | None = 0, *words: str
) -> Result:
    (context / "Dockerfile").write_text(recipe)
    (context / "given").write_text("two\n")
    client = Manager(docker.machine, docker.argv, {"DOCKER_BUILDKIT": buildkit})
    return client("build", "--no-cache", "-t", "built", *docker.network, *words, context, code=code)


@BUILDERS
def test_build_and_run(docker: Docker, workdir: Path, buildkit: str) -> None:
    build(docker, workdir, GOOD, buildkit)
    assert docker("run", "--rm", "--network", "none", "built").out == "one\ntwo"
    docker("rmi", "built")


@BUILDERS
def test_build_with_host_network(docker: Docker, workdir: Path, buildkit: str) -> None:
    need_bridges(docker.machine)
    build(
        docker,
        workdir,
        f"FROM {IMAGE}\nRUN ls /sys/class/net | grep docker0\n",
        buildkit,
        0,
        "--network",
        "host",
    )
    docker("rmi", "built")


@BUILDERS
def test_failing_step(docker: Docker, workdir: Path, buildkit: str) -> None:
    result = build(docker, workdir, f"FROM {IMAGE}\nRUN echo seen; exit 3\n", buildkit, None)
    assert result.code == (1 if buildkit == "1" else 3)
    assert "3" in result.err
    assert "seen" in result.err + result.out


@BUILDERS
def test_step_whose_command_is_missing(docker: Docker, workdir: Path, buildkit: str) -> None:
    result = build(docker, workdir, f'FROM {IMAGE}\nRUN ["/no/such"]\n', buildkit, None)
    assert result.code != 0
    assert "/no/such" in result.err
    assert "no such file or directory" in result.err


def test_build_with_limits(docker: Docker, workdir: Path) -> None:
    recipe = f"FROM {IMAGE}\nRUN test $(cat {MEMORY_LIMIT}) = 67108864\n"
    build(docker, workdir, recipe, "0", 0, "--memory", "64m")
    docker("rmi", "built")
