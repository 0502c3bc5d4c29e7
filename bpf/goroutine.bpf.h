/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The goroutine that runs on this thread, and where its stack stands, from registers or
 * thread-local storage: g -> m -> curg (runtime/runtime2.go).
 *
 * A thread that runs Go code has g in a register at every instruction of Go text, the
 * system calls included; anywhere else (libc under cgo) it has to come from the thread's
 * TLS. On the system stack g is g0, and curg the goroutine that is being served.
 */
#pragma once

#include "registers.bpf.h"
#include "targets.bpf.h"

/* The front of runtime.g up to its goid, in words; read at once, since a read of user
 * memory costs by number and not by size. */
#define G_WORDS 22

struct goroutine {
	__u64 curg;
	__u64 goid;
	__u64 stack_lo;
	__u64 stack_hi;
	__u64 sp; /* of the goroutine's own stack, also while the system stack runs */
	__u64 fp;
	/*
	 * Where the goroutine stands in a function that has no frame on the chain: sched.pc
	 * while the system stack runs. Its return address is on top of the stack. 0: none.
	 */
	__u64 frameless_pc;
	__u32 flags; /* enum witness_flag: how the call came about */
};

static __always_inline bool in_range(const volatile struct pc_range *range, __u64 pc)
{
	return pc - range->start < range->size_bytes;
}

/*
 * The same as 0 or 1 and without a branch: among twenty ranges the verifier would walk
 * every combination of answers. Ranges are smaller than half the address space.
 */
static __always_inline __u64 in_range_bit(const volatile struct pc_range *range, __u64 pc)
{
	__u64 distance = pc - range->start;

	return (~distance & (distance - range->size_bytes)) >> 63;
}

static __always_inline bool g_field(const __u64 *words, __u32 offset, __u64 *value)
{
	__u32 index = offset / 8;

	barrier_var(index); /* clang would compare the offset, and the verifier not see the bound */
	if (index >= G_WORDS)
		return false;
	*value = words[index];
	return true;
}

/* g of this thread by its TLS; 0 where there is none. */
static __always_inline __u64 g_from_tls(const struct target *target)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 g = 0;

	if (!(target->flags & TARGET_TLS_KNOWN))
		return 0;
	bpf_probe_read_user(&g, sizeof(g),
			    (void *)(THREAD_POINTER(task) + (__s64)target->tls_offset));
	return g;
}

/*
 * The race detector is C code that assembly calls on the system stack, and g remains the goroutine's
 * (runtime/race_amd64.s, racecall): where that one stands is in a register that C may have moved.
 */
static __always_inline bool on_system_stack(__u64 m, __u64 sp)
{
	__u64 g0 = 0, stack[2] = {};

	if (bpf_probe_read_user(&g0, sizeof(g0), (void *)m) ||
	    bpf_probe_read_user(stack, sizeof(stack), (void *)g0))
		return false;
	return sp > stack[0] && sp <= stack[1];
}

/*
 * Fills `out` for the call that `regs` show. 0, or a negative errno when a structure
 * could not be read. out->flags says when there is no goroutine to speak of. UNKNOWN_STACK: there
 * is one, and nothing tells where it stands; the flags are those of a signal handler.
 */
#define UNKNOWN_STACK 1
__weak __noinline int find_goroutine(__u32 index, const struct user_registers *regs, __u64 g,
				     struct goroutine *out)
{
	struct target *target = &mapscope_targets[index & (TARGETS_MAX - 1)];
	__u64 m = 0, g0 = 0, words[G_WORDS];

	if (!regs || !out)
		return -22;
	if (!g) {
		out->flags = WITNESS_NO_GOROUTINE;
		return 0;
	}
	if (bpf_probe_read_user(&m, sizeof(m), (void *)(g + target->g_m)))
		return -14;
	if (!m) {
		out->flags = WITNESS_NO_GOROUTINE;
		return 0;
	}
	/*
	 * A page of m0 that was never written is not present and can't be read; it holds zeros.
	 * Hence a failure means "none" as long as no goroutine has run at all.
	 */
	if (bpf_probe_read_user(&out->curg, sizeof(out->curg), (void *)(m + target->m_curg)) &&
	    target->goroutine_seen)
		return -14;
	if (!out->curg) {
		out->flags = WITNESS_NO_GOROUTINE; /* scheduler, sysmon, an idle thread */
		return 0;
	}
	if (!target->goroutine_seen)
		target->goroutine_seen = 1;
	if (bpf_probe_read_user(words, sizeof(words), (void *)out->curg))
		return -14;
	out->stack_lo = words[0];
	out->stack_hi = words[1];
	if (!g_field(words, target->g_goid, &out->goid))
		return -22;

	if (g == out->curg) {
		out->sp = regs->sp;
		out->fp = regs->fp;
		if (regs->sp > out->stack_lo && regs->sp <= out->stack_hi)
			return 0;
		out->flags = WITNESS_SIGNAL_STACK;
		return on_system_stack(m, regs->sp) ? UNKNOWN_STACK : 0;
	}
	if (bpf_probe_read_user(&g0, sizeof(g0), (void *)m))
		return -14;
	if (g != g0) {
		out->flags = WITNESS_SIGNAL_STACK; /* gsignal */
		return 0;
	}
	if (!g_field(words, target->g_sched_sp, &out->sp) ||
	    !g_field(words, target->g_sched_pc, &out->frameless_pc) ||
	    !g_field(words, target->g_sched_bp, &out->fp))
		return -22;
	/* systemstack and asmcgocall leave the address of systemstack_switch there, mcall
	 * and morestack that of their caller. */
	bool by_systemstack =
		out->frameless_pc - target->load_bias - target->systemstack_switch < 16;

	out->flags = by_systemstack ? WITNESS_SYSTEM_STACK : WITNESS_OTHER_SWITCH;
	return 0;
}
