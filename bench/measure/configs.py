"""The two configs that are measured: the one `runc spec` writes, and one shaped as Docker Engine's.

Both run without a terminal. Configs are plain dicts, ready for json.dump().
"""

from __future__ import annotations

import contextlib
from typing import Any

Config = dict[str, Any]

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DOCKER_CAPABILITIES = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE"
    " SYS_CHROOT KILL AUDIT_WRITE"
)
_MASKED = (
    "/proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list"
    " /proc/timer_stats /proc/sched_debug /proc/scsi /sys/firmware"
)
_READONLY = "/proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger"
_NAMESPACES = ("pid", "network", "ipc", "uts", "mount")
# Docker's documentation lists these as blocked by its default profile; all else is allowed.
_BLOCKED_SYSCALLS = (
    "_sysctl acct add_key bpf clock_adjtime clock_settime clone clone3 create_module delete_module"
    " finit_module fsconfig fsmount fsopen fspick get_kernel_syms get_mempolicy init_module io_uring_enter"
    " io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie"
    " mbind migrate_pages mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree"
    " perf_event_open personality pivot_root process_madvise process_vm_readv process_vm_writev ptrace"
    " query_module quotactl quotactl_fd reboot request_key set_mempolicy setdomainname sethostname setns"
    " settimeofday stime swapoff swapon syslog sysfs umount umount2 unshare uselib userfaultfd ustat vhangup"
    " vm86 vm86old"
)
# CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET
_CLONE_NAMESPACES = 0x7E020000
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
_LAST_SYSCALL = 470


def spec_default(args: list[str], rootfs: str) -> Config:
    """Return what `runc spec` writes, but for the terminal and the program."""
    capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
    config = _common(args, rootfs, capabilities)
    config["root"]["readonly"] = True
    config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]
    config["process"]["noNewPrivileges"] = True
    config["hostname"] = "runc"
    return config


def docker(args: list[str], rootfs: str, bundle: str, name: str) -> Config:
    """Return what Docker Engine hands over for a plain `docker run`, without its network hook.

    `bundle` is a directory that holds the files resolv.conf, hostname and hosts, bound into the container.
    """
    config = _common(args, rootfs, [f"CAP_{name}" for name in _DOCKER_CAPABILITIES.split()])
    config["process"]["env"].append(f"HOSTNAME={name}")
    config["process"]["oomScoreAdj"] = 0
    config["hostname"] = name
    config["mounts"] += [
        {
            "destination": f"/etc/{file}",
            "type": "bind",
            "source": f"{bundle}/{file}",
            "options": ["rbind", "rprivate"],
        }
        for file in ("resolv.conf", "hostname", "hosts")
    ]
    linux = config["linux"]
    linux["cgroupsPath"] = f"/{name}"
    linux["sysctl"] = {
        "net.ipv4.ip_unprivileged_port_start": "0",
        "net.ipv4.ping_group_range": "0 2147483647",
    }
    linux["resources"] = {
        "devices": [
            {"allow": False, "access": "rwm"},
            *(
                {"allow": True, "type": "c", "major": major, "minor": minor, "access": "rwm"}
                for major, minor in ((1, 5), (1, 3), (1, 9), (1, 8), (5, 0), (5, 1))
            ),
            {"allow": False, "type": "c", "major": 10, "minor": 229, "access": "rwm"},
        ],
        "memory": {"disableOOMKiller": False},
        "cpu": {"shares": 0},
        "blockIO": {"weight": 0},
    }
    linux["seccomp"] = docker_seccomp()
    return config


def docker_seccomp() -> Config:
    """Return a profile of the size and kind of Docker's default, made from libseccomp's own table."""
    allowed = sorted(_known_syscalls() - set(_BLOCKED_SYSCALLS.split()))
    rules: list[Config] = [{"names": allowed, "action": "SCMP_ACT_ALLOW"}]
    rules += [
        {
            "names": ["personality"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}],
        }
        for value in _PERSONALITIES
    ]
    rules += [
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW"},
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": _CLONE_NAMESPACES, "op": "SCMP_CMP_MASKED_EQ"}],
        },
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
    ]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": rules,
    }


def _known_syscalls() -> set[str]:
    import seccomp

    names = set()
    for kind in (seccomp.Arch.X86_64, seccomp.Arch.X86):
        for number in range(_LAST_SYSCALL):
            with contextlib.suppress(ValueError):
                names.add(seccomp.resolve_syscall(seccomp.Arch(kind), number).decode())
    return names


def _common(args: list[str], rootfs: str, capabilities: list[str]) -> Config:
    sets = ("bounding", "effective", "permitted")
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": [_PATH, "TERM=xterm"],
            "cwd": "/",
            "capabilities": {name: list(capabilities) for name in sets},
        },
        "root": {"path": rootfs},
        "mounts": _mounts(),
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in _NAMESPACES],
            "maskedPaths": _MASKED.split(),
            "readonlyPaths": _READONLY.split(),
        },
    }


def _mounts() -> list[Config]:
    table = (
        ("/proc", "proc", "proc", ""),
        ("/dev", "tmpfs", "tmpfs", "nosuid strictatime mode=755 size=65536k"),
        ("/dev/pts", "devpts", "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5"),
        ("/dev/shm", "tmpfs", "shm", "nosuid noexec nodev mode=1777 size=65536k"),
        ("/dev/mqueue", "mqueue", "mqueue", "nosuid noexec nodev"),
        ("/sys", "sysfs", "sysfs", "nosuid noexec nodev ro"),
        ("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid noexec nodev relatime ro"),
    )
    return [
        {"destination": destination, "type": kind, "source": source, "options": options.split()}
        for destination, kind, source, options in table
    ]
