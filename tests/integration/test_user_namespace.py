"""The user namespace: mappings, joining by path, and the runtime in the hands of a user without privileges."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

import pytest

from . import caller, holders, proc, unprivileged
from .harness import Container

FIRST = caller.first_subordinate(100000)
SECOND, THIRD = FIRST + 20000, FIRST + 30000


def _map(container: Container, *ranges: tuple[int, int, int]) -> Container:
    container.namespace("user")
    mappings = [{"containerID": inside, "hostID": outside, "size": size} for inside, outside, size in ranges]
    container.linux["uidMappings"] = mappings
    container.linux["gidMappings"] = mappings
    return container


def _id_map(pid: int | str, name: str = "uid_map") -> list[list[int]]:
    return [
        [int(word) for word in line.split()] for line in Path(f"/proc/{pid}/{name}").read_text().splitlines()
    ]


# ---- mappings by root ------------------------------------------------------------------------------------------


def test_mapping_is_written(container: Container) -> None:
    _map(container, (0, FIRST, 65536)).sleeping()
    assert proc.ns(container.pid, "user") != proc.ns("self", "user")
    assert _id_map(container.pid) == [[0, FIRST, 65536]]
    assert _id_map(container.pid, "gid_map") == [[0, FIRST, 65536]]


def test_several_ranges(container: Container) -> None:
    _map(container, (0, FIRST, 10), (10, SECOND, 1000), (5000, THIRD, 1)).sleeping()
    assert _id_map(container.pid) == [[0, FIRST, 10], [10, SECOND, 1000], [5000, THIRD, 1]]


def test_uid_and_gid_mappings_may_differ(container: Container) -> None:
    _map(container, (0, FIRST, 1000))
    container.linux["gidMappings"] = [{"containerID": 0, "hostID": SECOND, "size": 2000}]
    container.sleeping()
    assert _id_map(container.pid, "gid_map") == [[0, SECOND, 2000]]


def test_process_runs_as_the_mapped_root(container: Container) -> None:
    _map(container, (0, FIRST, 65536)).sleeping()
    status = proc.status(container.pid)
    assert status["Uid"].split() == [str(FIRST)] * 4
    assert status["Gid"].split() == [str(FIRST)] * 4
    assert container.exec_sh("id -u; id -g") == "0\n0"


def test_process_user_is_mapped(container: Container) -> None:
    _map(container, (0, FIRST, 65536))
    container.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [2000]}
    container.sleeping()
    status = proc.status(container.pid)
    assert status["Uid"].split()[0] == str(FIRST + 1000)
    assert status["Gid"].split()[0] == str(FIRST + 1001)
    assert status["Groups"].split() == [str(FIRST + 2000)]


def test_setgroups_stays_allowed_for_root(container: Container) -> None:
    _map(container, (0, FIRST, 65536)).sleeping()
    assert Path(f"/proc/{container.pid}/setgroups").read_text() == "allow\n"


def test_root_of_the_container_is_unprivileged_outside(container: Container, directory: str) -> None:
    path = Path(directory, "secret")
    path.write_text("secret")
    path.chmod(0o600)
    container.bundle.file("secret")
    _map(container, (0, FIRST, 65536)).mount("/secret", str(path))
    assert container.shell("cat /secret").run().returncode == 1


def test_host_files_belong_to_the_overflow_ids(container: Container) -> None:
    _map(container, (0, FIRST, 65536))
    assert container.sh("stat -c %u:%g /bin/busybox") == "65534:65534"


@pytest.mark.needs_root("chown")
def test_own_files_belong_to_root(container: Container) -> None:
    for parent, names, files in os.walk(container.bundle.rootfs):
        for name in [*names, *files, "."]:
            os.chown(os.path.join(parent, name), FIRST, FIRST, follow_symlinks=False)
    _map(container, (0, FIRST, 65536))
    assert container.sh("touch /new; stat -c %u:%g /new /bin/busybox") == "0:0\n0:0"
    assert os.stat(f"{container.bundle.rootfs}/new").st_uid == FIRST


def test_default_devices_work(container: Container) -> None:
    _map(container, (0, FIRST, 65536))
    script = "head -c4 /dev/zero | wc -c; echo x > /dev/null; head -c3 /dev/urandom | wc -c; cat /dev/null"
    assert container.sh(script) == "4\n3"


def test_hostname_mounts_and_sysctl_work(container: Container) -> None:
    _map(container, (0, FIRST, 65536))
    container.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    script = "hostname; cat /proc/sys/net/ipv4/ip_forward; ls /sys/class/net; mount -t tmpfs x /tmp 2>&1"
    container.process["capabilities"]["effective"].append("CAP_SYS_ADMIN")
    container.process["capabilities"]["permitted"].append("CAP_SYS_ADMIN")
    container.process["capabilities"]["bounding"].append("CAP_SYS_ADMIN")
    assert container.sh(script) == "container\n1\nlo"


def test_masked_and_readonly_paths_work(container: Container) -> None:
    _map(container, (0, FIRST, 65536))
    container.linux.update({"maskedPaths": ["/proc/kcore", "/proc/acpi"], "readonlyPaths": ["/proc/sys"]})
    assert container.sh("cat /proc/kcore; ls /proc/acpi; echo x 2>&1 > /proc/sys/kernel/hostname; true") in (
        "",
        "sh: can't create /proc/sys/kernel/hostname: Read-only file system",
    )


def test_mount_namespace_belongs_to_the_user_namespace(container: Container) -> None:
    """Else the container could not mount anything, and mounts of the host would not be locked."""
    _map(container, (0, FIRST, 65536))
    container.process["capabilities"]["bounding"].append("CAP_SYS_ADMIN")
    container.process["capabilities"]["effective"].append("CAP_SYS_ADMIN")
    container.process["capabilities"]["permitted"].append("CAP_SYS_ADMIN")
    assert container.sh("mount -t tmpfs t /tmp && grep -c ' /tmp tmpfs' /proc/mounts") == "1"


def test_exec_enters_the_user_namespace(container: Container) -> None:
    _map(container, (0, FIRST, 65536)).sleeping()
    assert container.exec_sh("readlink /proc/self/ns/user; id -u") == proc.ns(container.pid, "user") + "\n0"


def test_exec_as_another_user(container: Container) -> None:
    _map(container, (0, FIRST, 65536)).sleeping()
    assert container.exec_sh("id -u; id -g", flags=["--user", "1000:1000"]) == "1000\n1000"


def test_bind_mount_of_a_host_directory(container: Container, directory: str) -> None:
    Path(directory, "file").write_text("content")
    container.bundle.directory("data")
    _map(container, (0, FIRST, 65536)).mount("/data", directory)
    assert container.sh("cat /data/file") == "content"


@pytest.mark.needs_root("a bind source that no id of the container may reach")
def test_bind_source_below_a_directory_closed_to_the_container(container: Container, directory: str) -> None:
    """The source is opened by the runtime, with the runtime's rights."""
    os.makedirs(f"{directory}/closed/open")
    Path(directory, "closed/open/file").write_text("content")
    os.chmod(f"{directory}/closed", 0o700)
    container.bundle.directory("data")
    _map(container, (0, FIRST, 65536)).mount("/data", f"{directory}/closed/open")
    assert container.sh("cat /data/file") == "content"


