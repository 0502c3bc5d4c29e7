// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Says when a watched process is gone, so that user space can forget it.
 *
 * sched_process_exit fires for every thread, and the group leader need not be the last
 * to leave. do_exit() drops signal->live before it reaches this tracepoint, so the one
 * thread that finds zero there is the last one.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "settings.bpf.h"
#include "emit.bpf.h"
#include "targets.bpf.h"
#include "followed.bpf.h"
#include "pending.bpf.h"

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u32 tgid = task->tgid;
	__u32 index = target_of(tgid);

	if (index == NO_TARGET && !bpf_map_lookup_elem(&followed, &tgid))
		return 0;

	__u64 thread = bpf_get_current_pid_tgid();

	if (!bpf_map_delete_elem(&pending_calls, &thread))
		__sync_fetch_and_add(&mapscope_pending_count, -1);
	if (task->signal->live.counter != 0)
		return 0;
	bpf_map_delete_elem(&followed, &tgid);

	struct process_exit_event *event =
		EMIT_RESERVE(EVENT_KIND_PROCESS_EXIT, struct process_exit_event,
			     index == NO_TARGET ? EVENT_NO_TARGET : index);

	if (!event)
		return 0;
	event->exit_code = task->exit_code;
	event->reserved = 0;
	if (index != NO_TARGET)
		EMIT_SUBMIT_NOW(event); /* nothing pays for this one: its process is gone */
	else
		EMIT_SUBMIT(event);
	return 0;
}
