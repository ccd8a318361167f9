/* bpf.c - device filters of cgroup v2 directories: bpf(2) with programs of type BPF_PROG_TYPE_CGROUP_DEVICE. */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "native_all.h"

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
    long rc;

    do
        rc = syscall(SYS_bpf, command, attr, sizeof *attr);
    while (rc < 0 && errno == EAGAIN);
    return rc < 0 ? -errno : (int)rc;
}

int planc_bpf_load_device(const void *insns, size_t size, char *log, size_t log_size)
{
    union bpf_attr attr;
    static const char license[] = "Apache-2.0";

    memset(&attr, 0, sizeof attr);
    attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attr.insns = (uintptr_t)insns;
    attr.insn_cnt = (uint32_t)(size / sizeof(struct bpf_insn));
    attr.license = (uintptr_t)license;
    memcpy(attr.prog_name, "planc_devices", sizeof "planc_devices");
    int fd = bpf(BPF_PROG_LOAD, &attr);
    if (fd >= 0 || log_size < 128)
        return fd;
    /* once more, to learn why */
    attr.log_level = 1;
    attr.log_buf = (uintptr_t)log;
    attr.log_size = (uint32_t)log_size;
    return bpf(BPF_PROG_LOAD, &attr);
}

int planc_bpf_attach_device(int cgroup, int program, int replace)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.target_fd = (uint32_t)cgroup;
    attr.attach_bpf_fd = (uint32_t)program;
    attr.attach_type = BPF_CGROUP_DEVICE;
    attr.attach_flags = BPF_F_ALLOW_MULTI;
    if (replace >= 0) {
        attr.attach_flags |= BPF_F_REPLACE;
        attr.replace_bpf_fd = (uint32_t)replace;
    }
    return bpf(BPF_PROG_ATTACH, &attr);
}

int planc_bpf_detach_device(int cgroup, int program)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.target_fd = (uint32_t)cgroup;
    attr.attach_bpf_fd = (uint32_t)program;
    attr.attach_type = BPF_CGROUP_DEVICE;
    return bpf(BPF_PROG_DETACH, &attr);
}

int planc_bpf_query_device(int cgroup, uint32_t *ids, int count)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.query.target_fd = (uint32_t)cgroup;
    attr.query.attach_type = BPF_CGROUP_DEVICE;
    attr.query.prog_cnt = (uint32_t)count;
    attr.query.prog_ids = (uintptr_t)ids;
    int rc = bpf(BPF_PROG_QUERY, &attr);
    return rc < 0 && rc != -ENOSPC ? rc : (int)attr.query.prog_cnt;
}

int planc_bpf_program(uint32_t id)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof attr);
    attr.prog_id = id;
    return bpf(BPF_PROG_GET_FD_BY_ID, &attr);
}
