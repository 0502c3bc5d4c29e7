// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The return instructions of the functions of map_operation.bpf.c, for --exact: closes
 * the window where it ends, and tells the map that a creation made.
 *
 * Never a uretprobe: it replaces the return address on the stack, and Go's stack copying
 * then ends the process. A return instruction is single-stepped, hence not the default.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "settings.bpf.h"
#include "emit.bpf.h"
#include "window.bpf.h"
#include "map_header.bpf.h"

/* The functions whose result is a map; the register of the others holds anything. */
static __always_inline bool makes_map(__u32 operation)
{
	return operation == MAP_OPERATION_MAKE_SMALL || operation == MAP_OPERATION_MAKE ||
	       operation == MAP_OPERATION_NEW_MAP || operation == MAP_OPERATION_CLONE;
}

SEC("uprobe")
int map_operation_return(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 index = PROBE_TARGET(cookie);
	struct target *target = &mapscope_targets[index & (TARGETS_MAX - 1)];
	struct user_registers registers = USER_REGISTERS(ctx);
	struct window *window = window_find(registers.g, target->tgid);

	if (!window || window->operation != PROBE_SUBJECT(cookie))
		return 0;
	window_close(window, registers.g);

	__u64 result = GO_RESULT_1(ctx);

	barrier_var(result); /* loaded here, from a constant place of the context */

	__u64 map = makes_map(window->operation) ? result : window->map;

	if (!mapscope_settings.emit_operations || !passes_map_filter(map))
		return 0;

	struct map_operation_event *event =
		EMIT_RESERVE(EVENT_KIND_MAP_OPERATION, struct map_operation_event, index);

	if (!event)
		return 0;
	__builtin_memset((void *)event + sizeof(event->header), 0,
			 sizeof(*event) - sizeof(event->header));
	event->goid = window->goid;
	event->map = map;
	event->stack_distance = window->stack_distance;
	event->operation = window->operation;
	event->is_return = 1;
	read_map_header(event);
	EMIT_SUBMIT(event);
	return 0;
}
