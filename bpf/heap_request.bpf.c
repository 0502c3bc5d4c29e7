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

#define GO_PAGE_BYTES 8192 /* runtime/malloc.go, pageSize */

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
	if (find_goroutine(index, &registers, registers.g, &goroutine)) {
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
	if (!mapscope_settings.emit_operations)
		return 0;

	struct heap_request_event *event =
		EMIT_RESERVE(EVENT_KIND_HEAP_REQUEST, struct heap_request_event, index);

	if (!event)
		return 0;
	event->goid = verdict.goid;
	event->bytes = bytes;
	event->stack = 0;
	event->witnesses = verdict.witnesses;
	event->request = request;
	event->operation = verdict.operation;
	EMIT_SUBMIT(event);
	return 0;
}
