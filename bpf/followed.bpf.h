/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Children of watched processes, and theirs, which are not targets themselves (yet). */
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); /* tgid */
	__type(value, __u8);
} followed __weak SEC(".maps");
