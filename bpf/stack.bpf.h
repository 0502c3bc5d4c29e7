/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The user stack of what is reported, up to 64 return addresses.
 *
 * Our own walk of the frame chain and not bpf_get_stack: it starts at the goroutine when
 * C code runs above it, it puts in the caller that a function without a frame of its own
 * hides, and it is the same on every kernel.
 */
#pragma once

#include "goroutine.bpf.h"

struct stack_copy {
	__u64 fp;
	__u64 *out;
	__u32 count;
};

static long copy_frame(__u32 depth, struct stack_copy *copy)
{
	__u64 frame[2];

	if (bpf_probe_read_user(frame, sizeof(frame), (void *)copy->fp) || !frame[1] ||
	    copy->count >= EVENT_STACK_FRAMES)
		return 1;
	copy->out[copy->count & (EVENT_STACK_FRAMES - 1)] = frame[1];
	copy->count++;
	if (frame[0] == 0 || frame[0] == copy->fp)
		return 1;
	copy->fp = frame[0];
	return 0;
}

/*
 * `out` has EVENT_STACK_FRAMES words. `caller` is the return address that the chain
 * lacks, 0 where it lacks none. Ends with a zero word unless it is full.
 */
static __always_inline void copy_stack(__u64 ip, __u64 caller, __u64 fp, __u64 *out)
{
	struct stack_copy copy = { .fp = fp, .out = out, .count = 1 };

	__builtin_memset(out, 0, EVENT_STACK_FRAMES * sizeof(*out));
	out[0] = ip;
	if (caller) {
		out[1] = caller;
		copy.count = 2;
	}
	bpf_loop(EVENT_STACK_FRAMES, copy_frame, &copy, 0);
}
