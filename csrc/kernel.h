/*
 * kernel.h - what Python needs from the kernel and has no module for.
 *
 * Their sources are in parent/.  Read whole by cffi's cdef(), as native.h is: prototypes only.  Every function
 * returns a number >= 0, or -errno.  Descriptors come back close-on-exec.
 */

/*
 * spawn.c: start planc-init (the executable behind `init_fd`) with the plan
 * behind `plan_fd`, as a child of the caller, in the cgroup v2 directory `cgroup_fd` unless
 * that is -1.  Descriptors 0-2 and 3 .. 3+keep_fds-1 go with it as they are, so do
 * plan_fd and the `count` descriptors of `fds` (the conversation is one of them);
 * nothing else does, and neither does the environment.  All keep their numbers.
 * Returns the pid; `*pidfd` is set.  The call ends when execve has succeeded or failed.
 */
int planc_spawn(int init_fd, int plan_fd, const int *fds, int count, int keep_fds, int cgroup_fd, int *pidfd);

/*
 * userns.c: a child that does nothing, in a new user namespace without mappings,
 * holding none of the caller's descriptors; it dies with the caller.  Returns its pid.
 */
int planc_spawn_userns(int *pidfd);

/* namespace.c: setns(2), unshare(2). The caller must be single-threaded where the kernel says so. */
int planc_setns(int fd, int type);
int planc_unshare(int flags);

/* memfd.c: a memfd with these bytes that nobody, the caller included, can change any more. */
int planc_sealed_memfd(const char *name, const void *data, size_t size, int executable);

/*
 * message.c: one message of the conversation. Returns its size: 0 at the end of the
 * conversation. `*fd` is the descriptor that came with it, or -1. Also reads a FIFO or file.
 */
int planc_receive(int from, struct message *message, int *fd);
int planc_send(int to, uint32_t type);

/* process.c: prlimit(2), close_range(2), pidfd_send_signal(2), pidfd_open(2), prctl(2). */
int planc_prlimit(int pid, int resource, uint64_t soft, uint64_t hard);
int planc_close_range(unsigned first, unsigned last, unsigned flags);
int planc_pidfd_open(int pid);
int planc_pidfd_send_signal(int pidfd, int signal);
int planc_set_child_subreaper(int on);

/* mount.c: umount2(2). */
int planc_umount(const char *path, int flags);

/* open.c: openat2(2); `resolve` is a set of RESOLVE_* bits. */
int planc_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

/*
 * bpf.c: the device filter of a cgroup v2 directory (BPF_PROG_TYPE_CGROUP_DEVICE).
 * load: `insns` is `size` bytes of struct bpf_insn; what the verifier says goes to `log`.
 * attach: beside other programs (BPF_F_ALLOW_MULTI), or instead of `replace` when that is not -1.
 * query: ids of the attached programs; returns how many there are, at most `count` are written.
 */
int planc_bpf_load_device(const void *insns, size_t size, char *log, size_t log_size);
int planc_bpf_attach_device(int cgroup, int program, int replace);
int planc_bpf_detach_device(int cgroup, int program);
int planc_bpf_query_device(int cgroup, uint32_t *ids, int count);
int planc_bpf_program(uint32_t id);
