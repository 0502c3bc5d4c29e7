// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The result of the system calls whose entry was reported.
 *
 * While no such call is under way, which is nearly always, an exit costs one load and
 * the process is not even looked up.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "emit.bpf.h"
#include "pending.bpf.h"

SEC("tp_btf/sys_exit")
int BPF_PROG(system_call_exit, struct pt_regs *regs, long result)
{
	if (mapscope_pending_count <= 0)
		return 0;

	__u64 thread = bpf_get_current_pid_tgid();
	struct pending_call *pending = bpf_map_lookup_elem(&pending_calls, &thread);

	if (!pending)
		return 0;

	struct system_call_result_event *event =
		EMIT_RESERVE(EVENT_KIND_SYSTEM_CALL_RESULT, struct system_call_result_event,
			     pending->target);

	if (event) {
		event->call_time_ns = pending->time_ns;
		event->result = result;
		event->number = pending->number;
		__builtin_memset(event->path, 0, sizeof(event->path));
		event->has_path =
			pending->path && bpf_probe_read_user_str(event->path, sizeof(event->path),
								 (void *)pending->path) > 0;
		EMIT_SUBMIT(event);
	}
	bpf_map_delete_elem(&pending_calls, &thread);
	__sync_fetch_and_add(&mapscope_pending_count, -1);
	return 0;
}
