/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the iterator over open files (held_descriptors.bpf.c) says to user space. Nothing of it is
 * ever recorded.
 *
 * Rules for a change are those of events.h.
 */
#pragma once

#include "bpf/contract/events.h"

enum held_kind {
	HELD_MAP = 0,
	HELD_PROGRAM = 1, /* itself, or by a link or perf event that runs it */
	HELD_MAP_BY_LINK = 2,
};

struct held_descriptor {
	__u32 tgid; /* in the kernel's first pid namespace */
	__u32 kind; /* enum held_kind */
	__u32 id;   /* of the map or program */
	__u32 reserved;
};
CONTRACT_ASSERT(sizeof(struct held_descriptor) == 16);
