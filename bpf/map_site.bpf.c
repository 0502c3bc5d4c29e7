// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Creations and growths of maps by the line that causes them, counted and not told one by one:
 * for a daemon that looks at a process for moments only. An object of its own, small, since the
 * daemon holds it all the time.
 *
 * The probe sits behind the stack check, as those of map_operation.bpf.c do.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/contract/map_sites.h"
#include "bpf/contract/targets.h"
#include "registers.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAP_SITES_MAX); /* user space may lower it before load */
	__type(key, struct map_site_key);
	__type(value, struct map_site_value);
} map_sites SEC(".maps");

struct map_site_counts mapscope_map_site_counts[MAP_SITE_COUNTER_COPIES] = {};
struct map_site_moment mapscope_map_site_moment = {};

/* Frames that are followed to get out of the runtime, and MAP_SITE_CALLERS beyond it. */
#define FRAMES_MAX 10

/* Of the runtime: how large maps and their tables get. */
#define TABLE_SLOTS_MAX 1024			       /* internal/runtime/maps/table.go, maxTableCapacity */
#define SMALL_SLOTS 8				       /* a group, a bucket */
#define CLASSIC_LOAD(log) (13 * ((1ULL << (log)) / 2)) /* runtime/map.go, overLoadFactor */

struct classic_header {
	__u64 count;
	__u8 flags;
	__u8 log_buckets;
	__u8 rest[6];
};

static __always_inline bool is_same_image(void)
{
	__u64 image = (__u64)bpf_get_current_task_btf()->mm;
	__u64 *expected = &mapscope_map_site_moment.image;
	__u64 first = *expected;

	if (!first)
		first = __sync_val_compare_and_swap(expected, 0, image) ?: image;
	return first == image;
}

/* What a swiss map has after rehash(tab; t, m). 0: not readable. */
static __always_inline __u64 slots_after_rehash(__u64 table, __u64 map)
{
	__u64 front, used, slots;

	if (bpf_probe_read_user(&front, sizeof(front), (void *)table))
		return 0;
	slots = 2 * ((front >> 16) & 0xffff); /* used, capacity, ... */
	if (slots <= TABLE_SLOTS_MAX)
		return slots;
	/* A table of many splits: how many slots the others have is told by what is in them. */
	if (bpf_probe_read_user(&used, sizeof(used), (void *)map))
		return 0;
	used = used / 7 * 8 + TABLE_SLOTS_MAX;
	return used > slots ? used : slots;
}

/* What a classic map has after hashGrow(t, h); `in_place`: no more than before. 0: not readable. */
static __always_inline __u64 slots_after_hash_grow(__u64 map, bool *in_place)
{
	struct classic_header header;

	if (bpf_probe_read_user(&header, sizeof(header), (void *)map))
		return 0;

	__u64 count = header.count + 1;
	__u8 log = header.log_buckets & 63;

	*in_place = count <= SMALL_SLOTS || count <= CLASSIC_LOAD(log);
	return SMALL_SLOTS * 2ULL << log;
}

/* False: not readable. */
static __always_inline bool read_arguments(struct pt_regs *ctx, struct map_site_key *key,
					   __u64 *slots, bool *in_place)
{
	__u64 first = GO_ARGUMENT_1(ctx), second = GO_ARGUMENT_2(ctx), third = GO_ARGUMENT_3(ctx);

	/* Loaded before the switch, see map_operation.bpf.c. */
	barrier_var(first);
	barrier_var(second);
	barrier_var(third);
	switch (key->operation) {
	case MAP_OPERATION_MAKE:    /* makemap(t, hint, h) */
	case MAP_OPERATION_NEW_MAP: /* NewMap(t, hint, m, maxAlloc) */
		key->map_type = first;
		return true;
	case MAP_OPERATION_CLONE: /* (m; t) */
		key->map_type = second;
		return true;
	case MAP_OPERATION_GROW_TO_TABLE: /* (m; t) */
		key->map_type = second;
		*slots = 2 * SMALL_SLOTS;
		return true;
	case MAP_OPERATION_HASH_GROW: /* (t, h) */
		key->map_type = first;
		*slots = slots_after_hash_grow(second, in_place);
		return *slots;
	case MAP_OPERATION_REHASH: /* (tab; t, m) */
		key->map_type = second;
		*slots = slots_after_rehash(first, third);
		return *slots;
	}
	return true; /* makemap_small() */
}

/* Those outside of the runtime. False: not even the first return address could be read. */
static __always_inline bool read_callers(struct pt_regs *ctx, struct map_site_key *key)
{
	const struct user_registers registers = USER_REGISTERS(ctx);
	const struct map_site_moment *moment = &mapscope_map_site_moment;
	struct {
		__u64 fp, return_address;
	} frame = { .fp = registers.fp, .return_address = LINK_REGISTER(ctx) };
	__u32 count = 0;

	if (!frame.return_address &&
	    bpf_probe_read_user(&frame.return_address, sizeof(frame.return_address),
				(void *)registers.sp))
		return false;
	for (int i = 0; i < FRAMES_MAX; i++) {
		__u64 fp = frame.fp;

		if (count || frame.return_address - moment->runtime_start >= moment->runtime_bytes)
			key->callers[count++ & (MAP_SITE_CALLERS - 1)] = frame.return_address;
		if (count >= MAP_SITE_CALLERS || fp <= registers.sp ||
		    bpf_probe_read_user(&frame, sizeof(frame), (void *)fp) ||
		    !frame.return_address)
			break;
	}
	return true;
}

/* False: the table is full. */
static __always_inline bool count_site(const struct map_site_key *key, __u64 slots)
{
	struct map_site_value *known = bpf_map_lookup_elem(&map_sites, key);
	struct map_site_value fresh = { .hits = 1, .slots_max = slots };

	if (!known) {
		if (!bpf_map_update_elem(&map_sites, key, &fresh, BPF_NOEXIST))
			return true;
		known = bpf_map_lookup_elem(&map_sites, key); /* another CPU was first */
		if (!known)
			return false;
	}
	__sync_fetch_and_add(&known->hits, 1);
	if (slots > known->slots_max)
		known->slots_max = slots; /* two at once: one of them is as good */
	return true;
}

SEC("uprobe")
int map_site(struct pt_regs *ctx)
{
	__u32 copy = bpf_get_smp_processor_id() & (MAP_SITE_COUNTER_COPIES - 1);
	struct map_site_counts *counts = &mapscope_map_site_counts[copy];
	__u64 cookie = bpf_get_attach_cookie(ctx), slots = 0;
	struct map_site_key key = { .operation = PROBE_SUBJECT(cookie) };
	bool in_place = false;

	__sync_fetch_and_add(&counts->hits, 1);
	if (!mapscope_map_site_moment.is_counting)
		return 0;
	if (PROBE_ON_STACK_CHECK(cookie) && STACK_CHECK_FAILS(ctx))
		return 0; /* it is entered again once the stack has grown */
	if (!is_same_image()) {
		__sync_fetch_and_add(&counts->of_another_image, 1);
		return 0;
	}
	__sync_fetch_and_add(&counts->counted, 1);
	if (!read_arguments(ctx, &key, &slots, &in_place) || !read_callers(ctx, &key))
		__sync_fetch_and_add(&counts->lost_unreadable, 1);
	else if (in_place)
		__sync_fetch_and_add(&counts->in_place, 1);
	else if (!count_site(&key, slots))
		__sync_fetch_and_add(&counts->lost_table_full, 1);
	return 0;
}
