// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Some process of the host runs another program now: its number and the time, no more. A host may
 * start a thousand processes a second, and most end before anybody looks.
 *
 * A raw tracepoint without its arguments: whoever executes is the current task, and a program that
 * reads no structure of the kernel needs none of its type information, which takes megabytes to
 * load. sched_process_exec fires past the point of no return, under the number that stays: a
 * thread other than the first has become the first by then.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "bpf/contract/process_feed.h"

/* bpf_ringbuf_submit: nobody sleeps until a record comes, see process_feed.h of user space. */
#define NO_WAKEUP 1 /* BPF_RB_NO_WAKEUP */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, PROCESS_FEED_BYTES);
} execs SEC(".maps");

struct process_feed_counts mapscope_process_feed_counts = {};

SEC("raw_tp/sched_process_exec")
int process_feed(void *ctx)
{
	struct exec_record *record = bpf_ringbuf_reserve(&execs, sizeof(*record), 0);

	if (!record) {
		__sync_fetch_and_add(&mapscope_process_feed_counts.lost, 1);
		return 0;
	}
	record->time_ns = bpf_ktime_get_ns();
	record->tgid = bpf_get_current_pid_tgid() >> 32;
	record->reserved = 0;
	__sync_fetch_and_add(&mapscope_process_feed_counts.sent, 1);
	bpf_ringbuf_submit(record, NO_WAKEUP);
	return 0;
}
