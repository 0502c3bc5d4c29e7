/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file behind a descriptor of the running process, read without locks. */
#pragma once

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Makes further loads direct ones (6.2 on): a fifth of the cost of probe reads. */
extern void *bpf_rdonly_cast(const void *object, __u32 btf_id) __ksym __weak;

static __always_inline struct file *file_of(__u32 fd)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct fdtable *table = task->files->fdt;
	struct file *file = NULL;

	if (fd >= table->max_fds)
		return NULL;
	if (bpf_rdonly_cast) {
		/* A place that holds a pointer, whatever it is called: one load, no helper. */
		struct llist_node *slot = bpf_rdonly_cast(
			&table->fd[fd], bpf_core_type_id_kernel(struct llist_node));

		return (struct file *)slot->next;
	}
	if (bpf_probe_read_kernel(&file, sizeof(file), &table->fd[fd]))
		return NULL;
	return file;
}
