/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The user stack of what is reported, up to 64 program counters, and its interning.
 *
 * Our own walk of the frame chain and not bpf_get_stack: it starts at the goroutine when
 * the system stack or C code runs above it, it puts in the caller that a function without
 * a frame of its own hides, it is the same on every kernel, and an eighth of the cost. For
 * a read of user memory costs by number and not by size (docs/performance.md): the stack
 * is read in chunks of up to 1 KiB, and the chain is followed in our own memory.
 */
#pragma once

#include "emit.bpf.h"
#include "goroutine.bpf.h"

#define CHUNK_WORDS 128
#define CHUNK_BYTES (CHUNK_WORDS * 8)
#define FRAME_BYTES 16 /* saved frame pointer, return address */
#define FRAMES_A_STEP 4

/*
 * Where one walk works. A uprobe program can be preempted by another on its CPU, hence
 * several for each, and each claimed by its flag.
 */
#define SCRATCHES 4

struct stack_scratch {
	__u32 busy;
	__u32 count; /* of frames; 0: nothing could be read */
	__u64 id;
	__u64 frames[EVENT_STACK_FRAMES];
	__u64 fp; /* of the next frame */
	__u64 lo; /* of the goroutine's stack */
	__u64 hi;
	struct pc_range text; /* as in the process */
	__u64 may_stray;
	__u64 chunk_start; /* its address in the process */
	__u64 frames_end;  /* distance from chunk_start below which a frame was read as a whole */
	__u64 chunk[CHUNK_WORDS + 1];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCHES);
	__type(key, __u32);
	__type(value, struct stack_scratch);
} stack_scratches __weak SEC(".maps");

/* The stacks that were sent, by id. What is forgotten is sent again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u8);
} stacks_seen __weak SEC(".maps");

/* Where a walk begins. */
struct user_stack {
	__u64 ip;     /* the first frame */
	__u64 second; /* a program counter that the chain lacks; 0: none */
	__u64 sp;     /* 0: only the chain is followed */
	__u64 fp;
	__u64 lo; /* bounds of the goroutine's stack; 0 and ~0: not known */
	__u64 hi;
	__u64 top; /* out: the word at sp */
	__u32 target;
	__u32 top_may_be_frame; /* sp may be that of a function that has no frame (yet) */
};

/* What bpf_loop hands on has to lie on the stack, where room is scarce. */
struct frame_walk {
	struct stack_scratch *scratch;
};

static __always_inline struct stack_scratch *scratch_at(__u32 slot)
{
	return bpf_map_lookup_elem(&stack_scratches, &slot);
}

/* The slot; SCRATCHES when all belong to programs that were preempted on this CPU. */
static __always_inline __u32 scratch_claim(void)
{
	__u32 slot;

	for (slot = 0; slot < SCRATCHES; slot++) {
		struct stack_scratch *scratch = scratch_at(slot);

		if (scratch && !__sync_val_compare_and_swap(&scratch->busy, 0, 1))
			break;
	}
	return slot;
}

static __always_inline __u64 mix(__u64 id, __u64 pc)
{
	id = (id ^ pc) * 0x9e3779b97f4a7c15; /* 2^64 over the golden ratio */
	return id ^ id >> 32;
}

static __always_inline void add_frame(struct stack_scratch *scratch, __u64 pc)
{
	if (scratch->count >= EVENT_STACK_FRAMES)
		return;
	scratch->frames[scratch->count & (EVENT_STACK_FRAMES - 1)] = pc;
	scratch->count++;
	scratch->id = mix(scratch->id, pc);
}

/* Reads the stack from `at` up, or the one frame there where the rest is not present. */
static __always_inline bool read_chunk(struct stack_scratch *scratch, __u64 at)
{
	__u64 bytes = scratch->hi - at; /* huge where `at` is outside */

	if (bytes > CHUNK_BYTES)
		bytes = CHUNK_BYTES;
	if (bpf_probe_read_user(scratch->chunk, bytes, (void *)at)) {
		bytes = FRAME_BYTES;
		if (bpf_probe_read_user(scratch->chunk, FRAME_BYTES, (void *)at))
			return false;
	}
	scratch->chunk_start = at;
	scratch->frames_end = bytes >= FRAME_BYTES ? bytes - FRAME_BYTES + 8 : 0;
	return true;
}

/*
 * The next frames, as many as the chunk has of FRAMES_A_STEP: between them the state stays in
 * registers, which halves the time of the walk.
 */
