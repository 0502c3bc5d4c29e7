#!/usr/bin/env python3
"""Writes the files of samples/ that rules are replayed on: make_samples.py tests/unit/judge/rules/samples

One file for each kind of rule, in which it begins to speak and ends; and hours in which none may: of a program that
does next to nothing, and of a Prometheus server that scrapes a hundred targets. All numbers come from a generator with
a fixed start, so that the files are the same each time. What is found in them stands beside them (*.expected.jsonl).
"""
import json
import pathlib
import random
import sys

MIB = 1 << 20
GIB = 1 << 30
SECOND = 1_000_000_000
BEGIN = 1000  # seconds since boot
MINUTE = 60


class Recording:
    """The lines of one file, all of one process."""

    def __init__(self, exe, pid=4711):
        self.key = {"pid": pid, "start_time_ns": 900 * SECOND}
        self.lines = []
        self.add("process_appeared", BEGIN, process={
            "key": self.key, "exe": exe, "command_line": exe, "uid": 997, "user": "service",
            "cgroup": {"path": "/system.slice/" + exe.split("/")[-1] + ".service",
                       "unit": exe.split("/")[-1] + ".service"}})

    def add(self, kind, second, **fields):
        line = {"schema": "mapscope.samples/1", "input": kind, "time_ns": int(second * SECOND)}
        if kind != "process_appeared":
            line["process"] = self.key
        line.update({name: value for name, value in fields.items() if value not in (None, "", 0, False)})
        self.lines.append(line)

    def census(self, second, maps=(), **fields):
        known = [one for one in maps if one]
        fields.setdefault("map_count", 40 + len(known))
        fields.setdefault("map_bytes", sum(one["bytes"] for one in known))
        fields.setdefault("map_entries", sum(one["len"] for one in known))
        fields.setdefault("map_reclaimable_bytes", sum(one.get("reclaimable_bytes") or 0 for one in known))
        self.add("census", second, maps=sorted(known, key=lambda one: -one["bytes"]), **fields)

    def end(self, second):
        self.add("process_ended", second)

    def write(self, path):
        path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in self.lines))


def a_map(owner, size, entries, slots, type_="map[string]main.Session", line=12, address=0xc000010000, seed=1, **more):
    return {"address": hex(address), "seed": seed, "type": type_, "owner": owner,
            "site": {"function": "main.(*Server).fill", "file": "/src/server/cache.go", "line": line},
            "len": int(entries), "slots": int(slots), "bytes": int(size),
            **{name: value for name, value in more.items() if value is not None}}


def minutes(count, first=0):
    return ((i, BEGIN + MINUTE * (first + i)) for i in range(count))


def map_waste():
    run = Recording("/usr/bin/sessions")
    for i, at in minutes(12):
        run.census(at, [a_map("main.sessions", 512 * MIB, 2_900_000, 8 * MIB, reclaimable_bytes=(20 if i < 3 else 300) * MIB,
                              cause="mostly_empty" if i >= 3 else None,
                              explanation="It has room for 7,340,032 entries and holds 2,900,000; nothing tells whether "
                                          "it was made too large, or held more before",
                              advice="after emptying it, rebuild main.sessions: m2 := make(map[string]main.Session, "
                                     "2900000); maps.Copy(m2, m); m = m2 frees 300 MiB")])
    for _, at in minutes(4, 12):
        run.census(at, [a_map("main.sessions", 212 * MIB, 2_900_000, 4 * MIB, address=0xc000900000, seed=7,
                              reclaimable_bytes=2 * MIB)])
    return run


def map_fill():
    run = Recording("/usr/bin/router")
    for i, at in minutes(14):
        run.census(at, [a_map("main.routes", 256 * MIB, (0.05 if i < 8 else 0.4) * 4 * MIB, 4 * MIB, type_="")])
    return run


