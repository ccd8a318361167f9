# Shell functions of the scripts that run inside a world; each sources this file.
# Parameters come in $share/environment, which machine.py writes; results go into $share.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
share=/.world

# The machine's root (at $1) as the read-only lower layer of a new one at $2; everything written stays in memory.
overlay_root() {
    mount -t tmpfs -o mode=755 tmpfs /mnt
    mkdir /mnt/upper /mnt/work "$2"
    mount -t overlay -o "lowerdir=$1,upperdir=/mnt/upper,workdir=/mnt/work" overlay "$2" ||
        die 'no overlay over the root'
    mkdir "$2$share"
    # systemd takes a machine with one of these for a container, and does not read /proc/cmdline
    rm -f "$2/.dockerenv" "$2/run/.containerenv"
}

# Kernel modules from outside the root's /lib/modules: $1 is the directory of this kernel's, $2 the new root.
show_modules() {
    rm -rf "$2/lib/modules"
    mkdir "$2/lib/modules"
    ln -s "$1" "$2/lib/modules/$(uname -r)"
}

# What the command has as TMPDIR. Not the root, which is an overlay: another cannot have its upper layer there. Not
# /dev/shm, where no setuid program and no device works.
mount_scratch() {
    mkdir /.world-tmp
    mount -t tmpfs -o mode=1777 tmpfs /.world-tmp
}

# For limits of block I/O.
make_block_device() {
    modprobe loop
    truncate -s 16M /.world-tmp/.disk
    losetup --find /.world-tmp/.disk
}

die() {
    echo "world: $*" >/dev/console
    power_off
}

power_off() {
    sync
    echo 0 >/proc/sysrq-trigger # the kernel's last words are no news
    echo o >/proc/sysrq-trigger
    sleep 100
}

# What an init mounts.
mount_file_systems() {
    umount -l /mnt 2>/dev/null
    mount -t proc -o nosuid,nodev,noexec proc /proc
    mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
    mount -t devtmpfs devtmpfs /dev 2>/dev/null
    mkdir -p /dev/pts /dev/shm /dev/mqueue
    mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
    mount -t tmpfs -o nosuid,nodev tmpfs /dev/shm
    mount -t mqueue mqueue /dev/mqueue
    ln -sf /proc/self/fd /dev/fd
    ln -sf fd/0 /dev/stdin
    ln -sf fd/1 /dev/stdout
    ln -sf fd/2 /dev/stderr
    mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
    mkdir -p /run/lock
    mount_optional securityfs /sys/kernel/security
    mount_optional bpf /sys/fs/bpf
    mount_optional debugfs /sys/kernel/debug
    mount_optional tracefs /sys/kernel/tracing
    if grep -q hugetlbfs /proc/filesystems; then
        mkdir -p /dev/hugepages
        mount -t hugetlbfs hugetlbfs /dev/hugepages
    fi
}

# Kernels differ in what they have.
mount_optional() {
    [ ! -d "$2" ] || mount -t "$1" "$1" "$2" 2>/dev/null
}

mount_cgroups() {
    case "$1" in
    v2)
        mount -t cgroup2 -o nsdelegate,nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
        enable_controllers /sys/fs/cgroup
        ;;
    v1) mount_cgroup_v1 ;;
    hybrid)
        mount_cgroup_v1
        mkdir /sys/fs/cgroup/unified
        mount -t cgroup2 -o nsdelegate,nosuid,nodev,noexec cgroup2 /sys/fs/cgroup/unified
        ;;
    esac
}

# Each controller alone, and systemd's named hierarchy.
mount_cgroup_v1() {
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    tail -n +2 /proc/cgroups | while read -r name _ _ enabled; do
        [ "$enabled" = 1 ] || continue
        mkdir "/sys/fs/cgroup/$name"
        # a controller that this kernel has for v2 only cannot be mounted
        mount -t cgroup -o "$name,nosuid,nodev,noexec" cgroup "/sys/fs/cgroup/$name" 2>/dev/null ||
            rmdir "/sys/fs/cgroup/$name"
    done
    mkdir /sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd,nosuid,nodev,noexec cgroup /sys/fs/cgroup/systemd
}

# For the children of cgroup $1: everything that it has itself.
enable_controllers() {
    for controller in $(cat "$1/cgroup.controllers"); do
        echo "+$controller" >"$1/cgroup.subtree_control"
    done
}

# A user with subordinate ids.
add_user() {
    echo "$user:*:$uid:$uid::/home/$user:/bin/bash" >>/etc/passwd
    echo "$user:*:$uid:" >>/etc/group
    for file in subuid subgid; do echo "$user:1000000:65536" >>/etc/$file; done
    mkdir -p "/home/$user"
    chown "$uid:$uid" "/home/$user"
}

# A way for every user to the checkout, which is often in a home directory that nobody else may enter.
open_checkout() {
    path=$repository
    while [ "$path" != / ]; do
        chmod o+rx "$path"
        path=$(dirname "$path")
    done
}

# A cgroup of the user's, as systemd delegates one (cgroups(7)), with the calling process in a leaf of it.
delegate_cgroup() {
    top=/sys/fs/cgroup/delegated
    mkdir -p $top/session
    enable_controllers $top
    chown "$uid:$uid" $top $top/session
    while read -r file; do
        for cgroup in $top $top/session; do
            [ ! -e "$cgroup/$file" ] || chown "$uid:$uid" "$cgroup/$file"
        done
    done </sys/kernel/cgroup/delegate
    echo $$ >$top/session/cgroup.procs
}

# $user's systemd with its bus.
start_user_manager() {
    loginctl enable-linger "$user"
    systemctl start "user@$uid.service"
}
