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

/* How many calls are compared: does TLS give the same g as the register? */
#define TLS_CHECKS 128

struct call {
	__u32 index;
	__u32 number;
	__u8 flags; /* of the table */
	__u8 call_class;
	__u8 descriptor_kind;
	__u8 has_descriptor;
};

/* What this thread's registers were when it entered the kernel. */
static __always_inline struct pt_regs *own_registers(void)
{
	return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

static __always_inline void note_pending(const struct call *call, __u64 time_ns, __u64 path)
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
		struct target_counts *counts = counts_of(call->index);

		if (counts)
			COUNT(counts->lost[LOSS_PENDING_TABLE_FULL]);
	}
}

static __always_inline void fill_call(struct system_call_event *event, const struct call *call,
				      const struct verdict *verdict, struct pt_regs *regs)
{
	struct user_registers registers = USER_REGISTERS(regs);

	SYSTEM_CALL_ARGUMENTS(regs, event->arguments);
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

__weak __noinline int report_call(const struct call *call, const struct verdict *verdict)
{
	if (!call || !verdict)
		return 0;

	struct system_call_event *event = EMIT_RESERVE(EVENT_KIND_SYSTEM_CALL,
						       struct system_call_event, call->index);

	if (!event)
		return 0;
	fill_call(event, call, verdict, own_registers());
	note_pending(call, event->header.time_ns, 0);
	EMIT_SUBMIT(event);
	return 0;
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
				       const struct call *call, __u64 *missing)
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
	} else if (call->has_descriptor) {
		write_descriptor_path(event->call.arguments[0], event->path);
	}
}

/* `goroutine_fp`: where its frame chain starts, for calls that C code makes. */
__weak __noinline int report_detail(const struct call *call, const struct verdict *verdict,
				    __u64 goroutine_fp)
{
	if (!call || !verdict)
		return 0;

	const struct target *target = &mapscope_targets[call->index & (TARGETS_MAX - 1)];
	struct pt_regs *regs = own_registers();
	struct user_registers registers = USER_REGISTERS(regs);
	struct system_call_detail_event *event =
		EMIT_RESERVE(EVENT_KIND_SYSTEM_CALL_DETAIL, struct system_call_detail_event,
			     call->index);

	if (!event)
		return 0;

	struct user_stack stack = {
		.ip = registers.ip,
		.fp = registers.fp,
		.hi = ~0ULL,
		.target = call->index,
	};
	__u64 missing = 0;

	fill_call(&event->call, call, verdict, regs);
	__builtin_memset(event->reserved, 0, sizeof(event->reserved));
	if (in_range(&target->text, registers.ip - target->load_bias))
		stack.second = stub_caller(target, &registers);
	else if (goroutine_fp) /* C code need not keep frame pointers */
		stack.fp = goroutine_fp;
	copy_stack(&stack, event->stack);
	write_path(event, call, &missing);
	note_pending(call, event->call.header.time_ns, missing);
	EMIT_SUBMIT(event);
	return 0;
}

/*
 * Two calls of the runtime are made where the register lags behind: gettid in a thread that
 * was just made, and the return from a signal handler. A third one makes the TLS itself, in a
 * program that libc started with TLS of its own (runtime/asm_amd64.s, rt0_go).
 */
static __always_inline void check_tls(const struct target *target, const struct call *call,
				      struct target_counts *counts,
				      const struct user_registers *regs)
{
	if (!(target->flags & TARGET_TLS_KNOWN) || counts->tls_checked >= TLS_CHECKS ||
	    call->number == CALL_GETTID || call->number == CALL_RT_SIGRETURN ||
	    call->number == CALL_SET_THREAD_POINTER)
		return;
	COUNT(counts->tls_checked);
	if (g_from_tls(target) != regs->g)
		COUNT(counts->lost[LOSS_TLS_MISMATCH]);
}

