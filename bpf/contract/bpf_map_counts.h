/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs that go through the kernel's maps (bpf_map_count.bpf.c) write for each: how many
 * entries it has, by whatever the kernel keeps. Nothing of it is ever recorded.
 *
 * Rules for a change are those of events.h.
 */
#pragma once

#include "bpf/contract/events.h"

/* Which fields of a record mean something. */
enum bpf_map_count_has {
	BPF_MAP_HAS_COUNTER = 1 << 0,	/* `counter`: the per-CPU counter of map->elem_count, summed */
	BPF_MAP_HAS_OWN_COUNT = 1 << 1, /* `own_count`: what the type itself keeps, exact */
	BPF_MAP_HAS_ROUGH = 1 << 2,	/* `rough`: as own_count, some 32 a CPU not yet added */
	BPF_MAP_HAS_POSITIONS = 1 << 3, /* `consumed`, `produced`: of a ring buffer, in bytes */
	BPF_MAP_HAS_SLOTS = 1 << 4,	/* `own_count`: pointers that are not null, gone through */
	BPF_MAP_TOO_MANY_SLOTS = 1 << 5 /* left out, more than one run may go through */
};

/* How many slots and list elements one run goes through, some milliseconds. */
#define BPF_MAP_SLOTS_MAX (1 << 20)

struct bpf_map_count {
	__u32 id;
	__u32 type;
	__u32 has; /* enum bpf_map_count_has */
	__u32 reserved;
	__s64 counter;
	__u64 own_count;
	__s64 rough;
	__u64 consumed;
	__u64 produced;
	__u64 reserved_too;
};
CONTRACT_ASSERT(sizeof(struct bpf_map_count) == 64);
