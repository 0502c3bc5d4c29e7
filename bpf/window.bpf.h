/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Windows: which map operation a goroutine is in, without a probe on its return.
 *
 * The entry of an operation notes where its return address lies. The operation still
 * runs as long as the goroutine is deeper than that, the address is still there, and the
 * frame chain passes there. The distance is taken from the stack's top, which copystack
 * keeps when it moves a stack (runtime/stack.go). One slot for each goroutine is enough,
 * because the functions that open windows do not call each other.
 */
#pragma once

#include "goroutine.bpf.h"

struct window_key {
	__u64 g;
	__u64 tgid;
};

struct window {
	__u64 stack_distance; /* stack.hi - address of the return address */
	__u64 return_address;
	__u64 goid; /* g structures are reused */
	__u64 map;
	__u32 operation; /* enum map_operation */
	__u32 open;
};

struct {
	/* LRU: a goroutine that is evicted has long been out of its operation. */
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct window_key);
	__type(value, struct window);
} windows __weak SEC(".maps");

/*
 * How many windows are open among the goroutines that share a bucket, so that a system
 * call outside any operation needs no lookup. May stay above the truth (an evicted
 * window), never below it.
 */
#define OPEN_BUCKETS 1024
__weak __s64 mapscope_open_windows[OPEN_BUCKETS] = {};

static __always_inline __s64 *open_bucket(__u64 g)
{
	return &mapscope_open_windows[((g >> 5) ^ (g >> 12)) & (OPEN_BUCKETS - 1)];
}

static __always_inline void window_close(struct window *window, __u64 g)
{
	window->open = 0;
	__sync_fetch_and_add(open_bucket(g), -1);
}

/* The window that goroutine `g` has open, or NULL. */
static __always_inline struct window *window_find(__u64 g, __u32 tgid)
{
	if (*open_bucket(g) <= 0)
		return NULL;

	struct window_key key = { .g = g, .tgid = tgid };
	struct window *window = bpf_map_lookup_elem(&windows, &key);

	return window && window->open ? window : NULL;
}

/* 0, or a negative errno when the table is full. Called at the entry of an operation. */
static __always_inline int window_open(__u64 g, __u32 tgid, const struct window *opened)
{
	struct window_key key = { .g = g, .tgid = tgid };
	struct window *window = bpf_map_lookup_elem(&windows, &key);
	int error = 0;

	if (window) {
		/* In place: a goroutine runs on one thread at a time. */
		__u32 was_open = window->open;

		*window = *opened;
		if (was_open)
			return 0;
	} else {
		error = bpf_map_update_elem(&windows, &key, opened, BPF_ANY);
	}
	if (!error)
		__sync_fetch_and_add(open_bucket(g), 1);
	return error;
}
