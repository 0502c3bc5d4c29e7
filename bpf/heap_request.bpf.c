// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the heap is asked for: (*mheap).grow(h, pages), after which memory is mapped, and
 * (*mcache).allocLarge(c, size, ..), an object of its own span. Both are rare, so each is
 * put before the witnesses: was it a map that asked?
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "settings.bpf.h"
#include "emit.bpf.h"
#include "witness.bpf.h"
#include "caller.bpf.h"

#define GO_PAGE_BYTES 8192 /* runtime/malloc.go, pageSize */

/*
 * The probed function, and then the frames of the goroutine that it works for. The frames
 * between, on the system stack, are the heap's own business.
 */
static __always_inline __u64 stack_of(struct pt_regs *ctx, __u32 index,
				      const struct goroutine *goroutine)
{
	struct user_stack stack = {};

	stack_at_entry(ctx, index, &stack);
	if (goroutine->flags & (WITNESS_SYSTEM_STACK | WITNESS_OTHER_SWITCH)) {
		/* What stands at systemstack_switch is in none of the user's functions; what
		 * morestack interrupted may be. */
		stack.second = goroutine->flags & WITNESS_OTHER_SWITCH ? goroutine->frameless_pc
								       : 0;
		stack.top_may_be_frame = 1;
		stack.sp = goroutine->sp;
		stack.fp = goroutine->fp;
	}
	if (goroutine->stack_hi) {
		stack.lo = goroutine->stack_lo;
		stack.hi = goroutine->stack_hi;
	}
	return intern_stack(&stack, goroutine->goid);
}

SEC("uprobe")
int heap_request(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 request = PROBE_SUBJECT(cookie);
	__u32 index = PROBE_TARGET(cookie);
	struct target_counts *counts = counts_of(index);
	struct user_registers registers = USER_REGISTERS(ctx);
	struct goroutine goroutine = {};
	struct verdict verdict = {};
	__u64 bytes = GO_ARGUMENT_2(ctx);

	if (!counts || (PROBE_ON_STACK_CHECK(cookie) && STACK_CHECK_FAILS(ctx)))
		return 0;
	if (find_goroutine(index, &registers, registers.g, &goroutine) < 0) {
		COUNT(counts->lost[LOSS_GOROUTINE_UNREADABLE]);
		goroutine.flags = WITNESS_NO_GOROUTINE;
	}
	if (!goroutine.flags) /* on its own stack, and the probed function has no frame yet */
		goroutine.frameless_pc = registers.ip;
	verdict.witnesses = goroutine.flags;
	if (!(goroutine.flags & (WITNESS_NO_GOROUTINE | WITNESS_SIGNAL_STACK)))
		hear_witnesses(index, &goroutine, &verdict);

	__u32 inside = verdict.place != CALL_OUTSIDE;

	if (request == HEAP_REQUEST_GROW) {
		bytes *= GO_PAGE_BYTES;
		__sync_fetch_and_add(&counts->heap_grown_bytes[inside & 1], bytes);
		COUNT(counts->heap_grown_count[inside & 1]);
	} else {
		__sync_fetch_and_add(&counts->large_allocation_bytes[inside & 1], bytes);
		COUNT(counts->large_allocation_count[inside & 1]);
	}
	if (!mapscope_settings.emit_operations || bytes < mapscope_settings.min_bytes)
		return 0;

	__u64 stack = stack_of(ctx, index, &goroutine);
	struct heap_request_event *event =
		EMIT_RESERVE(EVENT_KIND_HEAP_REQUEST, struct heap_request_event, index);

	if (!event)
		return 0;
	event->goid = verdict.goid;
	event->bytes = bytes;
	event->stack = stack;
	event->witnesses = verdict.witnesses;
	event->request = request;
	event->operation = verdict.operation;
	EMIT_SUBMIT(event);
	return 0;
}
