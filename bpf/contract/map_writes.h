/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the program on the runtime's writes to maps (map_write.bpf.c) shares with user space:
 * a table of who wrote where, and counters. Nothing of it is ever recorded.
 *
 * Rules for a change are those of events.h.
 */
#pragma once

#include "bpf/contract/events.h"

/* Different writes in one moment of watching; what does not fit is counted. */
#define MAP_WRITES_MAX 32768
/* Copies of the counters, so that CPUs do not fight for one cache line. A power of two. */
#define MAP_WRITE_COUNTER_COPIES 64

/* Addresses as in the process. */
struct map_write_key {
	__u64 map;	      /* header */
	__u64 map_type;	      /* descriptor */
	__u64 return_address; /* in the function that writes */
};
CONTRACT_ASSERT(sizeof(struct map_write_key) == 24);

struct map_write_value {
	__u64 hits;
	/* The word at offset 8 of the header at the first hit, where maps of every release have
	 * their seed: all of it (swiss) or the upper half (classic). */
	__u64 header_word;
	__u32 header_read; /* header_word is what stood there */
	__u32 reserved;
};
CONTRACT_ASSERT(sizeof(struct map_write_value) == 24);

struct map_write_counts {
	__u64 hits;		/* of all probes, those below included */
	__u64 lost_table_full;	/* no room for one more key */
	__u64 lost_unreadable;	/* the return address could not be read */
	__u64 of_another_image; /* the process has executed a program since the first hit */
	__u64 reserved[4];	/* a cache line for each */
};
CONTRACT_ASSERT(sizeof(struct map_write_counts) == 64);
