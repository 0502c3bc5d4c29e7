/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a record says of the map itself, and which maps are asked for. */
#pragma once

#include <bpf/bpf_helpers.h>

#include "settings.bpf.h"

/* Whether records of the map with that header are wanted. */
static __always_inline bool passes_map_filter(__u64 map)
{
	return !mapscope_settings.only_map || map == mapscope_settings.only_map;
}

/* Copies the front of event->map's header; zeros where there is none or it can't be read. */
static __always_inline void read_map_header(struct map_operation_event *event)
{
	if (event->map) {
		event->header_read =
			!bpf_probe_read_user(event->map_header, sizeof(event->map_header),
					     (void *)event->map);
	} else {
		__builtin_memset(event->map_header, 0, sizeof(event->map_header));
		event->header_read = 0;
	}
}