# ---- by path -----------------------------------------------------------------------------------------------------


@pytest.mark.old_runc_lacks("joining a user namespace without mappings")
def test_join_by_path(container: Container) -> None:
    with holders.holder("user", extra=("--map-root-user",)) as pid:
        container.namespace("user", holders.path(pid, "user")).without_namespace("network")
        container.without_mount("/sys")
        for mount in container.config["mounts"]:
            mount["options"] = [word for word in mount["options"] if word != "gid=5"]
        container.sleeping()
        assert proc.ns(container.pid, "user") == proc.ns(pid, "user")
        container.delete("--force")


@pytest.mark.old_runc_lacks("joining a user namespace without mappings")
def test_join_user_and_network_namespace_of_one_holder(container: Container) -> None:
    with holders.holder("user", "net", extra=("--map-root-user",)) as pid:
        container.namespace("user", holders.path(pid, "user")).namespace("network", holders.path(pid, "net"))
        for mount in container.config["mounts"]:
            mount["options"] = [word for word in mount["options"] if word != "gid=5"]
        container.sleeping()
        assert proc.ns(container.pid, "user") == proc.ns(pid, "user")
        assert proc.ns(container.pid, "net") == proc.ns(pid, "net")
        container.delete("--force")


# ---- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.old_runc_lacks("a refusal of mappings without a user namespace")
def test_mappings_without_the_namespace_are_refused(container: Container) -> None:
    container.without_namespace("user")
    container.linux["uidMappings"] = [{"containerID": 0, "hostID": FIRST, "size": 1}]
    container.try_create().failed("user namespace")


def test_namespace_without_mappings_is_refused(container: Container) -> None:
    container.linux.update(uidMappings=[], gidMappings=[])
    container.namespace("user").try_create().failed("mapping")


@pytest.mark.parametrize("field", ["uid", "gid"])
def test_unmapped_user_is_refused(container: Container, field: str) -> None:
    _map(container, (0, FIRST, 100))
    container.process["user"] = {"uid": 0, "gid": 0, field: 5000}
    container.try_create().failed()
    assert container.runtime.leftovers() == []


def test_overlapping_ranges_are_refused(container: Container) -> None:
    _map(container, (0, FIRST, 100), (50, SECOND, 100)).try_create().failed()
    assert container.runtime.leftovers() == []


@pytest.mark.planc_only("JSON pointers in its errors")
def test_empty_range_is_named(container: Container) -> None:
    _map(container, (0, FIRST, 0)).try_create().failed("linux.uidMappings[0].size")


