/*
 * native.h - the contract between planc (Python) and its C helper.
 *
 * This is the only place where a number, a layout or a limit that both sides
 * share is written down.  It is read whole by cffi's cdef(), so it holds only
 * comments, enums, integer #defines, typedefs, structs and prototypes.
 *
 * The conversation
 * ----------------
 * The plan is one flat list of operations in the order in which they happen.
 * Some are done by the runtime (Python), some by init (C).  Only init's travel:
 * encode.py writes them into a blob, and puts an OP_SYNC wherever the next
 * operation of the plan belongs to the runtime.
 *
 *   planc (Python)                      stage (C, planc's child)
 *   --------------                      ------------------------
 *   planc_spawn()  ── plan memfd ─────▶ runs operations up to OP_FORK, in the
 *                                       caller's pid namespace
 *                 ◀─ MSG_SYNC op ─────  "your turn": id maps, cgroup, ...
 *   runs the runtime's operations
 *   that follow op ── MSG_CONTINUE ──▶
 *                                       OP_FORK: clone3(CLONE_PARENT)
 *                 ◀─ MSG_FORKED pid ──    │  (stage exits 0)
 *                                         ▼
 *                                       init (C, also planc's child): the rest
 *                 ◀─ MSG_SYNC op ─────  hooks, rlimits, state, ...
 *                 ── MSG_CONTINUE ───▶
 *                 ◀─ MSG_DONE ────────  last message; planc stops listening
 *                                       OP_WAIT_START: blocks on exec.fifo
 *                                       OP_EXEC
 *
 * Whatever fails on the C side sends MSG_FAILED {op, error, text} and exits 1.
 * When the socket reaches its end before MSG_DONE the C side exits at once, so
 * a killed planc leaves no half-made container running.
 *
 * After MSG_DONE a failure (a startContainer hook, execve) is written as one
 * struct message to the descriptor of OP_WAIT_START.status (exec.status, a
 * FIFO that `start` reads; success is its end of file), or, where the plan has
 * no OP_WAIT_START (exec), to the same socket: OP_EXEC then is what closes it.
 */

#define PLAN_MAGIC 0x636e6c70u
#define PLAN_VERSION 1
#define SLOT_MAX 512
#define SLOT_NONE 0xffffffffffffffffull
#define MESSAGE_TEXT 1000

/* One datagram in either direction (SOCK_SEQPACKET), always this size. */
struct message {
    uint32_t type;  /* enum message_type */
    int32_t op;     /* index of the operation in the plan, -1: none */
    int32_t error;  /* errno, 0: none; the text then stands alone */
    int32_t pad;
    int64_t value;  /* MSG_FORKED: pid as seen by the stage */
    char text[MESSAGE_TEXT]; /* MSG_FAILED: what was being done to what, NUL-terminated */
};

enum message_type {
    MSG_SYNC = 1,
    MSG_CONTINUE = 2,
    MSG_FORKED = 3,
    MSG_DONE = 4,
    MSG_FAILED = 5,
    MSG_SECCOMP_FD = 6, /* carries the notify descriptor by SCM_RIGHTS; wants MSG_CONTINUE */
};

/*
 * The blob: header, slots, operations, pool.  All numbers little-endian host
 * order, every structure 8-byte aligned.
 *   int32_t slot[slot_count]   (padded to 8): descriptor inherited in that slot, or -1
 *   op_count times: struct plan_op followed by its `args` 64-bit arguments
 *   pool: NUL-terminated strings, vectors and byte blobs
 * An argument is a plain number, a slot index (SLOT_NONE: none), or an offset
 * from the start of the blob (0: absent):
 *   str_t   NUL-terminated string
 *   strv_t  uint64_t count, then count str_t (8-byte aligned)
 *   u64v_t  uint64_t count, then count uint64_t
 *   blob_t  uint64_t size, then the bytes
 */
struct plan_header {
    uint32_t magic;
    uint32_t version;
    uint32_t slot_count;
    uint32_t op_count;
    uint64_t size;      /* of the whole blob */
    uint64_t ops;       /* offset of the first plan_op */
    uint32_t sync_fd;   /* the conversation */
    uint32_t keep_fds;  /* descriptors 3 .. 3+keep_fds-1 go to the payload */
};

struct plan_op {
    uint16_t code;  /* enum plan_opcode */
    uint16_t args;  /* number of 64-bit arguments that follow */
    int32_t index;  /* of this operation in the whole plan */
};

