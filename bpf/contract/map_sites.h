/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the program that counts creations and growths by call site (map_site.bpf.c) shares with
 * user space: whom it looks at now, a table of who did what, and counters. Nothing of it is ever
 * recorded.
 *
 * Rules for a change are those of events.h.
 */
#pragma once

#include "bpf/contract/events.h"

/* Different sites in one moment of watching; what does not fit is counted. */
#define MAP_SITES_MAX 4096
/* Copies of the counters, so that CPUs do not fight for one cache line. A power of two. */
#define MAP_SITE_COUNTER_COPIES 64
/* Return addresses that are kept: enough to get out of reflect and encoding/json. */
#define MAP_SITE_CALLERS 4

/* Addresses as in the process. */
struct map_site_key {
	__u64 map_type; /* descriptor; 0: the operation does not tell */
	/* From the first one outside of the runtime on, outwards; 0: no more. */
	__u64 callers[MAP_SITE_CALLERS];
	__u64 operation; /* enum map_operation */
};
CONTRACT_ASSERT(sizeof(struct map_site_key) == 48);

struct map_site_value {
	__u64 hits;
	__u64 slots_max; /* of a growth: the most that a map grows to */
};
CONTRACT_ASSERT(sizeof(struct map_site_value) == 16);

/* One process at a time. Written by user space while no probe is placed, but for the last two. */
struct map_site_moment {
	__u64 runtime_start; /* of its code, load bias included */
	__u64 runtime_bytes;
	__u64 image;	   /* address space that hits have to come from; 0: that of the first one */
	__u64 is_counting; /* 0: hits cost, but tell nothing */
};
CONTRACT_ASSERT(sizeof(struct map_site_moment) == 32);

struct map_site_counts {
	__u64 hits;		/* of all probes, those below included */
	__u64 counted;		/* while is_counting */
	__u64 in_place;		/* growths that only tidied up: the map is not larger afterwards */
	__u64 lost_table_full;	/* no room for one more key */
	__u64 lost_unreadable;	/* the map or the return address could not be read */
	__u64 of_another_image; /* the process has executed a program since the first hit */
	__u64 reserved[2];	/* a cache line for each */
};
CONTRACT_ASSERT(sizeof(struct map_site_counts) == 64);
