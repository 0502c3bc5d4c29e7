// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every call of bpf(2) on entries of a map, when it is over: counted by map, kind and error.
 *
 * At the exit only, since all that matters is still there: registers keep the arguments, the
 * kernel has just read the attributes, so that their page is present, and a batch has written
 * how far it came. A window that counts what ends in it needs no table of what has begun, and
 * every other system call of the host pays for one program and not for two.
 *
 * What would make it wrong: another thread that closes the descriptor, or overwrites attributes
 * or key, while the call runs.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf_call.bpf.h"

/* Errors of bpf(2), include/uapi/asm-generic/errno-base.h. */
#define EPERM 1
#define ENOENT 2
#define EINTR 4
#define EBADF 9
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EINVAL 22
#define ENOSPC 28
#define ENOTSUPP 524

/* The call was refused before any map was looked at. */
static __always_inline bool is_refused(long result)
{
	return result == -EPERM || result == -EBADF || result == -EACCES || result == -EFAULT ||
	       result == -EINVAL;
}

/* See bpf_call_table. */
static __always_inline void hear_greeting(struct bpf_call_table *table, const struct bpf_call *call)
{
	struct bpf_call_greeting greeting = {};
	struct file *file;
	struct bpf_map *map;

	if (call->command != BPF_MAP_DELETE_ELEM ||
	    bpf_probe_read_user(&greeting, sizeof(greeting), (void *)call->element.key) ||
	    greeting.word != table->greeting)
		return;
	file = file_of(call->element.map_fd);
	if (!file)
		return;
	map = BPF_CORE_READ(file, private_data);
	table->map_operations = (__u64)BPF_CORE_READ(file, f_op);
	table->greeted_map = BPF_CORE_READ(map, id);
	table->own_tgid = bpf_get_current_pid_tgid() >> 32;
}

static __always_inline void count_update(struct bpf_call_table *table, __u32 id, __u64 done,
					 long result)
{
	if (done || result < 0)
		count_call(table, id, BPF_CALL_UPDATE, 0, done + (result < 0));
	if (result < 0)
		count_call(table, id, BPF_CALL_UPDATE_FAILED, -result, 1);
}

static __always_inline void count_element(struct bpf_call_table *table, struct bpf_map *map,
					  __u32 id, const struct bpf_call *call, long result)
{
	switch (call->command) {
	case BPF_MAP_UPDATE_ELEM:
		count_update(table, id, result >= 0, result);
		return;
	case BPF_MAP_DELETE_ELEM:
		count_call(table, id, BPF_CALL_DELETE, 0, 1);
		return;
	case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
		if (result >= 0)
			count_call(table, id, BPF_CALL_DELETE, 0, 1);
		break;
	}
	count_call(table, id, BPF_CALL_LOOKUP, 0, 1);
	if (table->sampled_count)
		sample_key(table, map, id, call->element.key, KEY_OF_USER);
}

/*
 * How many entries a failed batch of updates or deletes did before it came upon the error. It
 * writes that at its end, and leaves the caller's number where it refuses at once
 * (generic_map_update_batch(), kernel/bpf/syscall.c); with two errors it can be either.
 */
static __always_inline __u32 done_before(struct bpf_call_table *table, const struct bpf_call *call,
					 long error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
	case -ENOTSUPP:
		return 0;
	case -EINVAL:
	case -ENOMEM:
		count_lost(table, BPF_CALL_LOST_BATCH);
		return 0;
	}
	return call->batch.count;
}

static __always_inline void count_changing_batch(struct bpf_call_table *table, __u32 id,
						 const struct bpf_call *call, long result)
{
	__u64 done = result < 0 ? done_before(table, call, result) : call->batch.count;

	if (call->command == BPF_MAP_UPDATE_BATCH)
		count_update(table, id, done, result);
	else if (done || result < 0)
		count_call(table, id, BPF_CALL_DELETE, 0, done + (result < 0));
}

static __always_inline void count_batch(struct bpf_call_table *table, __u32 id,
					const struct bpf_call *call, long result)
{
	if (call->command == BPF_MAP_UPDATE_BATCH || call->command == BPF_MAP_DELETE_BATCH) {
		count_changing_batch(table, id, call, result);
		return;
	}
	/* The end of the map is an error here; so is a bucket for which there was no room. */
	if (result < 0 && result != -ENOENT && result != -ENOSPC && result != -EINTR) {
		if (result == -EFAULT)
			count_lost(table, BPF_CALL_LOST_BATCH);
		return;
	}
	if (!call->batch.count)
		return;
	count_call(table, id, BPF_CALL_LOOKUP, 0, call->batch.count);
	if (call->command == BPF_MAP_LOOKUP_AND_DELETE_BATCH)
		count_call(table, id, BPF_CALL_DELETE, 0, call->batch.count);
}

static __always_inline void count_bpf(struct bpf_call_table *table, const struct bpf_call *call,
				      long result)
{
	struct bpf_map *map = map_of(table, call->is_batch ? call->batch.map_fd : call->element.map_fd);
	__u32 id = map ? BPF_CORE_READ(map, id) : 0;

	if (!id) {
		if (!is_refused(result))
			count_lost(table, BPF_CALL_LOST_UNNAMED);
	} else if (call->is_batch) {
		count_batch(table, id, call, result);
	} else {
		count_element(table, map, id, call, result);
	}
}

/* A program of its own: no other system call has to come by here. */
static __noinline int end_bpf(struct pt_regs *regs, long result, bool is_compat)
{
	struct bpf_call_table *table = call_table();
	struct bpf_call call = {};
	__u64 arguments[3];

	if (!table || (!table->is_counting && !table->greeting))
		return 0;
	if (is_compat) {
		count_lost(table, BPF_CALL_LOST_COMPAT);
		return 0;
	}
	SYSTEM_CALL_FIRST_THREE(regs, arguments);
	call.command = arguments[0];
	if (!is_map_command(call.command, &call.is_batch))
		return 0;
	if (!read_call(arguments, &call)) {
		if (table->is_counting && !is_refused(result))
			count_lost(table, BPF_CALL_LOST_UNREADABLE);
		return 0;
	}
	if (!table->is_counting)
		hear_greeting(table, &call);
	else if (bpf_get_current_pid_tgid() >> 32 != table->own_tgid)
		count_bpf(table, &call, result);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(bpf_call_exit, struct pt_regs *regs, long result)
{
	__u64 number = SYSTEM_CALL_NUMBER(regs);

	if (number != CALL_BPF && number != CALL_BPF_COMPAT)
		return 0;

	bool is_compat = IN_COMPAT_CALL(bpf_get_current_task_btf());

	if (is_compat == (number == CALL_BPF_COMPAT))
		end_bpf(regs, result, is_compat);
	return 0;
}