typedef uint64_t u64_t;
typedef int64_t i64_t;
typedef struct { uint64_t index; } slot_t;
typedef struct { uint64_t offset; } str_t;
typedef struct { uint64_t offset; } strv_t;
typedef struct { uint64_t offset; } u64v_t;
typedef struct { uint64_t offset; } blob_t;

enum plan_opcode {
    OP_SYNC = 1,
    /* stage: the caller's namespaces */
    OP_OOM_SCORE_ADJ,
    OP_ENTER_CGROUPS,
    OP_DUMPABLE,
    OP_OPEN_TREE,
    OP_HOLD_TREES,
    OP_TAKE_TREES,
    OP_OPEN_NAMESPACE,
    OP_SETNS,
    OP_UNSHARE,
    OP_BECOME_ROOT,
    OP_TIME_OFFSETS,
    OP_FORK,
    /* init: a session and a network of its own */
    OP_SETSID,
    OP_SESSION_KEYRING,
    OP_LOOPBACK_UP,
    /* init: the root file system, still inside the caller's tree */
    OP_ROOT_PROPAGATION,
    OP_ATTACH_ROOTFS,
    OP_MOUNT,
    OP_BIND,
    OP_SET_ATTR,
    OP_MKNOD,
    OP_SYMLINK,
    OP_HOOK,
    OP_PIVOT_ROOT,
    OP_MOVE_ROOT,
    OP_CHROOT,
    OP_REOPEN_DEV_NULL,
    OP_CONSOLE,
    OP_MAKE_CWD,
    OP_READONLY_PATH,
    OP_MASK_PATH,
    OP_SYSCTL,
    OP_HOSTNAME,
    OP_DOMAINNAME,
    /* init: the process */
    OP_UMASK,
    OP_NO_NEW_PRIVILEGES,
    OP_SCHEDULER,
    OP_IO_PRIORITY,
    OP_PERSONALITY,
    OP_ENVIRONMENT,
    OP_CHDIR,
    OP_BOUNDING,
    OP_STDIO_OWNER,
    OP_SETGROUPS,
    OP_SETUID,
    OP_CAPSET,
    OP_AMBIENT,
    OP_SECCOMP,
    OP_FIND_EXECUTABLE,
    OP_DONE,
    OP_WAIT_START,
    OP_EXEC,
    OP_LAST
};

/* Your turn, runtime: MSG_SYNC, then wait for MSG_CONTINUE. */
struct op_sync { u64_t unused; };

/* cgroups(7) version 1: write "0" to each `tasks` file. The stage has one thread. */
struct op_enter_cgroups { strv_t tasks; };

/* /proc/self/oom_score_adj, proc(5). */
struct op_oom_score_adj { i64_t value; };

/* prctl(PR_SET_DUMPABLE). */
struct op_dumpable { u64_t value; };

/*
 * open_tree(2) with OPEN_TREE_CLONE of `source` (a path in the caller's mount
 * namespace) into slot `tree`; then mount_setattr(2) with the propagation
 * (MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE; 0: leave) over the whole tree, and,
 * with a user namespace in slot `userns`, MOUNT_ATTR_IDMAP.
 */
struct op_open_tree {
    slot_t tree;
    str_t source;
    u64_t recursive;
    u64_t propagation;
    slot_t userns;
    u64_t userns_recursive;
};

/*
 * The trees opened so far go through the making of a mount namespace that belongs to another
 * user namespace, so that what the caller has mounted read-only, nosuid, nodev or noexec, or on
 * top of something, stays so for good (mount_namespaces(7), "Restrictions on mount namespaces").
 * OP_HOLD_TREES comes before the user namespace is entered, OP_TAKE_TREES after the new mount
 * namespace; in between the slots are empty and nobody changes the working directory.
 * `place`: a directory that may be covered for that time and longer: the root file system's path.
 */
struct op_hold_trees { str_t place; };
struct op_take_trees { u64_t unused; };

/* open(2) of a namespace file; `type` (CLONE_NEW*) is checked by ioctl_ns(2) NS_GET_NSTYPE. */
struct op_open_namespace { slot_t ns; str_t path; u64_t type; };

/* setns(2); `type` may be a mask when the slot holds a pidfd. */
struct op_setns { slot_t ns; u64_t type; };

