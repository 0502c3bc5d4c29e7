/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the callback of a bpf_loop() changes and tests has to begin with this zero.
 *
 * Before Linux 6.7 (ab5cfac139ab "bpf: verify callbacks as if they are called unknown number
 * of times") the verifier follows one round only, and holds what the context has at its
 * beginning for true in each: code behind a test of it that the first round fails can be taken
 * out of the program as never reached. The value of a variable is unknown to it.
 */
#pragma once

__weak volatile __u64 mapscope_unknown_zero = 0;