# ---- without privileges ------------------------------------------------------------------------------------------


@pytest.fixture
def rootless(container: Container, directory: str) -> Container:
    return unprivileged.prepare(container, directory)


def test_rootless_with_one_id(rootless: Container) -> None:
    result = rootless.shell("id -u; id -g; hostname; echo $$").run().ok()
    assert result.stdout == "0\n0\ncontainer\n1\n"


def test_rootless_lifecycle(rootless: Container) -> None:
    rootless.sleeping()
    assert rootless.status == "running"
    assert _id_map(rootless.pid) == [[0, unprivileged.UID, 1]]
    assert _id_map(rootless.pid, "gid_map") == [[0, unprivileged.UID, 1]]
    assert Path(f"/proc/{rootless.pid}/setgroups").read_text() == "deny\n"
    assert proc.status(rootless.pid)["Uid"].split()[0] == str(unprivileged.UID)
    assert rootless.exec_sh("id -u; echo $HOME") == "0\n/root"
    rootless.kill_and_wait().delete()


def test_rootless_owner_is_named_by_list(rootless: Container) -> None:
    rootless.sleeping()
    (entry,) = rootless.runtime.call("list", "--format", "json").json()
    names = [entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == unprivileged.UID]
    assert entry["owner"] in (str(unprivileged.UID), f"#{unprivileged.UID}", *names)
    rootless.delete("--force")


def test_rootless_files_belong_to_the_user(rootless: Container) -> None:
    rootless.sh("touch /new")
    assert os.stat(f"{rootless.bundle.rootfs}/new").st_uid == unprivileged.UID


def test_rootless_new_network_namespace(rootless: Container) -> None:
    rootless.namespace("network")
    assert "127.0.0.1" in rootless.sh("ip addr show lo")


def test_rootless_default_devices_are_the_hosts(rootless: Container) -> None:
    assert rootless.sh("echo x > /dev/null; head -c2 /dev/zero | wc -c") == "2"


def test_rootless_default_root_is_the_runtime_dir(rootless: Container, directory: str) -> None:
    rootless.args("sleep", "1000").bundle.write()
    name = os.path.basename(rootless.runtime.binary)
    env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": directory}
    words = [rootless.runtime.binary, "create", "--bundle", rootless.bundle.path, rootless.id]
    from .harness import spawn

    spawn(words, env=env, user=unprivileged.UID).wait().ok()
    found = [entry for entry in os.listdir(directory) if rootless.id in _names(f"{directory}/{entry}")]
    assert found in ([name], ["runc"], ["planc"])
    spawn([words[0], "delete", "--force", rootless.id], env=env, user=unprivileged.UID).wait().ok()


def _names(path: str) -> list[str]:
    return os.listdir(path) if os.path.isdir(path) else []


def test_rootless_unmapped_group_is_refused(rootless: Container) -> None:
    rootless.process["user"]["additionalGids"] = [10]
    rootless.try_create().failed()


def test_rootless_user_namespace_is_required(rootless: Container) -> None:
    rootless.without_namespace("user")
    del rootless.linux["uidMappings"], rootless.linux["gidMappings"]
    rootless.try_create().failed("user namespace")


def test_rootless_foreign_host_id_is_refused(rootless: Container) -> None:
    rootless.linux["uidMappings"] = [{"containerID": 0, "hostID": 1, "size": 1}]
    rootless.try_create().failed()


needs_newuidmap = pytest.mark.skipif(not shutil.which("newuidmap"), reason="no newuidmap (Debian: uidmap)")


@needs_newuidmap
def test_rootless_with_subordinate_ids(rootless: Container, directory: str) -> None:
    options = unprivileged.with_subordinate_ids(rootless, directory)
    rootless.args("sleep", "1000").create(**options)
    assert _id_map(rootless.pid) == [[0, unprivileged.UID, 1], [1, unprivileged.SUBORDINATE, 65536]]
    assert _id_map(rootless.pid, "gid_map") == [
        [0, unprivileged.UID, 1],
        [1, unprivileged.SUBORDINATE, 65536],
    ]
    assert Path(f"/proc/{rootless.pid}/setgroups").read_text() == "allow\n"
    rootless.delete("--force")


@needs_newuidmap
@pytest.mark.old_runc_lacks("additional groups in rootless containers")
def test_rootless_subordinate_user_with_groups(rootless: Container, directory: str) -> None:
    options = unprivileged.with_subordinate_ids(rootless, directory)
    rootless.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [2000]}
    assert rootless.sh("id -u; id -g; id -G", **options) == "1000\n1000\n1000 2000"


@needs_newuidmap
def test_rootless_ids_that_are_not_subordinate_are_refused(rootless: Container, directory: str) -> None:
    options = unprivileged.with_subordinate_ids(rootless, directory)
    rootless.linux["uidMappings"][1]["hostID"] = 1
    rootless.try_create(**options).failed("map")
