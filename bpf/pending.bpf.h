/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* System calls whose result is wanted, from their entry to their exit. */
#pragma once

struct pending_call {
	__u64 time_ns; /* of the event that told the entry */
	__u64 path;    /* user address to read again, 0: none */
	__u32 number;
	__u32 target;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096); /* threads in a memory call at one moment */
	__type(key, __u64);	   /* tgid and tid */
	__type(value, struct pending_call);
} pending_calls __weak SEC(".maps");

/* While it is 0, the exit of a call costs one load. Never below the truth. */
__weak __s64 mapscope_pending_count = 0;
