// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The entry of a runtime function that writes one entry of a map: which map, of what type,
 * from where. The only program on a function that runs with every map access, so its probes
 * stay for moments, and it is an object of its own that other commands never load.
 *
 * The probe sits behind the stack check, as those of map_operation.bpf.c do: the arguments
 * (t, h, key ..) are in their registers, and the return address is where the call left it.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/contract/map_writes.h"
#include "bpf/contract/targets.h"
#include "registers.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAP_WRITES_MAX); /* user space may lower it before load */
	__type(key, struct map_write_key);
	__type(value, struct map_write_value);
} map_writes SEC(".maps");

struct map_write_counts mapscope_map_write_counts[MAP_WRITE_COUNTER_COPIES] = {};

/* The address space of the first hit. Another one under the same pid: after an exec. */
__u64 mapscope_map_write_image = 0;

#define HEADER_WORD_OFFSET 8

static __always_inline bool is_same_image(void)
{
	__u64 image = (__u64)bpf_get_current_task_btf()->mm;
	__u64 first = mapscope_map_write_image;

	if (!first)
		first = __sync_val_compare_and_swap(&mapscope_map_write_image, 0, image) ?: image;
	return first == image;
}

static __always_inline bool read_return_address(struct pt_regs *ctx, __u64 *address)
{
	const struct user_registers registers = USER_REGISTERS(ctx);

	*address = LINK_REGISTER(ctx);
	return *address ||
	       !bpf_probe_read_user(address, sizeof(*address), (void *)registers.sp);
}

/* False: the table is full. */
static __always_inline bool count_write(const struct map_write_key *key)
{
	struct map_write_value *known = bpf_map_lookup_elem(&map_writes, key);
	struct map_write_value fresh = { .hits = 1 };

	if (!known) {
		fresh.header_read =
			!bpf_probe_read_user(&fresh.header_word, sizeof(fresh.header_word),
					     (void *)(key->map + HEADER_WORD_OFFSET));
		if (!bpf_map_update_elem(&map_writes, key, &fresh, BPF_NOEXIST))
			return true;
		known = bpf_map_lookup_elem(&map_writes, key); /* another CPU was first */
		if (!known)
			return false;
	}
	__sync_fetch_and_add(&known->hits, 1);
	return true;
}

SEC("uprobe")
int map_write(struct pt_regs *ctx)
{
	__u32 copy = bpf_get_smp_processor_id() & (MAP_WRITE_COUNTER_COPIES - 1);
	struct map_write_counts *counts = &mapscope_map_write_counts[copy];
	struct map_write_key key = {
		.map = GO_ARGUMENT_2(ctx),
		.map_type = GO_ARGUMENT_1(ctx),
	};

	__sync_fetch_and_add(&counts->hits, 1);
	if (PROBE_ON_STACK_CHECK(bpf_get_attach_cookie(ctx)) && STACK_CHECK_FAILS(ctx))
		return 0; /* it is entered again once the stack has grown */
	if (!key.map)
		return 0; /* a panic about a nil map follows */
	if (!is_same_image())
		__sync_fetch_and_add(&counts->of_another_image, 1);
	else if (!read_return_address(ctx, &key.return_address))
		__sync_fetch_and_add(&counts->lost_unreadable, 1);
	else if (!count_write(&key))
		__sync_fetch_and_add(&counts->lost_table_full, 1);
	return 0;
}
