/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which register holds what in Go code, for each architecture (Go's internal ABI,
 * abi-internal.md; register arguments since Go 1.17 on amd64, 1.18 on arm64).
 */
#pragma once

#include <bpf/bpf_tracing.h>

struct user_registers {
	__u64 ip;
	__u64 sp;
	__u64 fp;
	__u64 g;
};

#if defined(__TARGET_ARCH_x86)

#define GO_ARGUMENT_1(regs) ((regs)->ax)
#define GO_ARGUMENT_2(regs) ((regs)->bx)
#define GO_ARGUMENT_3(regs) ((regs)->cx)
#define GO_ARGUMENT_4(regs) ((regs)->di)
#define GO_RESULT_1(regs) ((regs)->ax)
#define USER_REGISTERS(regs) \
	{ .ip = (regs)->ip, .sp = (regs)->sp, .fp = (regs)->bp, .g = (regs)->r14 }
#define SYSTEM_CALL_NUMBER(regs) ((regs)->orig_ax)
#define SYSTEM_CALL_ARGUMENTS(regs, out)      \
	do {                                  \
		(out)[0] = (regs)->di;        \
		(out)[1] = (regs)->si;        \
		(out)[2] = (regs)->dx;        \
		(out)[3] = (regs)->r10;       \
		(out)[4] = (regs)->r8;        \
		(out)[5] = (regs)->r9;        \
	} while (0)
#define SYSTEM_CALL_FIRST(regs) ((regs)->di)
#define THREAD_POINTER(task) ((task)->thread.fsbase)
#define CALL_RT_SIGRETURN 15
#define CALL_GETTID 186

#elif defined(__TARGET_ARCH_arm64)

#define GO_ARGUMENT_1(regs) ((regs)->regs[0])
#define GO_ARGUMENT_2(regs) ((regs)->regs[1])
#define GO_ARGUMENT_3(regs) ((regs)->regs[2])
#define GO_ARGUMENT_4(regs) ((regs)->regs[3])
#define GO_RESULT_1(regs) ((regs)->regs[0])
#define USER_REGISTERS(regs) \
	{ .ip = (regs)->pc, .sp = (regs)->sp, .fp = (regs)->regs[29], .g = (regs)->regs[28] }
#define SYSTEM_CALL_NUMBER(regs) ((regs)->syscallno)
#define SYSTEM_CALL_ARGUMENTS(regs, out)              \
	do {                                          \
		(out)[0] = (regs)->orig_x0;           \
		(out)[1] = (regs)->regs[1];           \
		(out)[2] = (regs)->regs[2];           \
		(out)[3] = (regs)->regs[3];           \
		(out)[4] = (regs)->regs[4];           \
		(out)[5] = (regs)->regs[5];           \
	} while (0)
#define SYSTEM_CALL_FIRST(regs) ((regs)->orig_x0)
#define THREAD_POINTER(task) ((task)->thread.uw.tp_value)
#define CALL_RT_SIGRETURN 139
#define CALL_GETTID 178

#else
#error "no register names for this architecture"
#endif
