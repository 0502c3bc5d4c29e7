// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The licence that the kernel asks for, once for the linked object. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";