static long copy_frames(__u32 step, struct frame_walk *walk)
{
	struct stack_scratch *scratch = walk->scratch;
	__u64 fp = scratch->fp, id = scratch->id;
	__u32 count = scratch->count;
	long done = 0;

	if (fp - scratch->chunk_start >= scratch->frames_end) {
		bool strays = fp - scratch->lo >= scratch->hi - scratch->lo;

		if ((strays && !scratch->may_stray) || !read_chunk(scratch, fp) ||
		    !scratch->frames_end)
			return 1;
	}

#pragma unroll
	for (int i = 0; i < FRAMES_A_STEP; i++) {
		__u64 offset = fp - scratch->chunk_start;

		if (offset >= scratch->frames_end)
			break;

		__u32 word = (offset / 8) & (CHUNK_WORDS - 1);
		__u64 saved_fp = scratch->chunk[word];
		__u64 pc = scratch->chunk[word + 1];

		done = 1;
		if (fp & 7 || !in_range(&scratch->text, pc) || count >= EVENT_STACK_FRAMES)
			break; /* C code, or no frame at all */
		scratch->frames[count & (EVENT_STACK_FRAMES - 1)] = pc;
		count++;
		id = mix(id, pc);
		if (saved_fp == 0 || saved_fp == fp)
			break;
		fp = saved_fp;
		done = 0;
	}
	scratch->fp = fp;
	scratch->id = id;
	scratch->count = count;
	return done;
}

/* Fills the scratch that the caller claimed. */
__weak __noinline int walk_stack(__u32 slot, struct user_stack *from)
{
	struct stack_scratch *scratch = scratch_at(slot);
	struct frame_walk walk = { .scratch = scratch };

	if (!scratch || !from)
		return 0;

	const struct target *target = &mapscope_targets[from->target & (TARGETS_MAX - 1)];

	scratch->count = 0;
	scratch->id = (__u64)target->generation << 32 | from->target;
	scratch->fp = from->fp;
	scratch->lo = from->lo;
	scratch->hi = from->hi;
	scratch->text.start = target->text.start + target->load_bias;
	scratch->text.size_bytes = target->text.size_bytes;
	scratch->may_stray = target->flags & TARGET_STRAY_FRAMES;
	scratch->chunk_start = scratch->frames_end = 0;
	if (from->sp) {
		if (!read_chunk(scratch, from->sp - FRAME_BELOW_SP))
			return 0;
		from->top = scratch->chunk[FRAME_BELOW_SP / 8];
	}
	add_frame(scratch, from->ip);
	if (from->second)
		add_frame(scratch, from->second);
	if (from->top_may_be_frame && in_range(&scratch->text, from->top))
		add_frame(scratch, from->top);
	bpf_loop(EVENT_STACK_FRAMES, copy_frames, &walk, 0);
	return 0;
}

/* `out` has EVENT_STACK_FRAMES words; it ends with a zero word unless it is full. */
static __always_inline void write_frames(const struct stack_scratch *scratch, __u64 *out)
{
	__u32 count = scratch->count;

	__builtin_memset(out, 0, EVENT_STACK_FRAMES * sizeof(*out));
	if (count > EVENT_STACK_FRAMES)
		count = EVENT_STACK_FRAMES;
	bpf_probe_read_kernel(out, count * sizeof(*out), scratch->frames);
}

static __always_inline void count_unreadable(__u32 target)
{
	struct target_counts *counts = counts_of(target);

	if (counts)
		COUNT(counts->lost[LOSS_STACK_UNREADABLE]);
}

/* The stack into `out` of a record. Its first frame is there even if nothing else is. */
static __always_inline void copy_stack(struct user_stack *from, __u64 *out)
{
	__u32 slot = scratch_claim();
	struct stack_scratch *scratch = scratch_at(slot);

	if (!scratch) {
		__builtin_memset(out, 0, EVENT_STACK_FRAMES * sizeof(*out));
		out[0] = from->ip;
		count_unreadable(from->target);
		return;
	}
	walk_stack(slot, from);
	write_frames(scratch, out);
	scratch->busy = 0;
}

static __always_inline void send_stack(const struct stack_scratch *scratch, __u64 id, __u64 goid,
				       __u32 target)
{
	struct stack_event *event = EMIT_RESERVE(EVENT_KIND_STACK, struct stack_event, target);
	__u8 yes = 1;

	if (!event)
		return;
	event->id = id;
	event->goid = goid;
	write_frames(scratch, event->frames);
	EMIT_SUBMIT(event);
	bpf_map_update_elem(&stacks_seen, &id, &yes, BPF_ANY);
}

/*
 * The id of the stack, which was sent at some time before this returns; 0 and a loss
 * where it could not be read.
 */
__weak __noinline __u64 intern_stack(struct user_stack *from, __u64 goid)
{
	if (!from)
		return 0;

	__u32 slot = scratch_claim();
	struct stack_scratch *scratch = scratch_at(slot);
	__u64 id = 0;

	if (scratch) {
		walk_stack(slot, from);
		if (scratch->count)
			id = scratch->id ? scratch->id : 1;
		if (id && !bpf_map_lookup_elem(&stacks_seen, &id))
			send_stack(scratch, id, goid, from->target);
		scratch->busy = 0;
	}
	if (!id)
		count_unreadable(from->target);
	return id;
}
