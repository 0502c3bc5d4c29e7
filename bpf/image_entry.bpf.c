// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The first instruction of the executable itself. Where a position-independent image was
 * loaded is known only after exec; here, before any Go code runs, the difference between
 * the instruction pointer and the ELF entry point is that bias.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "emit.bpf.h"
#include "registers.bpf.h"
#include "targets.bpf.h"

SEC("uprobe")
int image_entry(struct pt_regs *ctx)
{
	__u32 index = PROBE_TARGET(bpf_get_attach_cookie(ctx));
	struct target *target = &mapscope_targets[index & (TARGETS_MAX - 1)];
	struct user_registers registers = USER_REGISTERS(ctx);

	target->load_bias = registers.ip - target->entry;
	target->flags |= TARGET_BIAS_KNOWN; /* the process has one thread yet */

	struct image_entry_event *event =
		EMIT_RESERVE(EVENT_KIND_IMAGE_ENTRY, struct image_entry_event, index);

	if (!event)
		return 0;
	event->load_bias = target->load_bias;
	EMIT_SUBMIT(event);
	return 0;
}
