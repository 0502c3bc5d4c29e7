// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A watched process made a child, and children are wanted (--follow). Threads come by
 * here as well: they share the tgid and need nothing.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "settings.bpf.h"
#include "emit.bpf.h"
#include "targets.bpf.h"
#include "followed.bpf.h"

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = parent->tgid, child_tgid = child->tgid;
	__u32 index = target_of(tgid);
	__u8 yes = 1;

	if (tgid == child_tgid)
		return 0;
	if (index == NO_TARGET) {
		if (!bpf_map_lookup_elem(&followed, &tgid))
			return 0;
	} else if (!(mapscope_targets[index & (TARGETS_MAX - 1)].flags & TARGET_FOLLOW)) {
		return 0;
	}
	bpf_map_update_elem(&followed, &child_tgid, &yes, BPF_ANY);

	struct process_fork_event *event =
		EMIT_RESERVE(EVENT_KIND_PROCESS_FORK, struct process_fork_event,
			     index == NO_TARGET ? EVENT_NO_TARGET : index);

	if (!event)
		return 0;
	event->child_tgid = child_tgid;
	event->reserved = 0;
	EMIT_SUBMIT(event);
	return 0;
}
