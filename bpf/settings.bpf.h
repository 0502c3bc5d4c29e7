/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The settings that user space wrote before load: constants to the verifier. */
#pragma once

#include "bpf/contract/settings.h"
#include "bpf/contract/targets.h"

__weak const volatile struct mapscope_settings mapscope_settings = {};

/* Class and flags of each system call of this architecture, see enum call_flag. */
__weak const volatile __u8 mapscope_call_table[SYSTEM_CALLS_MAX] = {};
