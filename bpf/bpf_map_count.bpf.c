// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How many entries each map of the kernel has, without a look at a single key: iterators over all
 * maps, which read what the types keep for themselves. Three programs, since an older kernel
 * refuses the second (a function of 6.6) or the third (a helper of 5.17): user space loads what it
 * takes.
 *
 * Structures differ between kernels and configurations. A field that is not there is a constant to
 * bpf_core_field_exists, and the code behind it dead to the verifier.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/contract/bpf_map_counts.h"
#include "unknown_zero.bpf.h"

#define NO_PREALLOC 1 /* BPF_F_NO_PREALLOC */

s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym __weak;

/* Before 6.9 the state stood in the value itself. */
struct bpf_struct_ops_value___before_6_9 {
	enum bpf_struct_ops_state state;
} __attribute__((preserve_access_index));
struct bpf_struct_ops_map___before_6_9 {
	struct bpf_struct_ops_value___before_6_9 kvalue;
} __attribute__((preserve_access_index));

static __always_inline void begin_record(struct bpf_map_count *count, const struct bpf_map *map)
{
	__builtin_memset(count, 0, sizeof(*count));
	count->id = BPF_CORE_READ(map, id);
	count->type = BPF_CORE_READ(map, map_type);
}

static __always_inline void own(struct bpf_map_count *count, __u64 entries)
{
	count->own_count = entries;
	count->has |= BPF_MAP_HAS_OWN_COUNT;
}

/*
 * Of a hash map without preallocation the kernel counts entries to hold its limit. One with many
 * CPUs' worth of entries counts in parts, which reach the sum when they come to 32
 * (kernel/bpf/hashtab.c, PERCPU_COUNTER_BATCH).
 */
static __always_inline void count_hash(struct bpf_map_count *count, const struct bpf_map *map)
{
	const struct bpf_htab *hash = (const struct bpf_htab *)map;

	if (!(BPF_CORE_READ(map, map_flags) & NO_PREALLOC))
		return;
	if (bpf_core_field_exists(hash->use_percpu_counter) && BPF_CORE_READ(hash, use_percpu_counter)) {
		count->rough = BPF_CORE_READ(hash, pcount.count);
		count->has |= BPF_MAP_HAS_ROUGH;
	} else if (bpf_core_field_exists(hash->count)) {
		own(count, (__u32)BPF_CORE_READ(hash, count.counter));
	}
}

/* kernel/bpf/queue_stack_maps.c: one element more than fits, so that full differs from empty. */
static __always_inline void count_queue(struct bpf_map_count *count, const struct bpf_map *map)
{
	const struct bpf_queue_stack *queue = (const struct bpf_queue_stack *)map;
	__u32 head, tail;

	if (!bpf_core_field_exists(queue->size))
		return;
	head = BPF_CORE_READ(queue, head);
	tail = BPF_CORE_READ(queue, tail);
	own(count, head >= tail ? head - tail : head + BPF_CORE_READ(queue, size) - tail);
}

/* The consumer first: a record that comes in between is then unread, never a negative number. */
static __always_inline void count_ring(struct bpf_map_count *count, const struct bpf_map *map)
{
	const struct bpf_ringbuf_map *ring = (const struct bpf_ringbuf_map *)map;

	if (!bpf_core_field_exists(ring->rb))
		return;
	count->consumed = BPF_CORE_READ(ring, rb, consumer_pos);
	barrier();
	count->produced = BPF_CORE_READ(ring, rb, producer_pos);
	count->has |= BPF_MAP_HAS_POSITIONS;
}

static __always_inline void count_struct_ops(struct bpf_map_count *count, const struct bpf_map *map)
{
	const struct bpf_struct_ops_map *ops = (const struct bpf_struct_ops_map *)map;
	const struct bpf_struct_ops_map___before_6_9 *older = (const void *)map;
	__u32 state;

	if (bpf_core_field_exists(ops->kvalue.common.state))
		state = BPF_CORE_READ(ops, kvalue.common.state);
	else if (bpf_core_field_exists(older->kvalue.state))
		state = BPF_CORE_READ(older, kvalue.state);
	else
		return;
	own(count, state == BPF_STRUCT_OPS_STATE_INUSE || state == BPF_STRUCT_OPS_STATE_READY);
}

