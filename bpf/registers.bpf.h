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

#define GO_ARGUMENT_1(from) ((from)->ax)
#define GO_ARGUMENT_2(from) ((from)->bx)
#define GO_ARGUMENT_3(from) ((from)->cx)
#define GO_RESULT_1(from) ((from)->ax)
#define USER_REGISTERS(from) \
	{ .ip = (from)->ip, .sp = (from)->sp, .fp = (from)->bp, .g = (from)->r14 }
#define SYSTEM_CALL_ARGUMENTS(from, out) \
	do { \
		(out)[0] = (from)->di; \
		(out)[1] = (from)->si; \
		(out)[2] = (from)->dx; \
		(out)[3] = (from)->r10; \
		(out)[4] = (from)->r8; \
		(out)[5] = (from)->r9; \
	} while (0)
#define SYSTEM_CALL_FIRST(from) ((from)->di)
#define THREAD_POINTER(task) ((task)->thread.fsbase)
/* jbe jumps with the carry or the zero flag set. */
#define STACK_CHECK_FAILS(from) ((from)->flags & 0x41)
/* Those that a function's caller may have left something in. */
#define OTHER_REGISTER_COUNT 11
#define OTHER_REGISTERS(from, out) \
	do { \
		(out)[0] = (from)->cx; \
		(out)[1] = (from)->di; \
		(out)[2] = (from)->si; \
		(out)[3] = (from)->r8; \
		(out)[4] = (from)->r9; \
		(out)[5] = (from)->r10; \
		(out)[6] = (from)->r11; \
		(out)[7] = (from)->dx; \
		(out)[8] = (from)->r12; \
		(out)[9] = (from)->r13; \
		(out)[10] = (from)->r15; \
	} while (0)
/* Where the return address is when a function has no frame yet: the word at sp. */
#define LINK_REGISTER(from) 0
#define FRAME_BELOW_SP 0 /* of a function's frame record, in bytes */
#define CALL_MMAP 9
#define CALL_MUNMAP 11
#define CALL_MREMAP 25
#define CALL_MADVISE 28
#define CALL_RT_SIGRETURN 15
#define CALL_GETTID 186
#define CALL_SET_THREAD_POINTER 158 /* arch_prctl */

#elif defined(__TARGET_ARCH_arm64)

#define GO_ARGUMENT_1(from) ((from)->regs[0])
#define GO_ARGUMENT_2(from) ((from)->regs[1])
#define GO_ARGUMENT_3(from) ((from)->regs[2])
#define GO_RESULT_1(from) ((from)->regs[0])
#define USER_REGISTERS(from) \
	{ .ip = (from)->pc, .sp = (from)->sp, .fp = (from)->regs[29], .g = (from)->regs[28] }
#define SYSTEM_CALL_ARGUMENTS(from, out) \
	do { \
		(out)[0] = (from)->orig_x0; \
		(out)[1] = (from)->regs[1]; \
		(out)[2] = (from)->regs[2]; \
		(out)[3] = (from)->regs[3]; \
		(out)[4] = (from)->regs[4]; \
		(out)[5] = (from)->regs[5]; \
	} while (0)
#define SYSTEM_CALL_FIRST(from) ((from)->orig_x0)
#define THREAD_POINTER(task) ((task)->thread.uw.tp_value)
/* b.ls jumps with the carry flag clear or the zero flag set. */
#define STACK_CHECK_FAILS(from) \
	(!((from)->pstate & (1 << 29)) || (from)->pstate & (1 << 30))
#define OTHER_REGISTER_COUNT 16
#define OTHER_REGISTERS(from, out) \
	do { \
		_Pragma("unroll") for (int i = 0; i < 16; i++)(out)[i] = (from)->regs[2 + i]; \
	} while (0)
#define LINK_REGISTER(from) ((from)->regs[30])
#define FRAME_BELOW_SP 8
#define CALL_MMAP 222
#define CALL_MUNMAP 215
#define CALL_MREMAP 216
#define CALL_MADVISE 233
#define CALL_RT_SIGRETURN 139
#define CALL_GETTID 178
#define CALL_SET_THREAD_POINTER (~0U) /* none: an instruction does it */

#else
#error "no register names for this architecture"
#endif
