/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs that count calls on BPF maps share: the table, and what a call of bpf(2) is
 * about.
 */
#pragma once

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/contract/bpf_calls.h"
#include "file_of.bpf.h"

#if defined(__TARGET_ARCH_x86)

/* Programs of the x32 ABI set a bit of their own. */
#define SYSTEM_CALL_NUMBER(from) ((from)->orig_ax & ~0x40000000UL)
#define SYSTEM_CALL_FIRST_THREE(from, out) \
	do { \
		(out)[0] = (from)->di; \
		(out)[1] = (from)->si; \
		(out)[2] = (from)->dx; \
	} while (0)
#define CALL_BPF 321
#define CALL_BPF_COMPAT 357
/* TS_COMPAT, arch/x86/include/asm/thread_info.h */
#define IN_COMPAT_CALL(task) (BPF_CORE_READ(task, thread_info.status) & 2)

#elif defined(__TARGET_ARCH_arm64)

#define SYSTEM_CALL_NUMBER(from) ((__u32)(from)->syscallno)
#define SYSTEM_CALL_FIRST_THREE(from, out) \
	do { \
		(out)[0] = (from)->orig_x0; \
		(out)[1] = (from)->regs[1]; \
		(out)[2] = (from)->regs[2]; \
	} while (0)
#define CALL_BPF 280
#define CALL_BPF_COMPAT 386
/* TIF_32BIT, arch/arm64/include/asm/thread_info.h */
#define IN_COMPAT_CALL(task) (BPF_CORE_READ(task, thread_info.flags) & (1UL << 22))

#else
#error "no system call numbers for this architecture"
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bpf_call_table);
} bpf_call_tables __weak SEC(".maps");

/* The beginnings of union bpf_attr that matter; what a caller leaves out is zero. */
struct element_attributes {
	__u32 map_fd;
	__u32 reserved;
	__u64 key, value, flags;
};
struct batch_attributes {
	__u64 in_batch, out_batch, keys, values;
	__u32 count; /* written by the kernel: how far it came */
	__u32 map_fd;
};

struct bpf_call {
	__u32 command; /* enum bpf_cmd */
	bool is_batch;
	union {
		struct element_attributes element;
		struct batch_attributes batch;
	};
};

static __always_inline struct bpf_call_table *call_table(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&bpf_call_tables, &zero);
}

static __always_inline void count_lost(struct bpf_call_table *table, enum bpf_call_loss why)
{
	__sync_fetch_and_add(&table->lost[why & 7], 1);
}

static __always_inline void count_call(struct bpf_call_table *table, __u32 map_id,
				       enum bpf_call_kind kind, __u32 error, __u64 times)
{
	__u64 key = BPF_CALL_COUNTER_KEY(map_id, kind, error & 0xffff);
	__u32 start = (key * 0x9e3779b97f4a7c15ULL) >> 52; /* Fibonacci hashing, twelve bits */

	for (__u32 i = 0; i < BPF_CALL_PROBES; i++) {
		struct bpf_call_counter *counter =
			&table->counters[(start + i) & (BPF_CALL_COUNTERS - 1)];
		__u64 found = counter->key;

		if (!found)
			found = __sync_val_compare_and_swap(&counter->key, 0, key) ?: key;
		if (found == key) {
			__sync_fetch_and_add(&counter->count, times);
			return;
		}
	}
	count_lost(table, BPF_CALL_LOST_TABLE_FULL);
}

/* Its place among the maps whose keys are wanted; BPF_CALL_SAMPLED_MAPS: none. */
static __always_inline __u32 sampled_index(const struct bpf_call_table *table, __u32 map_id)
{
	for (__u32 i = 0; i < BPF_CALL_SAMPLED_MAPS && i < table->sampled_count; i++)
		if (table->sampled[i].map_id == map_id)
			return i;
	return BPF_CALL_SAMPLED_MAPS;
}

enum key_memory { KEY_OF_USER,
		  KEY_OF_KERNEL };

/*
 * A sample without bias in time: the first that fit, then each further one takes a random place
 * with the probability that keeps all lookups of the window alike (Vitter's algorithm R).
 */
static __always_inline void sample_key(struct bpf_call_table *table, struct bpf_map *map,
				       __u32 map_id, __u64 key, enum key_memory memory)
{
	__u32 index = sampled_index(table, map_id), bytes, place;
	struct bpf_call_sampled *sampled;
	struct bpf_call_looked_up *slot;
	__u64 before;
	long failed;

	if (index >= BPF_CALL_SAMPLED_MAPS)
		return;
	sampled = &table->sampled[index];
	before = __sync_fetch_and_add(&sampled->seen, 1);
	place = before;
	if (before >= table->keys_per_map)
		place = bpf_get_prandom_u32() % (before + 1);
	if (place >= table->keys_per_map)
		return;
	slot = &table->keys[(index * table->keys_per_map + place) & (BPF_CALL_KEYS - 1)];
	bytes = BPF_CORE_READ(map, key_size);
	if (bytes > BPF_CALL_KEY_BYTES)
		bytes = BPF_CALL_KEY_BYTES;
	if (__sync_val_compare_and_swap(&slot->writer, 0, 1)) {
		__sync_fetch_and_add(&sampled->key_lost, 1);
		return;
	}
	failed = memory == KEY_OF_USER ? bpf_probe_read_user(slot->key, bytes, (void *)key) : bpf_probe_read_kernel(slot->key, bytes, (void *)key);
	if (failed) {
		__sync_fetch_and_add(&sampled->key_lost, 1);
		bytes = 0;
	}
	slot->bytes = bytes;
	slot->by_program = memory == KEY_OF_KERNEL;
	__sync_val_compare_and_swap(&slot->writer, 1, 0);
}

/* Whether the command is on entries of a map. */
static __always_inline bool is_map_command(__u32 command, bool *is_batch)
{
	switch (command) {
	case BPF_MAP_LOOKUP_ELEM:
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_DELETE_ELEM:
	case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
		*is_batch = false;
		return true;
	case BPF_MAP_LOOKUP_BATCH:
	case BPF_MAP_LOOKUP_AND_DELETE_BATCH:
	case BPF_MAP_UPDATE_BATCH:
	case BPF_MAP_DELETE_BATCH:
		*is_batch = true;
		return true;
	}
	return false;
}

/* `arguments`: those of bpf(2). False: unreadable. */
static __always_inline bool read_call(const __u64 arguments[3], struct bpf_call *call)
{
	__u32 bytes = arguments[2];

	if (bytes > sizeof(call->batch))
		bytes = sizeof(call->batch);
	return !bpf_probe_read_user(&call->batch, bytes, (void *)arguments[1]);
}

/* The map behind a descriptor of the running process. NULL: it is none. */
static __always_inline struct bpf_map *map_of(const struct bpf_call_table *table, __u32 fd)
{
	struct file *file = file_of(fd);

	if (!file || (__u64)BPF_CORE_READ(file, f_op) != table->map_operations)
		return NULL;
	return BPF_CORE_READ(file, private_data);
}
