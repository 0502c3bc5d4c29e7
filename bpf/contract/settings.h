/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What user space decides once, between open and load. After load it is frozen, so the
 * verifier treats each field as a constant and drops the branches that are off.
 */
#pragma once

#include "bpf/contract/events.h"

struct mapscope_settings {
	__u8 emit_operations;	/* a record for each map operation, not only a count */
	__u8 use_windows;	/* off: the stack is the only witness (--light) */
	__u8 classify_outside;	/* look at the descriptor of calls outside map operations too */
	__u8 emit_call_samples; /* how many file calls outside to show as examples, a target */
	__u8 emit_memory_calls; /* a record for each memory call */
	__u8 watch_every_exec;	/* tell the exec of every process, not only of targets */
	__u8 reserved[2];
	/* Filters of trace: what does not pass is counted like everything, and not sent. */
	__u64 only_map;	 /* header address; 0: all */
	__u64 min_bytes; /* of memory calls and heap requests */
};
