/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether a call happened inside a map operation, by two witnesses that do not know of
 * each other: the window that the operation's entry opened, and the functions that are
 * on the goroutine's stack. One walk of the frame chain serves both.
 */
#pragma once

#include "unknown_zero.bpf.h"
#include "window.bpf.h"

#define WALK_FRAMES_MAX 64

struct verdict {
	__u64 goid;
	__u64 map_pc; /* innermost map function on the stack, link-time; 0: none */
	__u64 window_map;
	__u32 witnesses; /* enum witness_flag */
	__u16 operation; /* of the window */
	__u8 place;	 /* enum call_place */
};

struct stack_walk {
	__u64 fp;
	__u64 stack_lo;
	__u64 stack_hi;
	__u64 window_frame;  /* where the frame of the operation would be; 0: no window */
	__u64 window_return; /* and its return address */
	__u64 map_pc;
	__u32 target;
	__u32 flags; /* enum witness_flag found so far */
	__u32 left_stack;
};

/* Takes note of one program counter of the stack. */
static __always_inline void look_at_pc(struct stack_walk *walk, const struct target *target,
				       __u64 pc)
{
	__u64 is_map = 0, is_windowed = 0;

#pragma unroll
	for (int i = 0; i < MAP_RANGES_MAX; i++)
		is_map |= in_range_bit(&target->map_ranges[i], pc);
	if (!is_map)
		return;
#pragma unroll
	for (int i = 0; i < WINDOWED_RANGES_MAX; i++)
		is_windowed |= in_range_bit(&target->windowed[i], pc);
	walk->flags |= WITNESS_STACK | is_windowed * WITNESS_WINDOWED;
	if (!walk->map_pc)
		walk->map_pc = pc;
}

static long walk_frame(__u32 depth, struct stack_walk *walk)
{
	const struct target *target = &mapscope_targets[walk->target & (TARGETS_MAX - 1)];
	__u64 frame[2]; /* saved frame pointer, return address */

	if (walk->fp < walk->stack_lo || walk->fp >= walk->stack_hi) {
		walk->left_stack = 1;
		if (!(target->flags & TARGET_STRAY_FRAMES))
			return 1;
	}
	if (bpf_probe_read_user(frame, sizeof(frame), (void *)walk->fp))
		return 1;
#if defined(__TARGET_ARCH_arm64)
	/* The return address lies in the callee's frame record, whose saved frame pointer
	 * is the caller's: one word below the stack pointer at the call. */
	bool is_window = frame[0] == walk->window_frame;
#else
	bool is_window = walk->fp == walk->window_frame;
#endif
	if (is_window && frame[1] == walk->window_return)
		walk->flags |= WITNESS_WINDOW;

	__u64 pc = frame[1] - 1 - target->load_bias; /* inside the call instruction */

	look_at_pc(walk, target, pc);
	/* What calls the runtime is user code: no map function can be further up. */
	if (!in_range(&target->runtime, pc) || frame[0] == 0 || frame[0] == walk->fp)
		return 1;
	walk->fp = frame[0];
	return 0;
}

/*
 * The cheap tests of a window, before the walk. True: the walk decides. A window that
 * the goroutine has left is closed here.
 */
static __always_inline bool window_may_be_open(struct window *window,
					       const struct goroutine *goroutine, __u64 *at)
{
	*at = goroutine->stack_hi - window->stack_distance;
	if (window->goid != goroutine->goid || goroutine->sp >= *at)
		return false;
#if !defined(__TARGET_ARCH_arm64) /* there the word lies in the callee's frame */
	__u64 word = 0;

	if (bpf_probe_read_user(&word, sizeof(word), (void *)*at) ||
	    word != window->return_address)
		return false;
#endif
	return true;
}

static __always_inline __u8 place_of(__u32 witnesses)
{
	bool window = witnesses & (WITNESS_WINDOW | WITNESS_WORD);

	if (window)
		return witnesses & WITNESS_STACK ? CALL_INSIDE : CALL_WINDOW_ONLY;
	if (!(witnesses & WITNESS_STACK))
		return CALL_OUTSIDE;
	return witnesses & WITNESS_WINDOWED ? CALL_STACK_ONLY : CALL_UNDER_WRITE;
}

/* Decides for the goroutine that find_goroutine() found. */
__weak __noinline int hear_witnesses(__u32 index, const struct goroutine *goroutine,
				     struct verdict *verdict)
{
	const struct target *target = &mapscope_targets[index & (TARGETS_MAX - 1)];

	if (!goroutine || !verdict)
		return -22;

	struct stack_walk walk = {
		.fp = goroutine->fp,
		.stack_lo = goroutine->stack_lo,
		.stack_hi = goroutine->stack_hi,
		.map_pc = mapscope_unknown_zero,
		.target = index,
	};
	struct window *window = NULL;
	__u64 at = 0;

	verdict->goid = goroutine->goid;
	verdict->witnesses = goroutine->flags;
	if (mapscope_settings.use_windows)
		window = window_find(goroutine->curg, target->tgid);
	if (window && !window_may_be_open(window, goroutine, &at)) {
		window_close(window, goroutine->curg);
		window = NULL;
	}
	if (window) {
		walk.window_frame = at - 8;
		walk.window_return = window->return_address;
	}

	if (goroutine->frameless_pc) {
		/* The function that switched stacks is not on the chain: for systemstack its
		 * return address is on top of the stack, for morestack it is sched.pc. */
		__u64 caller = 0;

		look_at_pc(&walk, target, goroutine->frameless_pc - target->load_bias);
		if (!bpf_probe_read_user(&caller, sizeof(caller), (void *)goroutine->sp))
			look_at_pc(&walk, target, caller - 1 - target->load_bias);
	}
	bpf_loop(WALK_FRAMES_MAX, walk_frame, &walk, 0);

	verdict->witnesses |= walk.flags;
	verdict->map_pc = walk.map_pc;
	/*
	 * Where the chain is no witness, the word is: the chain of Go <= 1.20 can lead into
	 * an old copy of the stack, and a goroutine that is preempted on the operation's own
	 * prologue has no frame there yet.
	 */
	if (window && !(walk.flags & WITNESS_WINDOW) &&
	    (walk.left_stack || (goroutine->flags & WITNESS_OTHER_SWITCH &&
				 walk.flags & WITNESS_STACK)))
		verdict->witnesses |= WITNESS_WORD;
	verdict->place = place_of(verdict->witnesses);
	if (window && verdict->witnesses & (WITNESS_WINDOW | WITNESS_WORD)) {
		verdict->operation = window->operation;
		verdict->window_map = window->map;
	}
	return 0;
}
