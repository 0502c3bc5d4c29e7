// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The entry of a runtime function that creates, grows or clears a map: counted, its
 * window opened, and reported where somebody wants the single events.
 *
 * The probe sits behind the stack check, on the `push %rbp` of Go 1.21 and newer or the
 * `jbe` of older ones: both are emulated by the kernel, a fifteenth of what a
 * single-stepped instruction costs, and the arguments are still in their registers. One
 * program for all functions, told apart by the probe's cookie, because all sites of a
 * binary go into one link.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "settings.bpf.h"
#include "emit.bpf.h"
#include "window.bpf.h"
#include "caller.bpf.h"
#include "map_header.bpf.h"

/* What the registers hold at the entry of each function; signatures in docs/events.md. */
struct operation {
	__u64 map;
	__u64 map_type;
	__u64 hint;
	__u64 table;
	__u64 table_front;
	__u8 table_read;
};

static __always_inline void read_arguments(__u32 kind, bool is_swiss, struct pt_regs *ctx,
					   struct operation *operation)
{
	__u64 first = GO_ARGUMENT_1(ctx), second = GO_ARGUMENT_2(ctx), third = GO_ARGUMENT_3(ctx);

	/* Loaded before the switch: clang would choose between addresses in the context, and
	 * the verifier wants constant ones. */
	barrier_var(first);
	barrier_var(second);
	barrier_var(third);
	switch (kind) {
	case MAP_OPERATION_MAKE:    /* makemap(t, hint, h) */
	case MAP_OPERATION_NEW_MAP: /* NewMap(t, hint, m, maxAlloc) */
		operation->map_type = first;
		operation->hint = second;
		operation->map = third;
		break;
	case MAP_OPERATION_HASH_GROW: /* hashGrow(t, h), growWork(t, h, bucket) */
	case MAP_OPERATION_GROW_WORK:
		operation->map_type = first;
		operation->map = second;
		break;
	case MAP_OPERATION_CLEAR: /* mapclear(t, h), (*Map).Clear(m; t) */
		operation->map_type = is_swiss ? second : first;
		operation->map = is_swiss ? first : second;
		break;
	case MAP_OPERATION_CLONE: /* (m; t) */
	case MAP_OPERATION_GROW_TO_SMALL:
	case MAP_OPERATION_GROW_TO_TABLE:
		operation->map = first;
		operation->map_type = second;
		break;
	case MAP_OPERATION_REHASH: /* (tab; t, m) */
	case MAP_OPERATION_TABLE_GROW:
	case MAP_OPERATION_TABLE_SPLIT:
	case MAP_OPERATION_PRUNE:
		operation->table = first;
		operation->map_type = second;
		operation->map = third;
		break;
	case MAP_OPERATION_INSTALL_SPLIT: /* (m; old, left, right) */
		operation->map = first;
		operation->table = second;
		break;
	}
}

/* The front of a swiss table: used, capacity, ... (internal/runtime/maps/table.go, Go 1.24). */
#define TABLE_CAPACITY(front) ((__u16)((front) >> 16))
#define TABLE_SLOTS_MAX 1024 /* maxTableCapacity */

static __always_inline void read_table(struct operation *operation)
{
	operation->table_read = !bpf_probe_read_user(
		&operation->table_front, sizeof(operation->table_front), (void *)operation->table);
}

/* rehash doubles a table, or splits one that is as large as tables get. */
static __always_inline void foretell_rehash(struct operation *operation,
					    struct target_counts *counts)
{
	__u16 capacity = TABLE_CAPACITY(operation->table_front);

	if (!operation->table_read) {
		COUNT(counts->lost[LOSS_WINDOW_UNREADABLE]);
		return;
	}
	operation->hint = capacity;
	if (capacity <= TABLE_SLOTS_MAX / 2)
		COUNT(counts->table_grows);
	else
		COUNT(counts->table_splits);
}

