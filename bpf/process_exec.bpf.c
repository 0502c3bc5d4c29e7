// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A watched process, or a child of one, runs another program now; or any process does,
 * where new Go programs are waited for.
 *
 * The tracepoint fires after the point of no return and before the first instruction of
 * the new image. For a target, what was known of the old image is void at once. The
 * thread that called exec matters: probes that are scoped to a process are lost without
 * a word when it was not the first thread.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "settings.bpf.h"
#include "emit.bpf.h"
#include "targets.bpf.h"
#include "followed.bpf.h"

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, int old_tid, struct linux_binprm *binary)
{
	__u32 tgid = task->tgid;
	__u32 index = target_of(tgid);

	if (index != NO_TARGET) {
		struct target *target = &mapscope_targets[index & (TARGETS_MAX - 1)];

		/* Not atomic: after exec the process has one thread, and it is here. */
		if (target->flags & TARGET_AWAITS_EXEC)
			target->flags &= ~TARGET_AWAITS_EXEC;
		else
			target->flags &= ~TARGET_GO;
	} else if (!mapscope_settings.watch_every_exec && !bpf_map_lookup_elem(&followed, &tgid)) {
		return 0;
	}

	struct process_exec_event *event =
		EMIT_RESERVE(EVENT_KIND_PROCESS_EXEC, struct process_exec_event,
			     index == NO_TARGET ? EVENT_NO_TARGET : index);

	if (!event)
		return 0;
	event->old_tid = old_tid;
	event->reserved = 0;
	event->path[0] = 0;
	bpf_probe_read_kernel_str(event->path, sizeof(event->path), binary->filename);
	EMIT_SUBMIT(event);
	return 0;
}