def map_entries():
    run = Recording("/usr/bin/dedup")
    for i, at in minutes(14):
        run.census(at, [a_map("main.seen", 3 * GIB, (49, 60, 44)[min(i // 4, 2)] * 1_000_000, 96 * MIB,
                              type_="map[uint64]struct {}", reclaimable_bytes=0)])
    return run


def map_bytes():
    run = Recording("/usr/bin/cache")
    for i, at in minutes(10):
        run.census(at, [a_map("main.cache.byKey", 5 * GIB, 30_000_000, 40 * MIB, reclaimable_bytes=100 * MIB)]
                   if i < 6 else [])
    return run


def map_growth():
    run = Recording("/usr/bin/tracker")
    for i, at in minutes(45):
        grown = min(i, 20)
        run.census(at, [a_map("main.requests", (100 + 20 * grown) * MIB, 1_000_000 + 200_000 * grown,
                              (2 + grown) * 1_000_000)])
    return run


def map_emptied():
    run = Recording("/usr/bin/batch")
    for i, at in minutes(14):
        run.census(at, [a_map("main.jobs", 80 * MIB, 1_500 if 4 <= i < 10 else 1_000_000, 2 * MIB,
                              type_="map[string]T (of 4)")])
    return run


def rates(run, at, growths=0, creations=0):
    site = {"function": "main.parse", "file": "/src/parse.go", "line": 77}
    run.add("rates", at, watched_ns=SECOND // 20, hits=500, sites=[
        {"site": site, "type": "map[string]string", "growths": growths // 1200, "creations": creations // 20,
         "growths_per_minute": growths, "creations_per_second": creations, "relative_error": 0.05, "slots_max": 1024}])


def map_rehash_storm():
    run = Recording("/usr/bin/parser")
    for i, at in minutes(14):
        rates(run, at, growths=900_000 if 3 <= i < 9 else 30_000)
    return run


def map_churn():
    run = Recording("/usr/bin/parser")
    for i, at in minutes(14):
        rates(run, at, creations=250_000 if 3 <= i < 9 else 2_000)
    return run


def map_share():
    run = Recording("/usr/bin/index")
    for i, at in minutes(14):
        share = 0.95 if 3 <= i < 9 else 0.4
        run.census(at, [a_map("main.index", 24 * MIB, 500_000, 524_288)], map_bytes=int(2 * GIB * share),
                   map_count=200_000, heap={"live_bytes": 2 * GIB})
    return run


def heap_growth():
    run = Recording("/usr/bin/ingest")
    for i, at in minutes(45):
        grown = min(i, 20) * 100_000_000
        run.census(at, [], map_bytes=GIB // 2, heap={"live_bytes": GIB + grown},
                   allocated_bytes=10 * GIB + 40 * i * MIB + 5 * grown,
                   allocated_by_maps_bytes=GIB + 8 * i * MIB + 3 * grown)
    return run


def allocs_minus_frees():
    run = Recording("/usr/bin/graph")
    for i in range(20):
        live = 60_000_000 + 500_000 * i if i < 16 else 20_000_000
        run.census(BEGIN + 300 * i, [], heap={"live_bytes": 4 * GIB, "objects_allocated": 900_000_000 + live,
                                              "objects_freed": 900_000_000})
    return run


def memory_limit():
    run = Recording("/usr/bin/sessions")
    for i, at in minutes(12):
        used = 970 if 3 <= i < 8 else 600
        run.census(at, [a_map("main.sessions", 400 * MIB, 3_000_000, 4 * MIB, reclaimable_bytes=30 * MIB)],
                   limits={"resident_bytes": used * MIB, "cgroup_bytes": used * MIB, "cgroup_limit_bytes": GIB})
    return run


def map_misuse():
    run = Recording("/usr/bin/racy")
    run.add("misuse", BEGIN + 100, message="concurrent map writes", fatal=True, type="map[string]int",
            site={"function": "main.(*Counter).Add", "file": "/src/counter.go", "line": 31}, goroutine=42,
            others=["Goroutine 17 was in main.(*Counter).Add (counter.go:31) as well."])
    run.end(BEGIN + 101)
    another = Recording("/usr/bin/another", pid=4712)
    another.end(BEGIN + 101 + 10 * MINUTE)  # time passes
    run.lines += another.lines[1:]
    return run


def file_io():
    run = Recording("/usr/bin/tracing")
    for i, verdict in enumerate(["clean", "violated", "inconclusive", "clean"]):
        violations = [{"call": "write", "path": "/var/log/gc.log", "operation": "growth", "count": 39,
                       "site": {"function": "main.fill", "file": "/src/main.go", "line": 12},
                       "cause": "GODEBUG=gctrace=1 makes the runtime write there at each collection."}]
        run.add("verification", BEGIN + 3600 * i, verdict=verdict, operations=1200, duration_ns=10 * SECOND,
                violations=violations if verdict == "violated" else None)
    return run


class KernelRecording(Recording):
    """Looks at the kernel's own maps: they are of no process."""

    def __init__(self):
        self.key, self.lines = {}, []
        self.add("process_appeared", BEGIN, process={})

    def look(self, second, *maps):
        self.add("bpf_maps", second, look={"time_ns": int(second * SECOND), "maps": list(maps)})
        del self.lines[-1]["process"]


def kernel_map(name, number, type_, max_entries, entries=None, method="counted", rates=None, time_to_full=None, keys=None,
               key_file=None, used_bytes=None, error=None, **facts):
    used = entries if used_bytes is None else used_bytes
    fill = {"method": method, "entries": entries, "used_bytes": used_bytes, "error": error,
            "fill": None if used is None or not max_entries else used / max_entries}
    optional = {"rates": rates, "time_to_full": time_to_full, "keys": keys, "key_file": key_file}
    return {"facts": {"id": number, "name": name, "type": type_, "max_entries": max_entries, "key_bytes": 16, "value_bytes": 48,
                      "memory_method": "accounted", **facts},
            "fill": {name: value for name, value in fill.items() if value is not None},
            **{name: value for name, value in optional.items() if value is not None}}


# Full as they are meant to be, too small to count, frozen, or of nobody's knowledge.
HARMLESS = (
    kernel_map("lru_cache", 7, "lru_hash", 65536, 65536, memory_bytes=9 * MIB),
    kernel_map("interfaces", 8, "hash", 4, 4, memory_bytes=4096),
    kernel_map("settings", 9, "hash", 64, 64, frozen=True, memory_bytes=8192),
    kernel_map("bloom", 10, "bloom_filter", 4096, method="unknown", memory_bytes=8192),
    kernel_map("config", 11, "array", 16, method="unknown", memory_bytes=4096),
)


def bpf_fill():
    """Fills within some 12 minutes, is full, and is emptied."""
    run = KernelRecording()
    for i, at in minutes(24):
        entries = min(2000 + 600 * i, 9600) if i < 18 else 1000
        to_full = {"note": "too few looks yet"}
        if i >= 4 and entries < 9600:
            seconds = (10000 - entries) / 600 * 60
            to_full = {"seconds": seconds, "lower": 0.9 * seconds, "upper": 1.2 * seconds, "entries_per_second": 10}
        run.look(at, kernel_map("flow_table", 412, "hash", 10000, entries, owner="flowd.service", memory_bytes=2 * MIB,
                                time_to_full=to_full), *HARMLESS)
    return run


def bpf_lookups():
    run = KernelRecording()
    for i, at in minutes(14):
        busy = 3 <= i < 9
        rates = {"window_ns": SECOND // 5, "system_lookups": {"exact": 12_000 if busy else 40},
                 "program_lookups": {"estimate": 45_000 if busy else 300, "lower": 30_000 if busy else 200, "upper": 60_000 if busy else 400}}
        keys = {"of": "lookups through bpf(2)", "sampled": 1000, "distinct": 120, "entropy_bits": 2.4,
                "top": [{"key": "{.port = 443}", "count": 810}, {"key": "{.port = 80}", "count": 20}],
                "prefixes": [{"key": "01 bb", "count": 810}]}
        run.look(at, kernel_map("services", 77, "hash", 4096, 900, owner="cilium.service", rates=rates, memory_bytes=MIB,
                                keys=keys if busy else None), *HARMLESS)
    return run


def bpf_unbounded():
    """Made without preallocation for as many entries as a number can count."""
    run = KernelRecording()
    for i, at in minutes(10):
        run.look(at, *HARMLESS, *([kernel_map("sessions", 90, "hash", 4_000_000_000, 12_000, flags=1, owner="trace-agent",
                                              memory_bytes=3 * MIB)] if 2 <= i < 8 else []))
    return run


def bpf_insert_failures():
    run = KernelRecording()
    for i, at in minutes(14):
        failed = {"E2BIG": 7, "EEXIST": 100} if 3 <= i < 9 else {"EEXIST": 100}
        run.look(at, kernel_map("nat", 55, "hash", 1024, 900, owner="natd.service", memory_bytes=MIB,
                                rates={"window_ns": SECOND // 5, "insert_failures": failed, "sees_program_failures": True}), *HARMLESS)
    return run


def bpf_quiet():
    """An hour of an ordinary host: systemd's, a packet switch's and our own maps."""
    chance = random.Random(11)
    run = KernelRecording()
    for i, at in minutes(60):
        run.look(at, *HARMLESS,
                 kernel_map("sd_fw_ingress", 20, "lpm_trie", 12, 12, flags=1, owner="systemd", memory_bytes=4096),
                 kernel_map("cilium_ct4_global", 21, "lru_hash", 131072, 131072 - chance.randrange(2000), owner="cilium-agent",
                            memory_bytes=20 * MIB),
                 kernel_map("cilium_ipcache", 22, "lpm_trie", 512000, 4000 + chance.randrange(300), flags=1, memory_bytes=MIB),
                 kernel_map("cilium_events", 23, "perf_event_array", 8, method="unknown", memory_bytes=4096),
                 kernel_map("events", 24, "ringbuf", 4 * MIB, used_bytes=chance.randrange(MIB), memory_bytes=4 * MIB),
                 kernel_map("guess", 25, "hash", 1000, 890, method="sampled", error=50, memory_bytes=MIB),
                 kernel_map("task_state", 26, "task_storage", 0, method="unknown", memory_bytes=64 * 1024),
                 kernel_map("records", 27, "ringbuf", MIB, used_bytes=MIB, own=True, memory_bytes=MIB))
    return run


def quiet():
    """A process that sleeps: most samples say that nothing changed."""
    run = Recording("/usr/bin/quiet")
    for i, at in minutes(60):
        run.census(at, [], map_count=0 if i % 10 else 12, map_bytes=0 if i % 10 else 9000, unchanged=i % 10 != 0,
                   heap=None if i % 10 else {"live_bytes": 300_000, "allocated_bytes": 350_000, "gc_cycles": 30,
                                             "objects_allocated": 20_000 + i, "objects_freed": 18_000})
    return run


def prometheus():
    """Scrapes a hundred targets: series come and go, collections come every ten seconds."""
    chance = random.Random(7)
    run = Recording("/usr/bin/prometheus")
    live, allocated, allocated_by_maps, made, freed = 240 * MIB, 20 * GIB, GIB, 400_000_000, 396_000_000
    series = 180_000
    for i, at in minutes(60):
        at += chance.uniform(0, 0.4)
        # Targets are deployed anew every twenty minutes; their old series go with the next compaction of the head.
        series += chance.randrange(0, 60) + (9_000 if i % 20 == 10 else 0) - (9_000 if i % 20 == 19 else 0)
        live = int(250 * MIB + series * 120 + chance.uniform(0, 25 * MIB))
        allocated += int(chance.uniform(0.9, 1.4) * GIB)
        allocated_by_maps += int(chance.uniform(30, 60) * MIB)
        made += chance.randrange(8_000_000, 14_000_000)
        freed = made - chance.randrange(3_200_000, 5_500_000)
        maps = [
            a_map("github.com/prometheus/prometheus/tsdb.Head.postings.m", 34 * MIB, series / 2, 458_752, line=90,
                  type_="map[string]map[string][]storage.SeriesRef", reclaimable_bytes=4 * MIB),
            a_map("github.com/prometheus/prometheus/scrape.scrapeCache.series", 20 * MIB, series * 0.9, 262_144, line=812,
                  type_="map[string]*scrape.cacheEntry", address=0xc000400000, seed=3,
                  reclaimable_bytes=int(chance.uniform(2, 6) * MIB)),
            a_map("github.com/prometheus/prometheus/scrape.scrapeCache.seriesPrev", 18 * MIB, series * 0.9 - 50, 262_144,
                  line=815, type_="map[uint64]labels.Labels", address=0xc000800000 + (i % 2) * 4096, seed=10 + i % 2)]
        run.census(at, maps, map_count=5200 + i % 7, map_bytes=110 * MIB + series * 12, map_reclaimable_bytes=14 * MIB,
                   heap={"live_bytes": live, "allocated_bytes": live + int(chance.uniform(0, 1) * live), "gc_cycles": 400 + 6 * i,
                         "goal_bytes": 2 * live, "objects_allocated": made, "objects_freed": freed},
                   allocated_bytes=allocated, allocated_by_maps_bytes=allocated_by_maps,
                   limits={"resident_bytes": 620 * MIB, "cgroup_bytes": 700 * MIB, "cgroup_limit_bytes": 2 * GIB})
        if i % 5 == 2:
            rates(run, at + 20, growths=int(chance.uniform(5_000, 30_000)), creations=int(chance.uniform(200, 1500)))
        if i in (1, 59):
            run.add("verification", at + 30, verdict="clean", operations=900, duration_ns=10 * SECOND)
    return run


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for make in (map_waste, map_fill, map_entries, map_bytes, map_growth, map_emptied, map_rehash_storm, map_churn,
                 map_share, heap_growth, allocs_minus_frees, memory_limit, map_misuse, file_io, bpf_fill, bpf_lookups, bpf_unbounded,
                 bpf_insert_failures, bpf_quiet, quiet, prometheus):
        make().write(directory / (make.__name__.replace("_", "-") + ".jsonl"))


main()
