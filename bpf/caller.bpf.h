/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The goroutine that enters a probed function, where that function runs on the goroutine's
 * own stack: one read of user memory.
 */
#pragma once

#include "stack.bpf.h"

struct caller {
	__u64 g;
	__u64 goid;
	__u64 stack_id; /* once intern_stack() was asked */
	struct user_stack stack;
};

/* The stack at the entry of a function that has no frame yet; its bounds are not known. */
static __always_inline void stack_at_entry(struct pt_regs *ctx, __u32 target,
					   struct user_stack *stack)
{
	const struct user_registers registers = USER_REGISTERS(ctx);

	stack->ip = registers.ip;
	stack->second = LINK_REGISTER(ctx);
	stack->top_may_be_frame = !LINK_REGISTER(ctx);
	stack->sp = registers.sp;
	stack->fp = registers.fp;
	stack->lo = 0;
	stack->hi = ~0ULL;
	stack->target = target;
}

/*
 * Fills in the goroutine with that g and the bounds of its stack. Negative: g could not be
 * read. A function of its own for its words: frames of a call chain share 512 bytes.
 */
__weak __noinline int find_caller(__u64 g, struct caller *caller)
{
	__u64 words[G_WORDS];

	if (!caller)
		return -22;

	const struct target *target = &mapscope_targets[caller->stack.target & (TARGETS_MAX - 1)];

	caller->g = g;
	if (bpf_probe_read_user(words, sizeof(words), (void *)g) ||
	    !g_field(words, target->g_goid, &caller->goid))
		return -14;
	caller->stack.lo = words[0];
	caller->stack.hi = words[1];
	return 0;
}
