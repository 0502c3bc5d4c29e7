// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every system call of a watched process: counted by class and place, and reported when
 * it is a memory call, or a file call inside a map operation.
 *
 * sys_enter and not the tracepoints of single calls, because any of them makes every
 * system call of the host take the slow path, and this one fires for calls that nobody
 * thought of. tp_btf gives the registers without a copy.
 *
 * Most calls are settled by where they come from: packages syscall, os and net enter the
 * kernel through one function, and no map function can be above it, since map code calls
 * no user code. Only what the runtime or C code calls itself takes the full path.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "settings.bpf.h"
#include "emit.bpf.h"
#include "witness.bpf.h"
#include "descriptor.bpf.h"
#include "stack.bpf.h"
#include "pending.bpf.h"

/* How many file calls outside map operations were shown as examples, by target. */
__u32 mapscope_samples_shown[TARGETS_MAX] = {};

/* Threads whose first calls are compared: does TLS give the same g as the register? */
#define TLS_CHECKS 128
#define CALL_GETTID 186 /* amd64; a new thread makes it before its TLS is set */

struct call {
	struct pt_regs *regs;
	struct file *file;
	struct target_counts *counts;
	__u32 index;
	__u32 number;
	__u8 flags; /* of the table */
	__u8 call_class;
	__u8 descriptor_kind;
};

static __always_inline void note_pending(struct call *call, __u64 time_ns, __u64 path)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct pending_call pending = {
		.time_ns = time_ns,
		.path = path,
		.number = call->number,
		.target = call->index,
	};

	__sync_fetch_and_add(&mapscope_pending_count, 1);
	if (bpf_map_update_elem(&pending_calls, &thread, &pending, BPF_ANY)) {
		__sync_fetch_and_add(&mapscope_pending_count, -1);
		COUNT(call->counts->lost[LOSS_PENDING_TABLE_FULL]);
	}
}

static __always_inline void fill_call(struct system_call_event *event, struct call *call,
				      const struct verdict *verdict)
{
	SYSTEM_CALL_ARGUMENTS(call->regs, event->arguments);
	struct user_registers registers = USER_REGISTERS(call->regs);

	event->goid = verdict->goid;
	event->ip = registers.ip;
	event->map_pc = verdict->map_pc;
	event->window_map = verdict->window_map;
	event->number = call->number;
	event->witnesses = verdict->witnesses;
	event->operation = verdict->operation;
	event->call_class = call->call_class;
	event->descriptor_kind = call->descriptor_kind;
	event->wants_result = 1;
	event->place = verdict->place;
	event->reserved[0] = event->reserved[1] = 0;
}

static __always_inline void report_call(struct call *call, const struct verdict *verdict)
{
	struct system_call_event *event = EMIT_RESERVE(EVENT_KIND_SYSTEM_CALL,
						       struct system_call_event, call->index);

	if (!event)
		return;
	fill_call(event, call, verdict);
	note_pending(call, event->header.time_ns, 0);
	EMIT_SUBMIT(event);
}

/* Which return address the frame chain lacks: that of a system-call stub. */
static __always_inline __u64 stub_caller(const struct target *target,
					 const struct user_registers *regs)
{
	__u64 word = 0;

	if (!in_range(&target->runtime, regs->ip - target->load_bias))
		return 0;
	if (bpf_probe_read_user(&word, sizeof(word), (void *)regs->sp))
		return 0;
	return in_range(&target->runtime, word - target->load_bias) ? word : 0;
}

static __always_inline void write_path(struct system_call_detail_event *event,
				       struct call *call, __u64 *missing)
{
	__u64 user_path = 0;

	event->path[0] = 0;
	event->path_is_argument = 0;
	event->path_missing = 0;
	if (call->flags & CALL_PATH_FIRST)
		user_path = event->call.arguments[0];
	else if (call->flags & CALL_PATH_SECOND)
		user_path = event->call.arguments[1];
	if (user_path) {
		event->path_is_argument = 1;
		/* Fails when the page is not present; the kernel itself will fault it in. */
		if (bpf_probe_read_user_str(event->path, sizeof(event->path),
					    (void *)user_path) < 0) {
			event->path[0] = 0;
			event->path_missing = 1;
			*missing = user_path;
		}
		return;
	}
	if (call->file)
		write_descriptor_path(call->file, event->path);
}

static __always_inline void report_detail(struct call *call, const struct target *target,
					  const struct verdict *verdict,
					  const struct goroutine *goroutine)
{
	struct user_registers registers = USER_REGISTERS(call->regs);
	struct system_call_detail_event *event =
		EMIT_RESERVE(EVENT_KIND_SYSTEM_CALL_DETAIL, struct system_call_detail_event,
			     call->index);
	__u64 missing = 0;

	if (!event)
		return;
	fill_call(&event->call, call, verdict);
	__builtin_memset(event->reserved, 0, sizeof(event->reserved));
	if (in_range(&target->text, registers.ip - target->load_bias))
		copy_stack(registers.ip, stub_caller(target, &registers), registers.fp,
			   event->stack);
	else /* C code need not keep frame pointers: start at the goroutine */
		copy_stack(registers.ip, 0, goroutine ? goroutine->fp : registers.fp,
			   event->stack);
	write_path(event, call, &missing);
	note_pending(call, event->call.header.time_ns, missing);
	EMIT_SUBMIT(event);
}

