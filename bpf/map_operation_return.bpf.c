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
	if (!mapscope_settings.emit_operations)
		return 0;

	struct map_operation_event *event =
		EMIT_RESERVE(EVENT_KIND_MAP_OPERATION, struct map_operation_event, index);

	if (!event)
		return 0;
	__builtin_memset((void *)event + sizeof(event->header), 0,
			 sizeof(*event) - sizeof(event->header));
	event->goid = window->goid;
	event->map = GO_RESULT_1(ctx);
	event->stack_distance = window->stack_distance;
	event->operation = window->operation;
	event->is_return = 1;
	EMIT_SUBMIT(event);
	return 0;
}
