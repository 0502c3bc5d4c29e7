// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The runtime is about to report that a map is misused: two goroutines on one map, which
 * ends the process in some milliseconds, or an assignment to a nil map, which panics.
 *
 * The probed functions serve other reports as well: internal/runtime/maps.fatal,
 * runtime.fatal (Go 1.19 on), runtime.throw (before) and runtime.gopanic. So the message
 * decides, and what is no misuse costs two reads. Which map it was is not an argument of
 * any of them: what the registers and the innermost frames point to and looks like the
 * header of a map is sent along, and user space decides.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "settings.bpf.h"
#include "emit.bpf.h"
#include "caller.bpf.h"

#define CONCURRENT "concurrent map"
#define CONCURRENT_SMALL "small map with no empty slot" /* Go 1.24 to 1.26, runtime_fast64.go */
#define NIL_MAP "assignment to entry in nil map"

#define WORDS_SEARCHED 64
#define ADDRESS_MAX (1ULL << 48) /* of user space: on arm64; x86-64 has 47 bits */

/*
 * The goroutines that reported a misuse which ends the process. None returns from there,
 * and maps.fatal calls runtime.fatal with the same message: the first one counts.
 */
struct reporter {
	__u64 g;
	__u64 generation; /* of the target */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct reporter);
	__type(value, __u8);
} misuse_reporters SEC(".maps");

/* By target: how often a probe was hit, whether it was a misuse or not. */
__u64 mapscope_misuse_hits[TARGETS_MAX] = {};

struct go_string {
	__u64 text;
	__u64 len;
};

struct map_search {
	struct map_misuse_event *event;
	__u32 wants_writing;
	__u32 is_swiss;
};

static __always_inline bool is_pointer(__u64 word)
{
	return word >= 4096 && word < ADDRESS_MAX && !(word & 7);
}

/* internal/runtime/maps/map.go, Go 1.24 to 1.27. */
static __always_inline bool looks_swiss(const __u64 *header, bool *is_written)
{
	__u64 used = header[0], directory = header[2], directory_len = header[3];
	__u8 depth = header[4], shift = header[4] >> 8, writing = header[4] >> 16;
	__u8 tombstones = header[4] >> 24;

	*is_written = writing == 1;
	if (writing > 1 || tombstones > 1 || header[4] >> 32 || depth >= 48)
		return false;
	if (directory_len == 0) /* a small map: one group, or none */
		return used <= 8 && depth == 0 && header[1] && (!directory || is_pointer(directory));
	return is_pointer(directory) && directory_len == 1ULL << depth && shift == 64 - depth &&
	       used <= directory_len << 10; /* a table has up to 1,024 slots */
}

/* runtime/map.go until Go 1.23. */
static __always_inline bool looks_classic(const __u64 *header, bool *is_written)
{
	__u64 count = header[0];
	__u8 flags = header[1], log_buckets = header[1] >> 8;

	*is_written = flags & 4; /* hashWriting */
	return flags < 16 && log_buckets < 48 && count <= 8ULL << log_buckets &&
	       is_pointer(header[2]) && (!header[3] || is_pointer(header[3]));
}

static long look_at_word(__u32 at, struct map_search *search)
{
	struct map_misuse_event *event = search->event;
	__u64 header[EVENT_MAP_HEADER_WORDS], word = event->words[at & (WORDS_SEARCHED - 1)];
	__u32 count = event->map_count;
	bool is_written = false;

	if (count >= EVENT_MISUSE_MAPS)
		return 1;
	if (word >= event->sp && word < event->stack_hi)
		return 0; /* a map on this stack belongs to this goroutine alone */
	if (!is_pointer(word) || bpf_probe_read_user(header, sizeof(header), (void *)word) ||
	    !(search->is_swiss ? looks_swiss(header, &is_written)
			       : looks_classic(header, &is_written)) ||
	    is_written != search->wants_writing)
		return 0;
	for (__u32 i = 0; i < EVENT_MISUSE_MAPS; i++)
		if (event->maps[i].address == word)
			return 0;
	event->maps[count].address = word;
	__builtin_memcpy(event->maps[count].header, header, sizeof(header));
	event->map_count = count + 1;
	return 0;
}

#define STARTS_WITH(message, prefix) \
	(!__builtin_memcmp(message, prefix, sizeof(prefix) - 1))

static __always_inline bool read_message(__u64 text, __u64 len, char *message)
{
	if (len >= EVENT_MESSAGE_BYTES)
		len = EVENT_MESSAGE_BYTES - 1;
	return len >= sizeof(CONCURRENT) - 1 && !bpf_probe_read_user(message, len, (void *)text);
}

#define IS_AS_LONG_AS(len, text, message) \
	((len) == sizeof(text) - 1 && \
	 (__builtin_memcpy(message, text, sizeof(text)), true))

/* Which of the runtime's messages about concurrent use it has to be: all differ in length. */
static __always_inline bool tell_by_length(__u64 len, char *message)
{
	return IS_AS_LONG_AS(len, "concurrent map writes", message) ||
	       IS_AS_LONG_AS(len, "concurrent map read and map write", message) ||
	       IS_AS_LONG_AS(len, "concurrent map clone and map write", message) ||
	       IS_AS_LONG_AS(len, "concurrent map iteration and map write", message);
}

