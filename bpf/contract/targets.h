/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What user space tells the BPF programs about each process it watches, and what they
 * count for it. The other half of the border is events.h.
 *
 * Rules for a change are those of events.h.
 */
#pragma once

#include "bpf/contract/events.h"

/* How many processes one load of the programs can watch at once. */
#define TARGETS_MAX 256
/* Power of two, several times TARGETS_MAX: an open-addressed table of tgid -> index. */
#define TARGET_SLOTS 1024
/* How far a tgid may lie from its first slot. User space refuses a target that does not fit. */
#define TARGET_PROBES 8

#define MAP_RANGES_MAX 4
#define WINDOWED_RANGES_MAX 16

/* System call numbers above this are counted in the last slot. */
#define SYSTEM_CALLS_MAX 512

/* Link-time addresses, that is, before the load bias is added. */
struct pc_range {
	__u64 start;
	__u64 size_bytes;
};

enum target_flag {
	TARGET_WATCHED = 1 << 0,      /* unset: the slot is empty */
	TARGET_BIAS_KNOWN = 1 << 1,   /* position independent, and not yet at its entry point: unset */
	TARGET_STRAY_FRAMES = 1 << 2, /* Go <= 1.20: the frame chain can leave the stack */
	TARGET_TLS_KNOWN = 1 << 3,    /* tls_offset is usable: system calls from C can be attributed */
	TARGET_FOLLOW = 1 << 4,	      /* children and what they exec are wanted too */
	TARGET_GO = 1 << 5,	      /* the layout below is filled in; unset: only calls are counted */
	TARGET_AWAITS_EXEC = 1 << 6,  /* still the tracer's own child: nothing of it counts yet */
	TARGET_SWISS = 1 << 7,	      /* its maps are those of Go 1.24: what Clear is told differs */
};

/*
 * The cookie of a probe: what it is about, and whose it is. Probes are scoped to one
 * process, so a hit needs no lookup by tgid.
 */
#define PROBE_COOKIE(subject, opens_window, target) \
	((__u64)(subject) | ((__u64) !!(opens_window) << 8) | ((__u64)(target) << 16))
#define PROBE_SUBJECT(cookie) ((cookie) & 0xff) /* enum map_operation or heap_request */
#define PROBE_OPENS_WINDOW(cookie) (((cookie) >> 8) & 1)
/* The probe sits on the conditional jump to runtime.morestack. */
#define PROBE_COOKIE_STACK_CHECK(yes) ((__u64) !!(yes) << 9)
#define PROBE_ON_STACK_CHECK(cookie) (((cookie) >> 9) & 1)
#define PROBE_TARGET(cookie) (((cookie) >> 16) & (TARGETS_MAX - 1))

/*
 * One watched process. Written by user space before TARGET_WATCHED is set, then read
 * only, but for load_bias, which the probe on the entry point stores.
 * Field offsets are those of the Go runtime, see userspace/binary/ and docs/layouts.md.
 */
struct target {
	__u32 tgid;  /* as the kernel's initial pid namespace numbers it */
	__u32 flags; /* enum target_flag */
	__u64 load_bias;
	__u64 entry;				       /* ELF entry point, link-time */
	struct pc_range text;			       /* Go text: runtime.text to runtime.etext */
	struct pc_range runtime;		       /* its front part, package runtime and below */
	struct pc_range syscall6;		       /* the one function user code makes system calls from */
	__u64 systemstack_switch;		       /* what systemstack leaves in sched.pc */
	struct pc_range map_ranges[MAP_RANGES_MAX];    /* map functions and what lies between them */
	struct pc_range windowed[WINDOWED_RANGES_MAX]; /* functions whose entry opens a window */
	__u32 map_range_count;
	__u32 windowed_count;
	__s32 tls_offset; /* of g, from the thread's FS base */
	__u32 g_goid;	  /* offsets in runtime.g */
	__u32 g_sched_sp;
	__u32 g_sched_pc;
	__u32 g_sched_bp;
	__u32 g_m;
	__u32 m_curg;	      /* in runtime.m */
	__u32 goroutine_seen; /* one has run; user space sets it for a process that runs already */
	__u32 generation;     /* counts the owners of this place: ids of stacks are never shared */
	__u32 reserved;
};

/* One place of the open-addressed table; tgid 0 ends a chain, a freed one does not. */
#define TARGET_SLOT_FREED 0xffffffff

struct target_slot {
	__u32 tgid;
	__u32 index;
};

/* What the process_ids iterator writes for each process of a pid namespace. */
struct process_ids {
	__u32 tgid;  /* in the kernel's first pid namespace */
	__u32 local; /* in the namespace that was asked for */
};

enum call_place {
	CALL_OUTSIDE = 0,
	CALL_INSIDE = 1, /* both witnesses say so */
	CALL_WINDOW_ONLY = 2,
	CALL_STACK_ONLY = 3,  /* a function with a window is on the stack, and none is open */
	CALL_UNDER_WRITE = 4, /* a map function without a window: only the stack can see it */
	CALL_PLACE_COUNT = 5,
};

/* A loss has a name and a place in target_counts.lost. */
enum loss {
	LOSS_GOROUTINE_UNREADABLE = 0, /* g, m or curg could not be read at a call */
	LOSS_WINDOW_UNREADABLE = 1,    /* g or the return address could not be read at a probe */
	LOSS_WINDOW_TABLE_FULL = 2,
	LOSS_PENDING_TABLE_FULL = 3, /* a call's result will not be known */
	LOSS_TLS_MISMATCH = 4,	     /* R14 and the thread's g differ: the offset is wrong */
	LOSS_STACK_UNREADABLE = 5,   /* a record has no stack: none could be read, or no place for it */
	LOSS_TARGET_TABLE_FULL = 6,  /* retired: the kernel side adds no targets */
	LOSS_COUNT = 8,
};

/* Per CPU and target; user space sums. */
struct target_counts {
	__u64 operations[MAP_OPERATION_COUNT];
	__u64 operations_on_stack[MAP_OPERATION_COUNT]; /* the header lies on the goroutine's stack */
	__u64 table_grows;				/* what rehash was about to do, told from the table's capacity */
	__u64 table_splits;
	__u64 heap_grown_bytes[2]; /* [inside a map operation] */
	__u64 heap_grown_count[2];
	__u64 large_allocation_bytes[2];
	__u64 large_allocation_count[2];
	__u64 class_calls[CALL_PLACE_COUNT][CALL_CLASS_COUNT];
	__u64 calls_outside[SYSTEM_CALLS_MAX];
	__u64 calls_inside[SYSTEM_CALLS_MAX];
	__u64 tls_checked;
	__u64 lost[LOSS_COUNT];
};