/* User code made the call: whatever window its goroutine had open is over. */
static __always_inline bool from_user_code(const struct target *target, const struct call *call,
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

/* The runtime or C code made the call: find its goroutine, and put it to the witnesses. */
static __always_inline void judge_call(const struct target *target, const struct call *call,
				       struct target_counts *counts,
				       const struct user_registers *regs,
				       struct goroutine *goroutine, struct verdict *verdict)
{
	bool in_go = in_range(&target->text, regs->ip - target->load_bias);

	if (in_go)
		check_tls(target, call, counts, regs);

	int found = find_goroutine(call->index, regs, in_go ? regs->g : g_from_tls(target), goroutine);

	/* Of what the race detector asks for itself, only what it writes to a file matters: its reports. */
	if (found < 0 || (found == UNKNOWN_STACK && call->call_class == CALL_CLASS_FILE)) {
		COUNT(counts->lost[LOSS_GOROUTINE_UNREADABLE]);
		verdict->witnesses = WITNESS_NO_GOROUTINE;
		return;
	}
	verdict->witnesses = goroutine->flags;
	verdict->goid = goroutine->goid;
	if (!(goroutine->flags & (WITNESS_NO_GOROUTINE | WITNESS_SIGNAL_STACK)))
		hear_witnesses(call->index, goroutine, verdict);
}

enum report { REPORT_NOTHING,
	      REPORT_CALL,
	      REPORT_DETAIL };

/* A memory call about fewer bytes than are asked for. brk tells no length: it always passes. */
static __always_inline bool is_too_small(const struct call *call, struct pt_regs *regs)
{
	__u64 arguments[6];

	if (!mapscope_settings.min_bytes)
		return false;
	SYSTEM_CALL_ARGUMENTS(regs, arguments);
	switch (call->number) {
	case CALL_MMAP:
	case CALL_MUNMAP:
	case CALL_MADVISE:
		return arguments[1] < mapscope_settings.min_bytes;
	case CALL_MREMAP: /* old and new */
		return arguments[1] < mapscope_settings.min_bytes &&
		       arguments[2] < mapscope_settings.min_bytes;
	}
	return false;
}

/*
 * Counts the call, and decides how much of it user space should see. The additions need
 * not be atomic: only this program writes these counters, and preemption is off.
 */
static __always_inline enum report count_call(const struct call *call, struct pt_regs *regs,
					      struct target_counts *counts, __u32 place)
{
	__u32 *shown = &mapscope_samples_shown[call->index & (TARGETS_MAX - 1)];
	bool is_file = call->call_class == CALL_CLASS_FILE;
	bool is_memory = call->call_class == CALL_CLASS_MEMORY;

	counts->class_calls[place][call->call_class & (CALL_CLASS_COUNT - 1)]++;
	if (place != CALL_OUTSIDE) {
		counts->calls_inside[call->number & (SYSTEM_CALLS_MAX - 1)]++;
		if (is_memory && is_too_small(call, regs))
			return REPORT_NOTHING;
		return is_file || is_memory ? REPORT_DETAIL : REPORT_NOTHING;
	}
	counts->calls_outside[call->number & (SYSTEM_CALLS_MAX - 1)]++;
	if (is_memory)
		return mapscope_settings.emit_memory_calls && !is_too_small(call, regs)
			       ? REPORT_CALL
			       : REPORT_NOTHING;
	if (!is_file || *shown >= mapscope_settings.emit_call_samples)
		return REPORT_NOTHING;
	__sync_fetch_and_add(shown, 1);
	return REPORT_DETAIL;
}

static __always_inline void report(enum report what, const struct call *call,
				   const struct verdict *verdict, __u64 goroutine_fp)
{
	if (what == REPORT_CALL)
		report_call(call, verdict);
	else if (what == REPORT_DETAIL)
		report_detail(call, verdict, goroutine_fp);
}

static __always_inline void look_at_descriptor(struct call *call, struct pt_regs *regs)
{
	if (!(call->flags & CALL_FD_FIRST))
		return;
	call->has_descriptor = 1;
	call->descriptor_kind = descriptor_kind_of(SYSTEM_CALL_FIRST(regs));
	call->call_class = refine_class(call->call_class, call->descriptor_kind);
}

/* No map operation can have made the call; `why` is one of enum witness_flag. */
static __always_inline void outside(struct call *call, struct target_counts *counts,
				    struct pt_regs *regs, __u32 why)
{
	if (mapscope_settings.classify_outside)
		look_at_descriptor(call, regs);

	enum report what = count_call(call, regs, counts, CALL_OUTSIDE);

	if (what != REPORT_NOTHING) {
		struct verdict verdict = { .witnesses = why };

		report(what, call, &verdict, 0);
	}
}

/* The runtime or C code made the call, perhaps for a map. */
static __always_inline void perhaps_inside(const struct target *target, struct call *call,
					   struct target_counts *counts, struct pt_regs *regs,
					   const struct user_registers *registers)
{
	struct goroutine goroutine = {};
	struct verdict verdict = {};

	judge_call(target, call, counts, registers, &goroutine, &verdict);
	look_at_descriptor(call, regs);
	report(count_call(call, regs, counts,
			  verdict.place < CALL_PLACE_COUNT ? verdict.place : CALL_OUTSIDE),
	       call, &verdict, goroutine.fp);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(system_call_enter, struct pt_regs *regs, long id)
{
	__u32 index = target_of(bpf_get_current_pid_tgid() >> 32);

	if (index == NO_TARGET)
		return 0;

	struct target *target = &mapscope_targets[index & (TARGETS_MAX - 1)];
	struct target_counts *counts = counts_of(index);

	if (!counts || !(target->flags & TARGET_WATCHED) || target->flags & TARGET_AWAITS_EXEC)
		return 0;

	struct user_registers registers = USER_REGISTERS(regs);
	struct call call = {
		.index = index,
		.number = (__u64)id < SYSTEM_CALLS_MAX ? id : SYSTEM_CALLS_MAX - 1,
	};

	call.flags = mapscope_call_table[call.number & (SYSTEM_CALLS_MAX - 1)];
	call.call_class = call.flags & CALL_CLASS_MASK;
	if (!(target->flags & TARGET_GO) || !(target->flags & TARGET_BIAS_KNOWN))
		outside(&call, counts, regs, WITNESS_BEFORE_GO);
	else if (from_user_code(target, &call, &registers))
		outside(&call, counts, regs, WITNESS_USER_CODE);
	else
		perhaps_inside(target, &call, counts, regs, &registers);
	return 0;
}