static __always_inline void count_tree(struct bpf_map_count *count, const struct bpf_map *map)
{
	const struct lpm_trie *trie = (const struct lpm_trie *)map;

	if (bpf_core_field_exists(trie->n_entries))
		own(count, BPF_CORE_READ(trie, n_entries));
}

static __always_inline void count_devices(struct bpf_map_count *count, const struct bpf_map *map)
{
	const struct bpf_dtab *devices = (const struct bpf_dtab *)map;

	if (bpf_core_field_exists(devices->items))
		own(count, BPF_CORE_READ(devices, items));
}

static __always_inline void count_sockets(struct bpf_map_count *count, const struct bpf_map *map)
{
	const struct bpf_shtab *sockets = (const struct bpf_shtab *)map;

	if (bpf_core_field_exists(sockets->count))
		own(count, (__u32)BPF_CORE_READ(sockets, count.counter));
}

/* What a type keeps for itself. */
SEC("iter/bpf_map")
int count_own(struct bpf_iter__bpf_map *ctx)
{
	const struct bpf_map *map = ctx->map;
	struct bpf_map_count count;

	if (!map)
		return 0;
	begin_record(&count, map);
	switch (count.type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
		count_hash(&count, map);
		break;
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
		count_queue(&count, map);
		break;
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_MAP_TYPE_USER_RINGBUF:
		count_ring(&count, map);
		break;
	case BPF_MAP_TYPE_LPM_TRIE:
		count_tree(&count, map);
		break;
	case BPF_MAP_TYPE_DEVMAP_HASH:
		count_devices(&count, map);
		break;
	case BPF_MAP_TYPE_SOCKHASH:
		count_sockets(&count, map);
		break;
	case BPF_MAP_TYPE_STRUCT_OPS:
		count_struct_ops(&count, map);
		break;
	}
	if (count.has)
		bpf_seq_write(ctx->meta->seq, &count, sizeof(count));
	return 0;
}

/* The counter that the kernel has for this very question. Zero says nothing: other types have none. */
SEC("iter/bpf_map")
int count_by_counter(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;
	struct bpf_map_count count;

	if (!map || !bpf_map_sum_elem_count || !bpf_core_field_exists(map->elem_count) || !map->elem_count)
		return 0;
	begin_record(&count, map);
	count.counter = bpf_map_sum_elem_count(map);
	count.has = BPF_MAP_HAS_COUNTER;
	bpf_seq_write(ctx->meta->seq, &count, sizeof(count));
	return 0;
}

/* User space sets it before each run. */
__u32 slots_left = 0;

#define SLOTS_AT_ONCE 32

struct slots {
	__u64 address; /* of the first */
	__u32 total;
	__u32 used;
	__u32 failed;
	__u32 reserved;
};

static long count_some_slots(__u32 index, struct slots *slots)
{
	__u64 some[SLOTS_AT_ONCE] = {};
	__u32 first = index * SLOTS_AT_ONCE, amount, i;

	if (first >= slots->total)
		return 1;
	amount = slots->total - first;
	if (amount > SLOTS_AT_ONCE)
		amount = SLOTS_AT_ONCE;
	if (bpf_probe_read_kernel(some, amount * sizeof(some[0]),
				  (const void *)(slots->address + first * sizeof(some[0])))) {
		slots->failed = 1;
		return 1;
	}
	for (i = 0; i < SLOTS_AT_ONCE; i++)
		slots->used += some[i] != 0;
	return 0;
}

struct storage_lists {
	__u64 buckets;
	__u64 node;
	__u32 bucket;
	__u32 bucket_count;
	__u32 elements;
	__u32 ended;
};

/* One step: an element, or the head of the next list. */
static long count_storage_element(__u32 index, struct storage_lists *lists)
{
	/* Apart from `lists`, whose own fields must not become relocations. */
	const struct hlist_node *node = (const void *)lists->node;
	const struct bpf_local_storage_map_bucket *bucket;

	if (!bpf_core_type_exists(struct bpf_local_storage_map_bucket))
		return 1;
	if (node) {
		lists->elements++;
		lists->node = (__u64)BPF_CORE_READ(node, next);
	} else if (lists->bucket < lists->bucket_count) {
		bucket = (const void *)(lists->buckets + lists->bucket * bpf_core_type_size(*bucket));
		lists->node = (__u64)BPF_CORE_READ(bucket, list.first);
		lists->bucket++;
	} else {
		lists->ended = 1;
		return 1;
	}
	return 0;
}

