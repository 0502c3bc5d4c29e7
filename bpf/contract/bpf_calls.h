/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table in which calls on BPF maps are counted while a window is open (bpf_call_exit.bpf.c,
 * bpf_update_probes.bpf.c), and which user space reads through a mapping. Nothing of it is ever
 * recorded.
 *
 * No map of the kernel's own: a program that watches updates of hash maps must not make any, and
 * user space reads and clears it without a call. Rules for a change are those of events.h.
 */
#pragma once

#include "bpf/contract/events.h"

#define BPF_CALL_COUNTERS 4096 /* different maps, kinds and errors; powers of two, all three */
#define BPF_CALL_KEYS 4096     /* looked-up keys that are kept, of all sampled maps together */
#define BPF_CALL_KEY_BYTES 64  /* of each */
#define BPF_CALL_SAMPLED_MAPS 16
#define BPF_CALL_PROBES 32 /* places that a counter may have */

/* What is counted. Appended to only. */
enum bpf_call_kind {
	BPF_CALL_LOOKUP = 1,
	BPF_CALL_UPDATE = 2,	    /* failed ones too */
	BPF_CALL_DELETE = 3,	    /* failed ones too */
	BPF_CALL_UPDATE_FAILED = 4, /* of these, with the error */
	BPF_CALL_PROGRAM_UPDATE = 5,
	BPF_CALL_PROGRAM_DELETE = 6,
	BPF_CALL_PROGRAM_UPDATE_FAILED = 7,
	BPF_CALL_PROGRAM_LOOKUP = 8, /* of sampled maps; not all of them come by the probe */
};

enum bpf_call_loss {
	BPF_CALL_LOST_UNNAMED = 0,    /* no map could be found behind the descriptor */
	BPF_CALL_LOST_UNREADABLE = 1, /* attributes or the count of a batch could not be read */
	BPF_CALL_LOST_BATCH = 2,      /* a batch failed, and does not tell how far it came */
	BPF_CALL_LOST_COMPAT = 3,     /* a 32-bit program's call */
	BPF_CALL_LOST_TABLE_FULL = 4,
	BPF_CALL_LOST_KIND_COUNT = 5,
};

struct bpf_call_counter {
	__u64 key; /* BPF_CALL_COUNTER_KEY; 0: free */
	__u64 count;
};
#define BPF_CALL_COUNTER_KEY(map_id, kind, error) \
	((__u64)(map_id) << 32 | (__u64)(kind) << 16 | (__u64)(error))

/* A map whose looked-up keys are wanted. Its keys lie at index * keys_per_map. */
struct bpf_call_sampled {
	__u64 seen; /* lookups; so many keys are kept, keys_per_map at most */
	__u32 map_id;
	__u32 key_lost; /* keys that could not be read or written */
};

struct bpf_call_looked_up {
	__u32 writer; /* somebody writes it */
	__u16 bytes;  /* 0: none */
	__u16 by_program;
	__u8 key[BPF_CALL_KEY_BYTES];
};

struct bpf_call_table {
	/*
	 * User space makes one call of its own under a random word before anything is counted. It
	 * tells how the kernel calls its operations on descriptors of maps (a symbol that few
	 * kernels name), which process is ours, and that the id is found where it is looked for.
	 */
	__u64 greeting;	      /* 0: none is expected */
	__u64 map_operations; /* bpf_map_fops */
	__u32 greeted_map;    /* id */
	__u32 own_tgid;
	__u32 is_counting;
	__u32 sampled_count;
	__u32 keys_per_map;
	__u32 reserved;
	__u64 lost[8]; /* by enum bpf_call_loss */
	struct bpf_call_sampled sampled[BPF_CALL_SAMPLED_MAPS];
	struct bpf_call_counter counters[BPF_CALL_COUNTERS];
	struct bpf_call_looked_up keys[BPF_CALL_KEYS];
};
CONTRACT_ASSERT(sizeof(struct bpf_call_looked_up) == 72);
CONTRACT_ASSERT(sizeof(struct bpf_call_table) == 40 + 64 + 256 + 65536 + 294912);

/* The key of the greeting, as user space has it in memory. */
struct bpf_call_greeting {
	__u64 reserved;
	__u64 word;
};
