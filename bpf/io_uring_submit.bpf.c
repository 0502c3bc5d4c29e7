// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Requests that enter the kernel through an io_uring instead of a system call of their
 * own. They run in the submitting thread, inside io_uring_enter, so both witnesses apply
 * to its user registers; with kernel-side polling they run in a thread without a
 * goroutine, and no map function fills a ring.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "settings.bpf.h"
#include "emit.bpf.h"
#include "witness.bpf.h"

#define IO_URING_FIXED_FILE 1

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(io_uring_submit, struct io_kiocb *request)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	__u32 index = target_of(tgid);

	if (index == NO_TARGET)
		return 0;

	struct target *target = &mapscope_targets[index & (TARGETS_MAX - 1)];
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	struct user_registers registers = USER_REGISTERS(regs);
	struct goroutine goroutine = {};
	struct verdict verdict = {};
	bool known = target->flags & TARGET_GO && target->flags & TARGET_BIAS_KNOWN;
	bool polled = task->flags & 0x04000000; /* PF_USER_WORKER; see include/linux/sched.h */

	if (!(target->flags & TARGET_WATCHED) || target->flags & TARGET_AWAITS_EXEC)
		return 0;
	if (known && !polled) {
		bool in_go = in_range(&target->text, registers.ip - target->load_bias);

		if (!find_goroutine(index, &registers,
				    in_go ? registers.g : g_from_tls(target), &goroutine) &&
		    !(goroutine.flags & (WITNESS_NO_GOROUTINE | WITNESS_SIGNAL_STACK)))
			hear_witnesses(index, &goroutine, &verdict);
	}

	struct io_uring_submit_event *event =
		EMIT_RESERVE(EVENT_KIND_IO_URING_SUBMIT, struct io_uring_submit_event, index);

	if (!event)
		return 0;
	event->user_data = request->cqe.user_data;
	event->goid = verdict.goid;
	event->ip = polled ? 0 : registers.ip;
	event->map_pc = verdict.map_pc;
	event->fd = request->cqe.fd;
	event->request_flags = request->flags & IO_URING_FIXED_FILE;
	event->witnesses = verdict.witnesses;
	event->operation = verdict.operation;
	event->opcode = request->opcode;
	event->is_polled = polled;
	EMIT_SUBMIT(event);
	return 0;
}
