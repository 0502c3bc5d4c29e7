"""`trace --exact` tells of each workload what it really does: the same with every run, and what was read
beside the source when it was kept.

    tests/e2e/test_golden.py              # compare
    tests/e2e/test_golden.py --update     # keep what is told now, of all Go versions; then read it

Needs MAPSCOPE. Also what has to be true of any trace: its events follow from each other.
"""
import sys

import golden
import harness

# Small enough to read, and the same with every run: a swiss map of several tables splits them as its
# random seed has it, and so do the overflow buckets of classic ones.
PROGRAMS = {
    "bigelems": ["-n", "100"], "clear": ["-n", "100", "-rounds", "2"], "clone": ["-k", "1"], "create": ["-rounds", "1"],
    "deletes": ["-n", "12", "-window", "5"], "growth": ["-n", "1000"], "nilwrite": ["-k", "2"], "pointers": ["-n", "100"],
    "promlabels": ["-n", "12"], "quiet": ["-rounds", "1"], "rangedelete": ["-n", "20", "-rounds", "2"], "stack": ["-rounds", "1", "-depth", "5"],
    "storm": ["-rounds", "2"], "strings": ["-n", "1000"], "syncmap": ["-n", "40"], "ttlcache": ["-n", "100", "-rounds", "1"],
    "ttlcache-shrink": ["-shrink", "-n", "100", "-rounds", "2"], "watchercache": ["-n", "10"], "zerocap": ["-k", "2"],
}
GROWTHS = ("map_grown", "map_split", "map_rehashed")
OPERATIONS = ("map_created", "map_cloned", *GROWTHS, "map_cleared")  # a clone is told of its original


def trace(name, version):
    program = harness.workload(name.partition("-")[0], version)
    return harness.trace([program, *PROGRAMS[name]], "--exact")


class GoldenTest(harness.EndToEndTest):
    def for_each(self, check):
        for version in harness.go_versions():
            for name in PROGRAMS:
                with self.subTest(go=version, program=name):
                    check(name, version)

    def check_golden(self, name, version):
        run = trace(name, version)
        self.assertEqual(run.exit_code, harness.FOUND if name == "nilwrite" else harness.CLEAN, run.messages)
        self.assertEqual(run.lost, {})
        self.assertEqual(golden.normalised(run.events), golden.expected(name, version))

    def test_what_is_told_of_each_workload_is_what_it_does(self):
        self.for_each(self.check_golden)

    def check_order(self, name, version):
        goroutines, maps = {}, {}
        for event in trace(name, version).events:
            goroutines.setdefault(event["goroutine"], []).append(event)
            if event["event"] in OPERATIONS and event["map"] is not None:
                maps.setdefault(event["map_number"], []).append(event)
        for events in goroutines.values():
            self.check_goroutine(events)
        for events in maps.values():
            self.check_map(events)

    def check_goroutine(self, events):
        """Its times do not go back, and a call inside a growth lies behind that growth and before what follows."""
        operation, call_end_ns = None, 0
        for event in events:
            if operation:
                self.assertGreaterEqual(event["time_ns"], operation["time_ns"])
            if event["event"] in OPERATIONS:
                self.assertGreaterEqual(event["time_ns"], call_end_ns)
                operation = event
            elif event.get("inside") and event["operation"] == "growth":
                self.assertIn(operation["event"], GROWTHS)
                self.assertEqual(event["site"], operation["site"])
                call_end_ns = event["time_ns"] + (event["duration_ns"] or 0)

    def check_map(self, events):
        """It is created once and first, if that was seen; and each growth begins with the slots that the last one left."""
        for event in events:
            self.assertEqual(event["event"] == "map_created", event["creation_seen"] and event is events[0])
            self.assertEqual(event["first_sight"], not event["creation_seen"] and event is events[0])
            self.assertEqual(event["creation_seen"], events[0]["creation_seen"])
        slots = None
        for event in events:
            before, after = event["slots_before"], event["slots"]
            if slots is not None and before is not None:  # a classic map gets its first bucket with a write
                self.assertIn(before, {slots, slots or 8}, event)
            if event["event"] in ("map_grown", "map_split") and before is not None and after is not None:
                self.assertGreater(after, before)
            if event["len"] is not None and before is not None:
                self.assertLessEqual(event["len"], max(before, 8), event)
            slots = after

    def test_events_follow_from_each_other(self):
        self.for_each(self.check_order)


def update():
    texts = {name: {version: golden.normalised(trace(name, version).events) for version in harness.go_versions()} for name in PROGRAMS}
    for name, of_version in texts.items():
        golden.update(name, of_version)


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        update()
    else:
        harness.main()
