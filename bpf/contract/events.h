/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every record that crosses the ring buffer from bpf/ to userspace/ is declared here,
 * and nowhere else.
 *
 * Rules for a change:
 *   - fixed-width fields, widest first; padding is a named field, set to zero;
 *   - never packed: clang answers it with byte-by-byte stores;
 *   - enumerator values are append-only, and a retired value stays retired;
 *   - a layout change raises EVENT_ABI_VERSION, since recordings outlive builds.
 */
#pragma once

#ifndef __VMLINUX_H__ /* set by the header that bpftool generates */
#include <linux/types.h>
#endif

#ifdef __cplusplus
#define CONTRACT_ASSERT(condition) static_assert(condition, #condition)
#else
#define CONTRACT_ASSERT(condition) _Static_assert(condition, #condition)
#endif

#define EVENT_ABI_VERSION 2

#define EVENT_STACK_FRAMES 64
#define EVENT_PATH_BYTES 256
#define EVENT_MAP_HEADER_WORDS 6 /* 48 bytes: swiss Map, hmap of all but noswissmap builds */
#define EVENT_MESSAGE_BYTES 64
#define EVENT_MISUSE_MAPS 4
#define EVENT_MISUSE_WORDS 128

enum event_kind {
	EVENT_KIND_NONE = 0, /* never sent: zeroed memory must not look valid */
	EVENT_KIND_PROCESS_EXEC = 1,
	EVENT_KIND_PROCESS_EXIT = 2,
	EVENT_KIND_PROCESS_FORK = 3,
	EVENT_KIND_IMAGE_ENTRY = 4,
	EVENT_KIND_MAP_OPERATION = 5,
	EVENT_KIND_HEAP_REQUEST = 6,
	EVENT_KIND_SYSTEM_CALL = 7,
	EVENT_KIND_SYSTEM_CALL_DETAIL = 8,
	EVENT_KIND_SYSTEM_CALL_RESULT = 9,
	EVENT_KIND_IO_URING_SUBMIT = 10,
	EVENT_KIND_STACK = 11,
	EVENT_KIND_MAP_MISUSE = 12,
	EVENT_KIND_COUNT,
};

struct event_header {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 tgid;    /* what user space calls the pid; initial pid namespace */
	__u32 tid;
	__u16 kind;	  /* enum event_kind */
	__u16 size_bytes; /* header included */
	__u16 target;	  /* index into the targets, 0xffff: none */
	__u16 cpu;
};
CONTRACT_ASSERT(sizeof(struct event_header) == 24);

#define EVENT_NO_TARGET 0xffff

struct process_exec_event {
	struct event_header header;
	__u32 old_tid; /* the thread that called exec; differs from tgid when probes are lost by it */
	__u32 reserved;
	char path[EVENT_PATH_BYTES]; /* as exec was given it; cut, and always terminated */
};
CONTRACT_ASSERT(sizeof(struct process_exec_event) == 32 + 256);

struct process_exit_event {
	struct event_header header;
	__u32 exit_code; /* as wait(2) reports it */
	__u32 reserved;
};
CONTRACT_ASSERT(sizeof(struct process_exit_event) == 32);

struct process_fork_event {
	struct event_header header; /* of the parent */
	__u32 child_tgid;
	__u32 reserved;
};
CONTRACT_ASSERT(sizeof(struct process_fork_event) == 32);

/* The first instruction of the executable itself, before any Go code. */
struct image_entry_event {
	struct event_header header;
	__u64 load_bias;
};
CONTRACT_ASSERT(sizeof(struct image_entry_event) == 32);

/* Which runtime function was entered. The order of columns in docs/events.md. */
enum map_operation {
	MAP_OPERATION_NONE = 0,
	MAP_OPERATION_MAKE_SMALL = 1,	  /* runtime.makemap_small() */
	MAP_OPERATION_MAKE = 2,		  /* runtime.makemap(t, hint, h), classic */
	MAP_OPERATION_NEW_MAP = 3,	  /* internal/runtime/maps.NewMap(t, hint, m, max), swiss */
	MAP_OPERATION_CLONE = 4,	  /* (*Map).Clone(m; t), swiss 1.25 on */
	MAP_OPERATION_HASH_GROW = 5,	  /* runtime.hashGrow(t, h), classic */
	MAP_OPERATION_GROW_TO_SMALL = 6,  /* (*Map).growToSmall(m; t): the first group */
	MAP_OPERATION_GROW_TO_TABLE = 7,  /* (*Map).growToTable(m; t): more than eight entries */
	MAP_OPERATION_REHASH = 8,	  /* (*table).rehash(tab; t, m): doubles the table or splits it */
	MAP_OPERATION_TABLE_GROW = 9,	  /* (*table).grow */
	MAP_OPERATION_TABLE_SPLIT = 10,	  /* (*table).split */
	MAP_OPERATION_INSTALL_SPLIT = 11, /* (*Map).installTableSplit */
	MAP_OPERATION_CLEAR = 12,	  /* runtime.mapclear(t, h); (*Map).Clear(m; t) */
	MAP_OPERATION_GROW_WORK = 13,	  /* runtime.growWork*(t, h, bucket), classic: moves two buckets */
	MAP_OPERATION_PRUNE = 14,	  /* (*table).pruneTombstones(tab; t, m), swiss 1.25 on */
	MAP_OPERATION_COUNT = 16,
};