struct op_unshare { u64_t flags; };

/* setresgid(0), setresuid(0) in the user namespace just entered; setgroups(0) where allowed. */
struct op_become_root { u64_t unused; };

/* /proc/self/timens_offsets, time_namespaces(7); one write, absent clocks have 0 0. */
struct op_time_offsets { str_t text; };

/* clone3(CLONE_PARENT); the stage sends MSG_FORKED and exits; init goes on. */
struct op_fork { u64_t unused; };

struct op_setsid { u64_t unused; };

/* keyctl(2) KEYCTL_JOIN_SESSION_KEYRING; the possessor may search it. ENOSYS is no failure. */
struct op_session_keyring { str_t name; };

struct op_loopback_up { u64_t unused; };

/* mount(2) of propagation `flags` (with MS_REC) on the mount namespace's "/". */
struct op_root_propagation { u64_t flags; };

/*
 * move_mount(2) of slot `tree` onto `path` (onto "/" where root of the user namespace may not
 * search `path`); the mount's parent is made private when `parent_private`.  Slot `root` becomes the directory descriptor every
 * later path of the container is resolved through; the working directory too.
 */
struct op_attach_rootfs { slot_t tree; slot_t root; str_t path; u64_t parent_private; };

/*
 * A new file system at `target` inside the rootfs: fsopen(2) of `type`, fsconfig(2)
 * for `source` and each comma-separated word of `data` (mount(2) where a value is longer
 * than fsconfig takes), fsmount(2) with `attrs` (MOUNT_ATTR_*), move_mount(2).
 * `superflags`: comma-separated flag words for the superblock ("sync,dirsync,lazytime,mand,ro").
 * The target is made (a directory, 0755) when missing and resolved with RESOLVE_IN_ROOT;
 * proc and sysfs insist on a directory that is no symlink.
 * `propagation`: strv of 64-bit MS_* numbers applied in order afterwards (with MS_REC or not).
 * `mount` (slot, may be none) keeps the mount's descriptor for OP_SET_ATTR.
 * `copy_up`: tmpfs only: the old directory's content is copied into the new one.
 * `inherit_mode`: tmpfs without mode=: take the mode of the directory it covers.
 * `fallback` (slot, may be none): a detached tree (OP_OPEN_TREE) attached instead when
 * the kernel answers EPERM or EBUSY (sysfs, cgroup2 in a user namespace).
 */
struct op_mount {
    slot_t mount;
    str_t type;
    str_t source;
    str_t data;
    str_t superflags;
    u64_t attrs;
    str_t target;
    u64v_t propagation;
    u64_t copy_up;
    u64_t inherit_mode;
    slot_t fallback;
};

/*
 * A detached tree attached at `target` inside the rootfs; missing targets are made
 * as a directory or an empty file, as the tree's root is.  mount_setattr(2) sets
 * `attr_set` and clears `attr_clr` on the top mount, `rec_set`/`rec_clr` on the whole tree,
 * before it is attached; `propagation` in order afterwards.
 * `refuse_proc`: 1: the tree must not be... anything but procfs (a bind on /proc itself).
 */
struct op_bind {
    slot_t tree;
    str_t target;
    u64_t attr_set;
    u64_t attr_clr;
    u64_t rec_set;
    u64_t rec_clr;
    u64v_t propagation;
    u64_t must_be_procfs;
};

/* mount_setattr(2) on a kept mount (late read-only); slot `mount`, or the root itself with slot `root`. */
struct op_set_attr { slot_t mount; u64_t attr_set; u64_t attr_clr; u64_t recursive; };

/* mknod(2) inside the rootfs, parents made; an existing node must be the same device; then chown, chmod. */
struct op_mknod { str_t path; u64_t mode; u64_t major; u64_t minor; u64_t uid; u64_t gid; };

/* symlink(2) inside the rootfs; an existing file is left alone, or replaced with `replace`. */
struct op_symlink { str_t target; str_t path; u64_t replace; };

/*
 * A hook run by init: fork, execve(path, argv, env); its standard input is
 * head + own pid in decimal + tail.  Killed with its process group after `timeout`
 * seconds (0: none).  Not 0: failure, with the last bytes of its output.
 */
struct op_hook { str_t path; strv_t argv; strv_t env; u64_t timeout; str_t head; str_t tail; };

/* pivot_root(".", ".") into slot `root`, old root detached. */
struct op_pivot_root { slot_t root; };

