/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which processes are watched, what is known of each, and what was counted. */
#pragma once

#include "bpf/contract/targets.h"

__weak struct target mapscope_targets[TARGETS_MAX] = {};

/*
 * tgid -> index in the table above, open addressed. A plain array and not a hash map,
 * because every system call of every process of the host passes here while a system-call
 * program is attached: one load and a comparison, no helper call. User space keeps a
 * tgid within TARGET_PROBES slots of its own; 0 ends a chain, TARGET_SLOT_FREED does not.
 */
__weak struct target_slot mapscope_target_slots[TARGET_SLOTS] = {};

#define NO_TARGET 0xffffffff

/*
 * A global function, here and elsewhere, is one that the verifier checks once and by
 * itself, instead of once more on every path that leads to it and away from it.
 */
__weak __noinline __u32 target_of(__u32 tgid)
{
#pragma unroll
	for (__u32 probe = 0; probe < TARGET_PROBES; probe++) {
		struct target_slot *slot =
			&mapscope_target_slots[(tgid + probe) & (TARGET_SLOTS - 1)];
		if (slot->tgid == tgid)
			return slot->index & (TARGETS_MAX - 1);
		if (slot->tgid == 0)
			return NO_TARGET;
	}
	return NO_TARGET;
}

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	/*
	 * User space raises it to what it needs, before load. All of TARGETS_MAX would be 279 MiB on a
	 * host of 128 CPUs; `mapscope vet` says so.
	 */
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct target_counts);
} target_counts __weak SEC(".maps");

/* User space wants no more than one place of the table, for all targets: it is large. */
__weak const volatile bool mapscope_counts_are_shared = false;

static __always_inline struct target_counts *counts_of(__u32 index)
{
	if (mapscope_counts_are_shared)
		index = 0;
	return bpf_map_lookup_elem(&target_counts, &index);
}

#define COUNT(field) __sync_fetch_and_add(&(field), 1)