static __always_inline void report_operation(__u32 kind, const struct operation *operation,
					     const struct caller *caller)
{
	const struct user_stack *stack = &caller->stack;
	struct map_operation_event *event;

	event = EMIT_RESERVE(EVENT_KIND_MAP_OPERATION, struct map_operation_event, stack->target);
	if (!event)
		return;
	event->goid = caller->goid;
	event->map = operation->map;
	event->map_type = operation->map_type;
	event->hint = operation->hint;
	event->table = operation->table;
	event->table_front = operation->table_front;
	event->stack = caller->stack_id;
	event->stack_distance = stack->hi - stack->sp;
	event->operation = kind;
	event->header_on_stack = operation->map - stack->lo < stack->hi - stack->lo;
	event->header_distance = event->header_on_stack ? stack->hi - operation->map : 0;
	event->is_return = 0;
	event->table_read = operation->table_read;
	event->reserved[0] = event->reserved[1] = 0;
	read_map_header(event);
	EMIT_SUBMIT(event);
}

/* Notes that the goroutine is in the operation now. */
static __always_inline void open_window(struct pt_regs *ctx, __u32 kind, __u64 map,
					const struct caller *caller, struct target_counts *counts)
{
	__u64 link = LINK_REGISTER(ctx);

	/* Or clang would choose between addresses, one of them in the context: the verifier refuses that. */
	barrier_var(link);

	struct window window = {
		.stack_distance = caller->stack.hi - caller->stack.sp,
		.return_address = link ? link : caller->stack.top,
		.goid = caller->goid,
		.map = map,
		.operation = kind,
		.open = 1,
	};
	__u32 tgid = mapscope_targets[caller->stack.target & (TARGETS_MAX - 1)].tgid;

	if (!window.return_address &&
	    bpf_probe_read_user(&window.return_address, sizeof(window.return_address),
				(void *)caller->stack.sp))
		COUNT(counts->lost[LOSS_WINDOW_UNREADABLE]);
	else if (window_open(caller->g, tgid, &window))
		COUNT(counts->lost[LOSS_WINDOW_TABLE_FULL]);
}

SEC("uprobe")
int map_operation(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 kind = PROBE_SUBJECT(cookie);
	__u32 index = PROBE_TARGET(cookie);
	struct target *target = &mapscope_targets[index & (TARGETS_MAX - 1)];
	struct target_counts *counts = counts_of(index);
	struct operation operation = {};
	struct user_registers registers = USER_REGISTERS(ctx);
	struct caller caller = {};

	if (!counts || kind >= MAP_OPERATION_COUNT)
		return 0;
	/* The stack has to grow first, or the goroutine makes way: the function is entered again. */
	if (PROBE_ON_STACK_CHECK(cookie) && STACK_CHECK_FAILS(ctx))
		return 0;
	COUNT(counts->operations[kind]);
	if (!target->goroutine_seen)
		target->goroutine_seen = 1;
	read_arguments(kind, target->flags & TARGET_SWISS, ctx, &operation);

	bool emits = mapscope_settings.emit_operations && passes_map_filter(operation.map);

	if (kind == MAP_OPERATION_REHASH || (emits && operation.table))
		read_table(&operation);
	if (kind == MAP_OPERATION_REHASH)
		foretell_rehash(&operation, counts);
	if (!mapscope_settings.use_windows && !mapscope_settings.emit_operations)
		return 0;
	stack_at_entry(ctx, index, &caller.stack);
	if (find_caller(registers.g, &caller)) {
		COUNT(counts->lost[LOSS_WINDOW_UNREADABLE]);
		return 0;
	}
	if (operation.map - caller.stack.lo < caller.stack.hi - caller.stack.lo)
		COUNT(counts->operations_on_stack[kind]);
	if (emits)
		caller.stack_id = intern_stack(&caller.stack, caller.goid);
	if (mapscope_settings.use_windows && PROBE_OPENS_WINDOW(cookie))
		open_window(ctx, kind, operation.map, &caller, counts);
	if (emits)
		report_operation(kind, &operation, &caller);
	return 0;
}