/* Which of the two witnesses saw a map operation around a call, and how. */
enum witness_flag {
	WITNESS_WINDOW = 1 << 0,       /* an open window of this goroutine, its frame on the chain */
	WITNESS_WORD = 1 << 1,	       /* the window by its return address alone, the chain is none */
	WITNESS_STACK = 1 << 2,	       /* a map function's address range is on the frame chain */
	WITNESS_WINDOWED = 1 << 3,     /* and it is a function whose entry opens a window */
	WITNESS_SYSTEM_STACK = 1 << 4, /* the call came from the system stack, by systemstack */
	WITNESS_OTHER_SWITCH = 1 << 5, /* from the system stack by mcall or morestack */
	WITNESS_SIGNAL_STACK = 1 << 6, /* from a signal handler: not attributed */
	WITNESS_NO_GOROUTINE = 1 << 7, /* the thread runs none */
	WITNESS_USER_CODE = 1 << 8,    /* called by user code: no map function can be above it */
	WITNESS_BEFORE_GO = 1 << 9,    /* the image has not reached its entry point */
};

struct map_operation_event {
	struct event_header header;
	__u64 goid;
	__u64 map;	       /* header address, 0 before it exists */
	__u64 map_type;	       /* runtime type descriptor, 0 where the function is not told it */
	__u64 hint;	       /* makemap, NewMap: the size hint */
	__u64 table;	       /* the swiss table, where the operation is on one */
	__u64 table_front;     /* its first eight bytes: used, capacity, growthLeft, localDepth */
	__u64 stack;	       /* id of a stack_event that was sent before; 0: not read */
	__u64 stack_distance;  /* stack.hi - address of the return address */
	__u64 header_distance; /* stack.hi - map, for a header on the stack */
	/* The front of the map's header when the operation began; read says how it went. */
	__u64 map_header[EVENT_MAP_HEADER_WORDS];
	__u16 operation; /* enum map_operation */
	__u8 header_on_stack;
	__u8 is_return;	  /* sent from a return instruction: map is the result */
	__u8 header_read; /* map_header is what stood there */
	__u8 table_read;
	__u8 reserved[2];
};
CONTRACT_ASSERT(sizeof(struct map_operation_event) == 152);

enum heap_request {
	HEAP_REQUEST_NONE = 0,
	HEAP_REQUEST_GROW = 1,	/* (*mheap).grow(h, pages) */
	HEAP_REQUEST_LARGE = 2, /* (*mcache).allocLarge(c, size, ..) */
};

struct heap_request_event {
	struct event_header header;
	__u64 goid;
	__u64 bytes;
	__u64 stack;	 /* of the goroutine, as in map_operation_event */
	__u32 witnesses; /* enum witness_flag */
	__u16 request;	 /* enum heap_request */
	__u16 operation; /* of the open window */
};
CONTRACT_ASSERT(sizeof(struct heap_request_event) == 56);

/* What a system call is about. Refined by what its descriptor is. */
enum call_class {
	CALL_CLASS_OTHER = 0,
	CALL_CLASS_FILE = 1,
	CALL_CLASS_MEMORY = 2,
	CALL_CLASS_SCHEDULING = 3,
	CALL_CLASS_NETWORK = 4,
	CALL_CLASS_TIME = 5,
	CALL_CLASS_SIGNAL = 6,
	CALL_CLASS_PROCESS = 7,
	CALL_CLASS_COUNT = 8,
};

/* How the table of calls says what to look at; user space fills it per architecture. */
enum call_flag {
	CALL_FD_FIRST = 1 << 4,	   /* the first argument is a descriptor that refines the class */
	CALL_PATH_FIRST = 1 << 5,  /* the first argument is a path */
	CALL_PATH_SECOND = 1 << 6, /* the first is a directory descriptor, the second a path */
	CALL_FROM_POLLER = 1 << 7, /* the runtime makes it through Syscall6 as well */
	CALL_CLASS_MASK = 0x0f,
};

