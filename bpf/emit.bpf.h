/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The only way out of the kernel: reserve, fill, submit, and count both ends.
 *
 * The maps are weak because every program file includes this header, and the static
 * link of those files must end up with one ring buffer, not one each. The additions are
 * atomic because a uprobe program can be preempted by another on its CPU: per-CPU is
 * not per-program.
 */
#pragma once

#include "bpf/contract/events.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024); /* user space may resize it before load */
} events __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, EVENT_KIND_COUNT);
	__type(key, __u32);
	__type(value, struct event_stats);
} event_stats __weak SEC(".maps");

static __always_inline void *emit_reserve(enum event_kind kind, __u16 size_bytes, __u16 target)
{
	__u32 slot = kind;
	struct event_stats *stats = bpf_map_lookup_elem(&event_stats, &slot);
	if (!stats)
		return NULL;

	struct event_header *header = bpf_ringbuf_reserve(&events, size_bytes, 0);
	if (!header) {
		/* A lost event is a number, never a silence. */
		__sync_fetch_and_add(&stats->lost_ring_full, 1);
		return NULL;
	}
	__sync_fetch_and_add(&stats->sent, 1);

	__u64 tgid_tid = bpf_get_current_pid_tgid();
	header->time_ns = bpf_ktime_get_ns();
	header->tgid = tgid_tid >> 32;
	header->tid = (__u32)tgid_tid;
	header->kind = kind;
	header->size_bytes = size_bytes;
	header->target = target;
	header->cpu = bpf_get_smp_processor_id();
	return header;
}

/*
 * To be compared with NULL at once: with other code in between the compiler keeps two comparisons,
 * of which the verifier of Linux 6.1 does not see that the second can't fail.
 */
#define EMIT_RESERVE(kind, type, target) ((type *)emit_reserve(kind, sizeof(type), target))

/*
 * User space drains on a timer: one wake-up costs as much as some forty records
 * (docs/performance.md), and it would be the target that pays.
 */
#define EMIT_SUBMIT(event) bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP)
/* For what can't wait: a reader at the ring's descriptor wakes at once. */
#define EMIT_SUBMIT_NOW(event) bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP)
