// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Updates and deletes of maps, and lookups of some, where the kernel does them, behind both doors: bpf(2) and helpers of
 * programs. What comes through bpf(2) is left to bpf_call_exit.bpf.c; the rest are programs.
 *
 * The functions are those that map operations point to: they are there in every kernel since 5.15,
 * under these names, and the verifier calls them directly in place of the helper. Each is tried by
 * itself, since kernels keep some of them from being traced (kernel/bpf/Makefile, CC_FLAGS_FTRACE),
 * and some keep all.
 *
 * They run with updates of any map, so they use none but an array: another kind of map would lead
 * back here.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf_call.bpf.h"

#define PF_KTHREAD 0x00200000

/*
 * The thread is inside of a call of bpf(2) on this very map. A program that an interrupt runs on
 * top of such a call, on the same map, is taken for it.
 */
static __always_inline bool is_own_call(const struct bpf_call_table *table,
					const struct bpf_map *map)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;
	struct bpf_call call = {};
	__u64 arguments[3];

	if (task->flags & PF_KTHREAD)
		return false;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (SYSTEM_CALL_NUMBER(regs) != CALL_BPF)
		return false;
	SYSTEM_CALL_FIRST_THREE(regs, arguments);
	call.command = arguments[0];
	if (!is_map_command(call.command, &call.is_batch) || !read_call(arguments, &call))
		return false;
	return map_of(table, call.is_batch ? call.batch.map_fd : call.element.map_fd) == map;
}

static __noinline int end_update(struct bpf_map *map, long result)
{
	struct bpf_call_table *table = call_table();
	int error = -(int)result; /* int before 6.3: the upper half is nobody's */
	__u32 id = map->id;

	if (!table || !table->is_counting || is_own_call(table, map))
		return 0;
	count_call(table, id, BPF_CALL_PROGRAM_UPDATE, 0, 1);
	if (error > 0)
		count_call(table, id, BPF_CALL_PROGRAM_UPDATE_FAILED, error, 1);
	return 0;
}

static __noinline int end_delete(struct bpf_map *map)
{
	struct bpf_call_table *table = call_table();
	__u32 id = map->id;

	if (table && table->is_counting && !is_own_call(table, map))
		count_call(table, id, BPF_CALL_PROGRAM_DELETE, 0, 1);
	return 0;
}

/*
 * Lookups in hash maps: the verifier puts a call of this function in place of the helper, where it
 * knows the map (htab_map_gen_lookup()). Where it does not, or there is no JIT, lookups may go past
 * it. Only while keys are wanted: it taxes every lookup of the host.
 */
SEC("fentry/__htab_map_lookup_elem")
int BPF_PROG(begin_htab_map_lookup_elem, struct bpf_map *map, void *key)
{
	struct bpf_call_table *table = call_table();
	__u32 id = map->id;

	if (!table || !table->is_counting ||
	    sampled_index(table, id) >= BPF_CALL_SAMPLED_MAPS || is_own_call(table, map))
		return 0;
	count_call(table, id, BPF_CALL_PROGRAM_LOOKUP, 0, 1);
	sample_key(table, map, id, (__u64)key, KEY_OF_KERNEL);
	return 0;
}

#define UPDATE_PROBE(function) \
	SEC("fexit/" #function) \
	int BPF_PROG(end_##function, struct bpf_map *map, void *key, void *value, __u64 flags, \
		     long result) \
	{ \
		return end_update(map, result); \
	}

#define PUSH_PROBE(function) \
	SEC("fexit/" #function) \
	int BPF_PROG(end_##function, struct bpf_map *map, void *value, __u64 flags, long result) \
	{ \
		return end_update(map, result); \
	}

/* With a key, or the place where what is taken off is put. */
#define DELETE_PROBE(function) \
	SEC("fexit/" #function) \
	int BPF_PROG(end_##function, struct bpf_map *map, void *key, long result) \
	{ \
		return end_delete(map); \
	}

UPDATE_PROBE(htab_map_update_elem)
UPDATE_PROBE(htab_lru_map_update_elem)
UPDATE_PROBE(htab_percpu_map_update_elem)
UPDATE_PROBE(htab_lru_percpu_map_update_elem)
UPDATE_PROBE(array_map_update_elem)
UPDATE_PROBE(trie_update_elem)
PUSH_PROBE(queue_stack_map_push_elem)
PUSH_PROBE(bloom_map_push_elem)
DELETE_PROBE(htab_map_delete_elem)
DELETE_PROBE(htab_lru_map_delete_elem)
DELETE_PROBE(trie_delete_elem)
DELETE_PROBE(queue_map_pop_elem)
DELETE_PROBE(stack_map_pop_elem)