enum descriptor_kind {
	DESCRIPTOR_UNKNOWN = 0,
	DESCRIPTOR_FILE = 1,
	DESCRIPTOR_DIRECTORY = 2,
	DESCRIPTOR_PIPE = 3,
	DESCRIPTOR_SOCKET = 4,
	DESCRIPTOR_EVENT = 5, /* eventfd, epoll, timerfd, signalfd, inotify, io_uring, ... */
	DESCRIPTOR_TERMINAL = 6,
	DESCRIPTOR_DEVICE = 7, /* other character and block devices */
	DESCRIPTOR_MEMORY = 8, /* memfd, /dev/shm without a name */
	DESCRIPTOR_CLOSED = 9, /* no such descriptor at the time of the call */
	DESCRIPTOR_KIND_COUNT = 10,
};

struct system_call_event {
	struct event_header header;
	__u64 arguments[6];
	__u64 goid;
	__u64 ip;	  /* user instruction pointer */
	__u64 map_pc;	  /* link-time address inside the innermost map function, 0: none */
	__u64 window_map; /* header address of the open window's map */
	__u32 number;
	__u32 witnesses; /* enum witness_flag */
	__u16 operation; /* enum map_operation of the open window */
	__u8 call_class; /* enum call_class, refined */
	__u8 descriptor_kind;
	__u8 wants_result; /* a result event follows, unless the call never returns */
	__u8 place;	   /* enum call_place */
	__u8 reserved[2];
};
CONTRACT_ASSERT(sizeof(struct system_call_event) == 120);

/* The same with what a report of a violation needs. */
struct system_call_detail_event {
	struct system_call_event call;
	__u64 stack[EVENT_STACK_FRAMES]; /* as in the process, innermost first, zero-terminated */
	char path[EVENT_PATH_BYTES];	 /* of the path argument, else of the descriptor */
	__u8 path_is_argument;
	__u8 path_missing; /* its page was not present: the result event brings it */
	__u8 reserved[6];
};
CONTRACT_ASSERT(sizeof(struct system_call_detail_event) == 120 + 512 + 256 + 8);

struct system_call_result_event {
	struct event_header header;
	__u64 call_time_ns; /* of the call's own event */
	__s64 result;	    /* negative: -errno */
	__u32 number;
	__u32 has_path;
	char path[EVENT_PATH_BYTES]; /* read again, where it was missing at entry */
};
CONTRACT_ASSERT(sizeof(struct system_call_result_event) == 48 + 256);

struct io_uring_submit_event {
	struct event_header header;
	__u64 user_data;
	__u64 goid;
	__u64 ip;
	__u64 map_pc;
	__s32 fd;
	__u32 request_flags; /* bit 0: fd is an index of registered files */
	__u32 witnesses;     /* enum witness_flag */
	__u16 operation;
	__u8 opcode;
	__u8 is_polled; /* submitted by the kernel's polling thread */
};
CONTRACT_ASSERT(sizeof(struct io_uring_submit_event) == 72);

/*
 * A stack, once for all events that have it. Interned: the id is a hash of the target and of
 * all its addresses, and it is sent again when the kernel side had to forget it.
 */
struct stack_event {
	struct event_header header;
	__u64 id;
	__u64 goid;			  /* of the first that had it */
	__u64 frames[EVENT_STACK_FRAMES]; /* as in the process, innermost first, zero-terminated:
					   * the probed instruction, then return addresses */
};
CONTRACT_ASSERT(sizeof(struct stack_event) == 40 + 512);

enum map_misuse {
	MAP_MISUSE_NONE = 0,
	MAP_MISUSE_CONCURRENT = 1, /* the runtime found two goroutines on one map, and ends the process */
	MAP_MISUSE_NIL_MAP = 2,	   /* a panic, which the program may recover from */
};

/*
 * What could be the header of the map: a register or a word of the stack points to what looks
 * like one. Those that are being written come first; user space decides.
 */
struct misuse_map {
	__u64 address;
	__u64 header[EVENT_MAP_HEADER_WORDS];
};

/*
 * The runtime is about to report a misuse. All that may tell which map it was is here, since
 * the process ends in a moment.
 */
struct map_misuse_event {
	struct event_header header;
	__u64 goid;
	__u64 g;     /* address of the goroutine's descriptor */
	__u64 stack; /* as in map_operation_event */
	__u64 sp;
	__u64 stack_hi;			   /* 0: not known */
	char message[EVENT_MESSAGE_BYTES]; /* "concurrent map writes"; terminated */
	struct misuse_map maps[EVENT_MISUSE_MAPS];
	__u64 words[EVENT_MISUSE_WORDS]; /* of the stack, from sp up */
	__u32 word_count;
	__u16 misuse; /* enum map_misuse */
	__u16 map_count;
};
CONTRACT_ASSERT(sizeof(struct map_misuse_event) == 64 + 64 + 4 * 56 + 1024 + 8);

/* Per kind of event; both ends are counted. */
struct event_stats {
	__u64 sent;
	__u64 lost_ring_full;
};