/* Anybody may say such words, but only a map function does so from the runtime. */
static __always_inline bool is_runtimes_own(const struct target *target, __u64 caller)
{
	return in_range(&target->runtime, caller - target->load_bias);
}

static __always_inline bool is_map_function(const struct target *target, __u64 caller)
{
	__u64 is_map = 0;

#pragma unroll
	for (int i = 0; i < MAP_RANGES_MAX; i++)
		is_map |= in_range_bit(&target->map_ranges[i], caller - 1 - target->load_bias);
	return is_map;
}

/*
 * Whether the report is about a map. A constant in a page that nobody has touched can't be
 * read: then the length of the message and who calls decide. No map function panics with a
 * constant but for an assignment to a nil map.
 */
static __always_inline bool is_misuse(struct pt_regs *ctx, __u32 misuse, __u64 sp,
				      const struct target *target, char *message)
{
	__u64 first = GO_ARGUMENT_1(ctx), second = GO_ARGUMENT_2(ctx);
	__u64 caller = LINK_REGISTER(ctx);
	bool is_read;

	if (misuse == MAP_MISUSE_CONCURRENT) { /* fatal(s string) */
		is_read = read_message(first, second, message);
		if (is_read ? !STARTS_WITH(message, CONCURRENT) &&
				      !STARTS_WITH(message, CONCURRENT_SMALL)
			    : !tell_by_length(second, message))
			return false;
	} else { /* gopanic(e any): a plainError, which is a string. */
		struct go_string string;

		is_read = !bpf_probe_read_user(&string, sizeof(string), (void *)second);
		if (is_read && string.len != sizeof(NIL_MAP) - 1)
			return false;
		is_read = is_read && read_message(string.text, string.len, message);
		if (is_read && !STARTS_WITH(message, NIL_MAP))
			return false;
		__builtin_memcpy(message, NIL_MAP, sizeof(NIL_MAP));
	}
	if (!caller && bpf_probe_read_user(&caller, sizeof(caller), (void *)sp))
		return false;
	return is_read ? is_runtimes_own(target, caller) : is_map_function(target, caller);
}

static __always_inline void copy_words(const struct user_stack *stack,
				       struct map_misuse_event *event)
{
	__u64 bytes = stack->hi - stack->sp;

	if (bytes > sizeof(event->words))
		bytes = sizeof(event->words);
	__builtin_memset(event->words, 0, sizeof(event->words));
	if (bpf_probe_read_user(event->words, bytes, (void *)stack->sp))
		bytes = 0;
	event->word_count = bytes / 8;
}

/* Looks for maps in the registers and in the stack; event->words holds the stack afterwards. */
static __always_inline void search_maps(struct pt_regs *ctx, const struct user_stack *stack,
					struct map_search *search)
{
	OTHER_REGISTERS(ctx, search->event->words);
	bpf_loop(OTHER_REGISTER_COUNT, look_at_word, search, 0);
	copy_words(stack, search->event);
	bpf_loop(WORDS_SEARCHED, look_at_word, search, 0);
}

SEC("uprobe")
int map_misuse(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 misuse = PROBE_SUBJECT(cookie);
	__u32 index = PROBE_TARGET(cookie);
	const struct target *target = &mapscope_targets[index & (TARGETS_MAX - 1)];
	struct target_counts *counts = counts_of(index);
	char message[EVENT_MESSAGE_BYTES] = {};
	struct user_registers registers = USER_REGISTERS(ctx);
	struct caller caller = {};
	__u8 yes = 1;

	COUNT(mapscope_misuse_hits[index & (TARGETS_MAX - 1)]);
	if (!counts || (PROBE_ON_STACK_CHECK(cookie) && STACK_CHECK_FAILS(ctx)) ||
	    !is_misuse(ctx, misuse, registers.sp, target, message))
		return 0;
	stack_at_entry(ctx, index, &caller.stack);
	if (find_caller(registers.g, &caller))
		COUNT(counts->lost[LOSS_GOROUTINE_UNREADABLE]);

	struct reporter reporter = { .g = caller.g, .generation = target->generation };

	if (misuse == MAP_MISUSE_CONCURRENT &&
	    bpf_map_update_elem(&misuse_reporters, &reporter, &yes, BPF_NOEXIST))
		return 0;
	caller.stack_id = intern_stack(&caller.stack, caller.goid);

	struct map_misuse_event *event =
		EMIT_RESERVE(EVENT_KIND_MAP_MISUSE, struct map_misuse_event, index);

	if (!event)
		return 0;
	event->goid = caller.goid;
	event->g = caller.g;
	event->stack = caller.stack_id;
	event->sp = caller.stack.sp;
	event->stack_hi = caller.stack.lo ? caller.stack.hi : 0; /* 0: not known */
	__builtin_memcpy(event->message, message, sizeof(message));
	__builtin_memset(event->maps, 0, sizeof(event->maps));
	event->misuse = misuse;
	event->map_count = 0;
	copy_words(&caller.stack, event);
	if (misuse == MAP_MISUSE_CONCURRENT) {
		struct map_search search = { .event = event,
					     .is_swiss = target->flags & TARGET_SWISS };

		/* Those that are being written first; but that may be over by now. */
		search.wants_writing = 1;
		search_maps(ctx, &caller.stack, &search);
		search.wants_writing = 0;
		search_maps(ctx, &caller.stack, &search);
	}
	EMIT_SUBMIT_NOW(event);
	return 0;
}
