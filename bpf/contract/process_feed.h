/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the program on every exec of the host (process_feed.bpf.c) says to user space. Nothing of
 * it is ever recorded.
 *
 * Rules for a change are those of events.h.
 */
#pragma once

#include "bpf/contract/events.h"

/* Some five thousand execs between two looks. */
#define PROCESS_FEED_BYTES (128 * 1024)

struct exec_record {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 tgid;    /* in the kernel's first pid namespace */
	__u32 reserved;
};
CONTRACT_ASSERT(sizeof(struct exec_record) == 16);

struct process_feed_counts {
	__u64 sent;
	__u64 lost; /* no room: nobody looked for long */
};
CONTRACT_ASSERT(sizeof(struct process_feed_counts) == 16);
