// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Goes through all open files of all processes and tells who holds which BPF map or program:
 * /proc/PID/fdinfo says the same for a hundred times the work.
 *
 * What a file is, its name tells: descriptors of BPF live in the file system of anonymous inodes,
 * under a name for each kind (anon_inode_getfile in kernel/bpf/syscall.c and
 * kernel/events/core.c). Comparing with the addresses of file operations would need the kernel's
 * symbols, and these a privilege more.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/contract/held_descriptors.h"

#define ANON_INODE_FS_MAGIC 0x09041934 /* include/uapi/linux/magic.h */

/* Of links that run no program but hold a map (kernel/bpf/bpf_struct_ops.c, Linux 6.4). */
struct bpf_struct_ops_link___held {
	struct bpf_link link;
	struct bpf_map *map;
} __attribute__((preserve_access_index));

union file_name {
	char text[16];
	__u64 words[2];
};

static void tell(struct seq_file *out, struct task_struct *task, __u32 kind, __u32 id)
{
	struct held_descriptor held = { .tgid = task->tgid, .kind = kind, .id = id };

	if (id)
		bpf_seq_write(out, &held, sizeof(held));
}

static void tell_link(struct seq_file *out, struct task_struct *task, struct bpf_link *link)
{
	struct bpf_prog *prog = BPF_CORE_READ(link, prog);

	if (prog) {
		tell(out, task, HELD_PROGRAM, BPF_CORE_READ(prog, aux, id));
		return;
	}
	if (!bpf_core_enum_value_exists(enum bpf_link_type, BPF_LINK_TYPE_STRUCT_OPS) ||
	    !bpf_core_type_exists(struct bpf_struct_ops_link___held))
		return;
	if (BPF_CORE_READ(link, type) ==
	    bpf_core_enum_value(enum bpf_link_type, BPF_LINK_TYPE_STRUCT_OPS)) {
		struct bpf_struct_ops_link___held *held = (void *)link;

		tell(out, task, HELD_MAP_BY_LINK, BPF_CORE_READ(held, map, id));
	}
}

SEC("iter/task_file")
int held_descriptors(struct bpf_iter__task_file *ctx)
{
	struct seq_file *out = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	union file_name name = {};

	if (!task || !file)
		return 0;
	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != ANON_INODE_FS_MAGIC)
		return 0;
	bpf_probe_read_kernel_str(name.text, sizeof(name.text),
				  BPF_CORE_READ(file, f_path.dentry, d_name.name));

	void *object = BPF_CORE_READ(file, private_data);

	if (!__builtin_memcmp(name.text, "bpf-map", sizeof("bpf-map"))) {
		tell(out, task, HELD_MAP, BPF_CORE_READ((struct bpf_map *)object, id));
	} else if (!__builtin_memcmp(name.text, "bpf-prog", sizeof("bpf-prog"))) {
		tell(out, task, HELD_PROGRAM, BPF_CORE_READ((struct bpf_prog *)object, aux, id));
	} else if (!__builtin_memcmp(name.text, "bpf_link", sizeof("bpf_link"))) {
		tell_link(out, task, object);
	} else if (!__builtin_memcmp(name.text, "[perf_event]", sizeof("[perf_event]"))) {
		struct bpf_prog *prog = BPF_CORE_READ((struct perf_event *)object, prog);

		if (prog)
			tell(out, task, HELD_PROGRAM, BPF_CORE_READ(prog, aux, id));
	}
	return 0;
}