/* --no-pivot: MS_MOVE and chroot, after unmounting or masking every bare procfs and sysfs. */
struct op_move_root { slot_t root; };

/* chroot(2) into slot `root`, for a container without a mount namespace of its own. */
struct op_chroot { slot_t root; };

/* Standard descriptors that are /dev/null become the container's own /dev/null. */
struct op_reopen_dev_null { u64_t unused; };

/*
 * A pseudo-terminal of the container's devpts: master sent by SCM_RIGHTS over slot
 * `socket` (the message is "/dev/ptmx"), slave chowned to `uid`, sized unless 0x0, bound on
 * /dev/console when `bind_console`, made the controlling terminal and descriptors 0-2.
 */
struct op_console { slot_t socket; u64_t width; u64_t height; u64_t uid; u64_t bind_console; };

/* mkdir -p of the working directory, 0755, root's. */
struct op_make_cwd { str_t path; };

/* Bind the path on itself, read-only, keeping the other flags; missing: nothing. */
struct op_readonly_path { str_t path; };

/* File: /dev/null bound over it (after checking that it is 1:3); directory: an empty read-only tmpfs; missing: nothing. */
struct op_mask_path { str_t path; };

/* Write `value` to /proc/sys/<path> through a descriptor known to be procfs. `path` has slashes. */
struct op_sysctl { str_t path; str_t value; };

struct op_hostname { str_t name; };
struct op_domainname { str_t name; };
struct op_umask { u64_t mask; };
struct op_no_new_privileges { u64_t unused; };

/* sched_setattr(2), same fields. */
struct op_scheduler {
    u64_t policy;
    u64_t flags;
    i64_t nice;
    u64_t priority;
    u64_t runtime;
    u64_t deadline;
    u64_t period;
};

/* ioprio_set(2) IOPRIO_WHO_PROCESS: class << 13 | data. */
struct op_io_priority { u64_t value; };

struct op_personality { u64_t persona; };

/* The payload's environment. With `home`, HOME comes from /etc/passwd of the container for `uid` (else "/") when missing or empty. */
struct op_environment { strv_t env; u64_t uid; u64_t home; };

/* chdir(2) to `path` ("" : "/"); getcwd(2) must be inside the root afterwards. `may_fail`: EACCES/EPERM are kept for the second try after setuid. */
struct op_chdir { str_t path; u64_t may_fail; };

/* Drop from the bounding set every capability not in `keep` (bit mask). */
struct op_bounding { u64_t keep; };

/* fchown(2) descriptors 0-2 (not /dev/null) to uid; EPERM, EROFS, EINVAL ignored. */
struct op_stdio_owner { u64_t uid; };

/* setgroups(2), also when empty; not called with `skip` (setgroups denied in the user namespace). */
struct op_setgroups { u64v_t gids; u64_t skip; };

/* PR_SET_KEEPCAPS, setresgid, setresuid, capabilities made effective again. */
struct op_setuid { u64_t uid; u64_t gid; };

/* capset(2), bit masks; before it, every ambient capability (the caller's) is cleared. */
struct op_capset { u64_t effective; u64_t permitted; u64_t inheritable; };

/* PR_CAP_AMBIENT_RAISE for each bit; a refusal is no failure. */
struct op_ambient { u64_t mask; };

/* seccomp(2) SECCOMP_SET_MODE_FILTER with the BPF program; with SECCOMP_FILTER_FLAG_NEW_LISTENER the
 * descriptor goes to the runtime by MSG_SECCOMP_FD: sent by a helper process that shares the
 * descriptor table and is not under the filter. */
struct op_seccomp { blob_t filter; u64_t flags; };

/* PATH lookup of argv[0] in the environment of OP_ENVIRONMENT, as execvp(3); regular, executable. */
struct op_find_executable { str_t name; };

/* Every slot but OP_WAIT_START's is closed; MSG_DONE: the runtime may go. From here nothing is reported on the socket unless the plan has no OP_WAIT_START. */
struct op_done { u64_t unused; };

/* Block in read(2) on slot `fifo` (exec.fifo, opened O_RDWR) for one byte. Slot `status`: exec.status, opened O_RDWR. */
struct op_wait_start { slot_t fifo; slot_t status; };

/* execve(2) of what OP_FIND_EXECUTABLE found. */
struct op_exec { strv_t argv; };