/* A call that no map operation made: counted, and a few file calls shown. */
static __always_inline void outside(struct call *call, const struct target *target,
				    const struct verdict *verdict)
{
	COUNT(call->counts->class_calls[CALL_OUTSIDE][call->call_class & (CALL_CLASS_COUNT - 1)]);
	COUNT(call->counts->calls_outside[call->number]);

	if (call->call_class == CALL_CLASS_MEMORY) {
		if (mapscope_settings.emit_memory_calls)
			report_call(call, verdict);
		return;
	}
	if (call->call_class != CALL_CLASS_FILE || !mapscope_settings.emit_call_samples)
		return;

	__u32 *shown = &mapscope_samples_shown[call->index & (TARGETS_MAX - 1)];

	if (*shown < mapscope_settings.emit_call_samples) {
		__sync_fetch_and_add(shown, 1);
		report_detail(call, target, verdict, NULL);
	}
}

static __always_inline void check_tls(const struct target *target, struct call *call,
				      const struct user_registers *regs)
{
	if (!(target->flags & TARGET_TLS_KNOWN) || call->counts->tls_checked >= TLS_CHECKS ||
	    call->number == CALL_GETTID)
		return;
	COUNT(call->counts->tls_checked);
	if (g_from_tls(target) != regs->g)
		COUNT(call->counts->lost[LOSS_TLS_MISMATCH]);
}

/* User code made the call: whatever window its goroutine had open is over. */
static __always_inline bool from_user_code(const struct target *target, struct call *call,
					   const struct user_registers *regs)
{
	__u64 pc = regs->ip - target->load_bias;

	if (in_range(&target->syscall6, pc)) {
		/* The runtime's own poller comes this way too, also inside operations. */
		if (call->flags & CALL_FROM_POLLER)
			return false;
	} else if (!in_range(&target->text, pc) || in_range(&target->runtime, pc)) {
		return false;
	}
	if (mapscope_settings.use_windows) {
		struct window *window = window_find(regs->g, target->tgid);

		if (window)
			window_close(window, regs->g);
	}
	return true;
}

static __always_inline void full_path(struct target *target, struct call *call,
				      const struct user_registers *regs)
{
	bool in_go = in_range(&target->text, regs->ip - target->load_bias);
	struct goroutine goroutine;
	struct verdict verdict = {};

	if (in_go)
		check_tls(target, call, regs);
	if (find_goroutine(target, regs, in_go ? regs->g : g_from_tls(target), &goroutine)) {
		COUNT(call->counts->lost[LOSS_GOROUTINE_UNREADABLE]);
		verdict.witnesses = WITNESS_NO_GOROUTINE;
		return outside(call, target, &verdict);
	}
	verdict.witnesses = goroutine.flags;
	verdict.goid = goroutine.goid;
	if (goroutine.flags & (WITNESS_NO_GOROUTINE | WITNESS_SIGNAL_STACK))
		return outside(call, target, &verdict);

	hear_witnesses(call->index, target, &goroutine, target->tgid, &verdict);
	if (verdict.place == CALL_OUTSIDE)
		return outside(call, target, &verdict);

	__u32 place = verdict.place < CALL_PLACE_COUNT ? verdict.place : 0;

	COUNT(call->counts->class_calls[place][call->call_class & (CALL_CLASS_COUNT - 1)]);
	COUNT(call->counts->calls_inside[call->number]);
	if (call->call_class == CALL_CLASS_FILE || call->call_class == CALL_CLASS_MEMORY)
		report_detail(call, target, &verdict, &goroutine);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(system_call_enter, struct pt_regs *regs, long id)
{
	__u32 index = target_of(bpf_get_current_pid_tgid() >> 32);

	if (index == NO_TARGET)
		return 0;

	struct target *target = &mapscope_targets[index & (TARGETS_MAX - 1)];

	if (!(target->flags & TARGET_WATCHED) || target->flags & TARGET_AWAITS_EXEC)
		return 0;

	struct target_counts *counts = counts_of(index);
	struct call call = {
		.regs = regs,
		.counts = counts,
		.index = index,
		.number = (__u64)id < SYSTEM_CALLS_MAX ? id : SYSTEM_CALLS_MAX - 1,
	};

	if (!counts)
		return 0;
	call.flags = mapscope_call_table[call.number & (SYSTEM_CALLS_MAX - 1)];
	call.call_class = call.flags & CALL_CLASS_MASK;

	struct user_registers registers = USER_REGISTERS(regs);
	bool known = target->flags & TARGET_GO && target->flags & TARGET_BIAS_KNOWN;
	bool user = known && from_user_code(target, &call, &registers);

	if (call.flags & CALL_FD_FIRST && (!user || mapscope_settings.classify_outside)) {
		call.file = file_of(bpf_get_current_task_btf(), SYSTEM_CALL_FIRST(regs));
		call.descriptor_kind = descriptor_kind_of(call.file);
		call.call_class = refine_class(call.call_class, call.descriptor_kind);
	}
	if (known && !user) {
		full_path(target, &call, &registers);
		return 0;
	}

	struct verdict verdict = { .witnesses = user ? WITNESS_USER_CODE : WITNESS_BEFORE_GO };

	outside(&call, target, &verdict);
	return 0;
}