static __always_inline void count_storage(struct bpf_map_count *count, const struct bpf_map *map)
{
	const struct bpf_local_storage_map *storage = (const struct bpf_local_storage_map *)map;
	struct storage_lists lists = {
		.node = mapscope_unknown_zero,
		.bucket = mapscope_unknown_zero,
	};

	if (!bpf_core_field_exists(storage->buckets))
		return;
	lists.buckets = (__u64)BPF_CORE_READ(storage, buckets);
	lists.bucket_count = 1U << (BPF_CORE_READ(storage, bucket_log) & 31);
	bpf_loop(slots_left, count_storage_element, &lists, 0);
	slots_left -= lists.elements + lists.bucket > slots_left ? slots_left
								 : lists.elements + lists.bucket;
	if (!lists.ended) {
		count->has = BPF_MAP_TOO_MANY_SLOTS;
		return;
	}
	count->own_count = lists.elements;
	count->has = BPF_MAP_HAS_SLOTS;
}

/* Where a type has its pointers; 0: it has none. */
static __always_inline __u64 address_of_slots(__u32 type, const struct bpf_map *map)
{
	switch (type) {
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
		return (__u64)map + bpf_core_field_offset(struct bpf_array, ptrs);
	case BPF_MAP_TYPE_DEVMAP:
		if (bpf_core_field_exists(struct bpf_dtab, netdev_map))
			return (__u64)BPF_CORE_READ((const struct bpf_dtab *)map, netdev_map);
		return 0;
	case BPF_MAP_TYPE_CPUMAP:
		if (bpf_core_field_exists(struct bpf_cpu_map, cpu_map))
			return (__u64)BPF_CORE_READ((const struct bpf_cpu_map *)map, cpu_map);
		return 0;
	case BPF_MAP_TYPE_XSKMAP:
		if (bpf_core_field_exists(struct xsk_map, xsk_map))
			return (__u64)map + bpf_core_field_offset(struct xsk_map, xsk_map);
		return 0;
	case BPF_MAP_TYPE_SOCKMAP:
		if (bpf_core_field_exists(struct bpf_stab, sks))
			return (__u64)BPF_CORE_READ((const struct bpf_stab *)map, sks);
		return 0;
	case BPF_MAP_TYPE_REUSEPORT_SOCKARRAY:
		if (bpf_core_field_exists(struct reuseport_array, ptrs))
			return (__u64)map + bpf_core_field_offset(struct reuseport_array, ptrs);
		return 0;
	case BPF_MAP_TYPE_STACK_TRACE:
		if (bpf_core_field_exists(struct bpf_stack_map, buckets))
			return (__u64)map + bpf_core_field_offset(struct bpf_stack_map, buckets);
		return 0;
	}
	return 0;
}

static __always_inline void count_slots(struct bpf_map_count *count, const struct bpf_map *map)
{
	struct slots slots = { .address = address_of_slots(count->type, map) };

	if (!slots.address)
		return;
	slots.total = BPF_CORE_READ(map, max_entries);
	if (count->type == BPF_MAP_TYPE_STACK_TRACE) /* as many as a power of two */
		slots.total = BPF_CORE_READ((const struct bpf_stack_map *)map, n_buckets);
	if (slots.total > slots_left) {
		count->has = BPF_MAP_TOO_MANY_SLOTS;
		return;
	}
	slots_left -= slots.total;
	bpf_loop((slots.total + SLOTS_AT_ONCE - 1) / SLOTS_AT_ONCE, count_some_slots, &slots, 0);
	if (slots.failed)
		return;
	count->own_count = slots.used;
	count->has = BPF_MAP_HAS_SLOTS;
}

/* Arrays of pointers, and storage that hangs on sockets, tasks, inodes and cgroups. */
SEC("iter/bpf_map")
int count_by_slots(struct bpf_iter__bpf_map *ctx)
{
	const struct bpf_map *map = ctx->map;
	struct bpf_map_count count;

	if (!map)
		return 0;
	begin_record(&count, map);
	switch (count.type) {
	case BPF_MAP_TYPE_SK_STORAGE:
	case BPF_MAP_TYPE_INODE_STORAGE:
	case BPF_MAP_TYPE_TASK_STORAGE:
	case BPF_MAP_TYPE_CGRP_STORAGE:
		count_storage(&count, map);
		break;
	default:
		count_slots(&count, map);
	}
	if (count.has)
		bpf_seq_write(ctx->meta->seq, &count, sizeof(count));
	return 0;
}
