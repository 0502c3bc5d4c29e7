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
#include "stack.bpf.h"

/* What the registers hold at the entry of each function; signatures in docs/events.md. */
struct operation {
	__u64 map;
	__u64 map_type;
	__u64 hint;
	__u64 table;
};

static __always_inline void read_arguments(__u32 kind, struct pt_regs *ctx,
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
	case MAP_OPERATION_HASH_GROW: /* hashGrow(t, h), mapclear(t, h), growWork(t, h, bucket) */
	case MAP_OPERATION_GROW_WORK:
		operation->map_type = first;
		operation->map = second;
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

/* The front of a swiss table (internal/runtime/maps/table.go): used, capacity. */
struct table_front {
	__u16 used;
	__u16 capacity;
};
#define TABLE_SLOTS_MAX 1024 /* maxTableCapacity */

/* rehash doubles a table, or splits one that is as large as tables get. */
static __always_inline void foretell_rehash(struct operation *operation,
					    struct target_counts *counts)
{
	struct table_front front = {};

	if (bpf_probe_read_user(&front, sizeof(front), (void *)operation->table)) {
		COUNT(counts->lost[LOSS_WINDOW_UNREADABLE]);
		return;
	}
	operation->hint = front.capacity;
	if (front.capacity <= TABLE_SLOTS_MAX / 2)
		COUNT(counts->table_grows);
	else
		COUNT(counts->table_splits);
}

static __always_inline void report_operation(struct pt_regs *ctx, __u32 kind, __u32 index,
					     const struct operation *operation,
					     const struct window *window, bool on_stack)
{
	struct map_operation_event *event;

	event = EMIT_RESERVE(EVENT_KIND_MAP_OPERATION, struct map_operation_event, index);
	if (!event)
		return;
	event->goid = window->goid;
	event->map = operation->map;
	event->map_type = operation->map_type;
	event->hint = operation->hint;
	event->table = operation->table;
	event->table_front = 0;
	event->stack = 0;
	event->stack_distance = window->stack_distance;
	event->header_distance = 0;
	__builtin_memset(event->map_header, 0, sizeof(event->map_header));
	event->operation = kind;
	event->header_on_stack = on_stack;
	event->is_return = 0;
	event->header_read = operation->map &&
			     !bpf_probe_read_user(event->map_header, sizeof(event->map_header),
						  (void *)operation->map);
	event->table_read = 0;
	event->reserved[0] = event->reserved[1] = 0;
	EMIT_SUBMIT(event);
}

SEC("uprobe")
int map_operation(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 kind = PROBE_SUBJECT(cookie);
	__u32 index = PROBE_TARGET(cookie);
	struct target *target = &mapscope_targets[index & (TARGETS_MAX - 1)];
	struct target_counts *counts = counts_of(index);
	struct user_registers registers = USER_REGISTERS(ctx);
	struct operation operation = {};
	__u64 words[G_WORDS];

	if (!counts || kind >= MAP_OPERATION_COUNT)
		return 0;
	/* The stack has to grow first, or the goroutine makes way: the function is entered again. */
	if (PROBE_ON_STACK_CHECK(cookie) && STACK_CHECK_FAILS(ctx))
		return 0;
	COUNT(counts->operations[kind]);
	if (!target->goroutine_seen)
		target->goroutine_seen = 1;
	read_arguments(kind, ctx, &operation);
	if (kind == MAP_OPERATION_REHASH)
		foretell_rehash(&operation, counts);
	if (!mapscope_settings.use_windows && !mapscope_settings.emit_operations)
		return 0;

	struct window window = { .map = operation.map, .operation = kind, .open = 1 };

	if (bpf_probe_read_user(words, sizeof(words), (void *)registers.g) ||
	    !g_field(words, target->g_goid, &window.goid)) {
		COUNT(counts->lost[LOSS_WINDOW_UNREADABLE]);
		return 0;
	}
#if defined(__TARGET_ARCH_arm64)
	window.return_address = ctx->regs[30];
#else
	if (bpf_probe_read_user(&window.return_address, sizeof(window.return_address),
				(void *)registers.sp)) {
		COUNT(counts->lost[LOSS_WINDOW_UNREADABLE]);
		return 0;
	}
#endif
	window.stack_distance = words[1] - registers.sp;

	bool on_stack = operation.map - words[0] < words[1] - words[0];

	if (on_stack)
		COUNT(counts->operations_on_stack[kind]);
	if (mapscope_settings.use_windows && PROBE_OPENS_WINDOW(cookie) &&
	    window_open(registers.g, target->tgid, &window))
		COUNT(counts->lost[LOSS_WINDOW_TABLE_FULL]);
	if (mapscope_settings.emit_operations)
		report_operation(ctx, kind, index, &operation, &window, on_stack);
	return 0;
}
