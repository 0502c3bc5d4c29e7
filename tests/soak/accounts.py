"""Counters that have to add up: what the kernel side sent, what a recording holds of it, and what the program says happened."""
import collections
import ctypes
import ctypes.util
import struct

import harness

# Indexed by event_kind, as bpf/contract/events.h numbers them and reports name them.
KINDS = ("none", "process_exec", "process_exit", "process_fork", "image_entry", "map_operation", "heap_request", "system_call",
         "system_call_detail", "system_call_result", "io_uring_submit", "stack", "map_misuse")
RECORD, CODED_RECORD = 4, 11  # items of a recording, docs/recordings.md
FILE_HEADER_BYTES, CHUNK_HEADER_BYTES = 20, 28


def zstd():
    library = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
    library.ZSTD_decompress.restype = ctypes.c_size_t
    library.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t]
    return library


def unsigned(data, position):
    """LEB128, and where it ends."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def records_in(path):
    """How many records of each kind a recording holds: what user space was handed."""
    data = path.read_bytes()
    library, position, counts = zstd(), FILE_HEADER_BYTES, collections.Counter()
    while position < len(data):
        mark, _, stored, plain, item_bytes, _, _ = struct.unpack_from("<4s6I", data, position)
        if mark != b"CHNK":
            raise AssertionError(f"No chunk at byte {position}.")
        position += CHUNK_HEADER_BYTES
        output = ctypes.create_string_buffer(plain)
        if library.ZSTD_decompress(output, plain, data[position:position + stored], stored) != plain:
            raise AssertionError(f"The chunk at byte {position} does not unpack.")
        position += stored
        count_items(output.raw[:item_bytes], counts)
    return counts


def count_items(items, counts):
    at = 0
    while at < len(items):
        kind, (size, body) = items[at], unsigned(items, at + 1)
        if kind == RECORD:
            counts[KINDS[struct.unpack_from("<H", items, body + 16)[0]]] += 1
        elif kind == CODED_RECORD:
            counts[KINDS[items[body] & 0xF]] += 1
        at = body + size


def unequal_record_counts(recording, end):
    """Of a recording and the last line of its replay: kinds of which not every record that was sent was handled. Empty: all add up."""
    handled, sent = records_in(recording), {kind: row["sent"] for kind, row in end["events"]["by_kind"].items()}
    return {kind: {"sent": sent.get(kind, 0), "handled": handled[kind]} for kind in set(sent) | set(handled) if sent.get(kind, 0) != handled[kind]}


def problems_of_end(end):
    """Of the last line of a trace: sums that are none."""
    events = end["events"]
    sent = sum(row["sent"] for row in events["by_kind"].values())
    lost = sum(row["lost"] for row in events["by_kind"].values())
    if events["sent"] != sent:
        yield f"{events['sent']} events were sent, and {sent} by kind"
    if events["lost"]["ring_full"] != lost:
        yield f"{events['lost']['ring_full']} events found the ring full, and {lost} by kind"


def problem_of_operations(end, truth):
    """Of a trace from before a program began to after its end: sent and lost is what happened."""
    operations = end["events"]["by_kind"].get("map_operation", {"sent": 0, "lost": 0})
    happened = sum(truth[key] for key in harness.COUNTED)
    if operations["sent"] + operations["lost"] != happened:
        return f"{happened} map operations happened, {operations['sent']} were sent and {operations['lost']} lost"
    return None
