// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Lists every process with two numbers: the one that BPF programs see, which is that of
 * the kernel's first pid namespace, and the one that it has in a given namespace. A
 * tracer that runs in a container knows only the second, and no system call tells it the
 * first.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/contract/targets.h"

#define NAMESPACE_DEPTH_MAX 8

__u32 mapscope_pid_namespace = 0; /* inode number, set before the iterator runs */

SEC("iter/task")
int process_ids(struct bpf_iter__task *ctx)
{
	struct seq_file *out = ctx->meta->seq;
	struct task_struct *task = ctx->task;

	if (!task || task->pid != task->tgid)
		return 0;

	struct pid *ids = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(ids, level);

	/* Without a loop: the verifier of Linux 6.1 finds no end of the one that ends with the level. */
#pragma unroll
	for (__u32 i = 0; i < NAMESPACE_DEPTH_MAX; i++) {
		struct upid id;
		struct process_ids pair = { .tgid = task->tgid };

		if (i > level || bpf_core_read(&id, sizeof(id), &ids->numbers[i]))
			continue;
		struct pid_namespace *namespace = id.ns;
		pair.local = id.nr;
		if (BPF_CORE_READ(namespace, ns.inum) == mapscope_pid_namespace)
			bpf_seq_write(out, &pair, sizeof(pair));
	}
	return 0;
}
