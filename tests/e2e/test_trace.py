"""`trace` on this kernel: what it counts is what the programs say happened, what it leaves out is what
was not asked for, and what it watches is not disturbed.
"""
import collections
import contextlib
import fnmatch
import json
import math
import subprocess
import unittest

import harness

KIND_OF = {"created": ("map_created", "map_cloned"), "grown": ("map_grown",), "split": ("map_split",), "cleared": ("map_cleared",)}
SWISS_KEYS = {"created": ("created", "cloned"), "grown": ("grown",), "split": ("split",), "cleared": ("cleared",)}
CLASSIC_KEYS = SWISS_KEYS | {"grown": ("grown", "rehashed")}  # rehashed: grown to the same size
COUNTED_PROGRAMS = [["create", "-large", "0"], ["stack"], ["growth", "-n", "20000"], ["strings", "-n", "20000"], ["pointers", "-n", "5000"],
                    ["bigelems", "-n", "2000"], ["clear"], ["clone"], ["storm"], ["zerocap"], ["promlabels", "-n", "2000"],
                    ["rangedelete"], ["ttlcache", "-n", "2000"], ["watchercache", "-n", "2000"]]
TRIES = 3 * min(harness.PATIENCE, 5)  # where few instructions take long, goroutines are seldom both in the middle of an access


def line_of(event):
    return event["site"] and (event["site"]["function"], event["site"]["line"])


def shape(event):
    """What an event says but for addresses, times and numbers that differ from run to run."""
    keys = ("event", "type", "operation", "hint", "len", "slots_before", "slots", "bytes")
    return tuple(event.get(key) for key in keys) + (line_of(event),)


def asks_for(event):
    """Bytes. What has none passes, and so does a call whose length is not known."""
    if event["event"] == "memory_call" and event["bytes"] is None:
        return math.inf
    return event.get("bytes", math.inf) or 0


class CountTest(harness.EndToEndTest):
    def summary(self, command):
        with harness.scratch() as directory:
            done = harness.run_mapscope("trace", "--all", "--summary", "--json", "-o", directory / "summary", "--", *command)
            self.assertEqual(done.returncode, harness.CLEAN, done.stderr)
            return json.loads((directory / "summary").read_text()), harness.truth_in(done.stdout.decode())

    def test_summary_is_what_the_program_counted(self):
        for version in harness.go_versions():
            for name, *arguments in harness.few(COUNTED_PROGRAMS):
                with self.subTest(go=version, program=name):
                    command = [harness.workload(name, version), *arguments]
                    (summary, truth), (idle, _) = self.summary(command), self.summary([*command, "-idle"])
                    keys_of = SWISS_KEYS if harness.version_key(version) >= [1, 24] else CLASSIC_KEYS
                    counted = {key: sum(summary["totals"][one] - idle["totals"][one] for one in keys) for key, keys in keys_of.items()}
                    self.assertEqual(counted, {key: truth[key] for key in harness.COUNTED})

    def test_summary_names_the_line_to_fix_and_the_hint_to_give(self):
        for version in harness.go_versions():
            with self.subTest(go=version):
                summary, truth = self.summary([harness.workload("storm", version)])
                hinted = {line_of(row): row for row in summary["sites"] if row["hint"]}
                for site in truth["sites"]:
                    row = hinted.pop((site["function"], site["make_line"]), None) or hinted.pop((site["function"], site["write_line"]), None)
                    if site["grown"] == 0:
                        self.assertIsNone(row, "the hint of this site is right")
                        continue
                    self.assertIsNotNone(row, (site, summary["sites"]))
                    self.assertEqual(row["type"], site["type"])
                    self.assertEqual(row["hint"]["maps"], site["created"])
                    # Right is what a map needs that holds so many; and no more than the next size up.
                    self.assertLessEqual(site["entries"], row["hint"]["slots"])
                    self.assertLessEqual(row["hint"]["hint"], 2 * site["entries"])
                self.assertEqual([line for line in hinted if line[0].startswith("main.")], [])

    def test_counts_by_line_are_those_of_the_program(self):
        for version in harness.go_versions():
            with self.subTest(go=version):
                run = harness.trace([harness.workload("storm", version)], "--all")
                self.assertEqual((run.exit_code, run.lost), (harness.CLEAN, {}), run.messages)
                seen = collections.Counter((event["event"], line_of(event)) for event in run.events)
                for site in run.truth["sites"]:
                    lines = {"created": site["make_line"], "grown": site["write_line"], "split": site["write_line"]}
                    for key, line in lines.items():
                        self.assertEqual(sum(seen[kind, (site["function"], line)] for kind in KIND_OF[key]), site[key], (key, site))
                    types = {event["type"] for event in run.events if line_of(event) == (site["function"], site["write_line"])
                             and event["event"] in KIND_OF["grown"]}
                    self.assertEqual(types, {site["type"]} if site["grown"] else set())

    def test_by_default_only_small_maps_are_left_out(self):
        for version in harness.go_versions():
            with self.subTest(go=version):
                run = harness.trace([harness.workload("storm", version)])
                everything = harness.trace([harness.workload("storm", version)], "--all")
                main = lambda trace: [shape(event) for event in trace.of("map_created", "map_grown", "map_split")
                                      if event["site"] and event["site"]["function"].startswith("main.")]
                rare = [one for one in main(everything) if one[0] != "map_created" or one[3] is not None]
                # The first growth of a swiss map, to its first table, is not probed.
                swiss = harness.version_key(version) >= [1, 24]
                rare = [one for one in rare if not (swiss and one[0] == "map_grown" and one[4] == 8)]
                self.assertEqual(main(run), rare)


class FilterTest(harness.EndToEndTest):
    """The kernel side and user space choose the same events."""

    FILTERS = {
        ("--only", "grown"): lambda event: event["event"] == "map_grown",
        ("--only", "created,split"): lambda event: event["event"] in ("map_created", "map_split"),
        ("--only", "mmap"): lambda event: event.get("system_call") == "mmap",
        ("--only", "memory"): lambda event: event["event"] == "memory_call",
        ("--min-bytes", "16KiB"): lambda event: asks_for(event) >= 16384,
        ("--type", "map[uint64]*"): lambda event: fnmatch.fnmatchcase((event.get("type") or "").replace("[", "("), "map(uint64]*"),
        ("--site", "main.groupOrders"): lambda event: event["site"] and "main.groupOrders" in event["site"]["function"],
        ("--only", "grown", "--type", "map[string]int"): lambda event: event["event"] == "map_grown" and event["type"] == "map[string]int",
    }

    def recorded(self, version, directory):
        program = [harness.workload("storm", version), "-rounds", "3"]
        return harness.trace(program, "--all", "--record", directory / "recording")

    def test_replay_with_a_filter_is_the_whole_filtered(self):
        for version in harness.go_versions():
            with harness.scratch() as directory:
                whole = self.recorded(version, directory)
                for options, passes in self.FILTERS.items():
                    with self.subTest(go=version, options=options):
                        done = harness.run_mapscope("replay", directory / "recording", "--json", *options)
                        self.assertEqual(done.returncode, harness.CLEAN, done.stderr)
                        events, end = harness.parse_trace(done.stdout.decode())
                        self.assertEqual(events, [event for event in whole.events if passes(event)])
                        self.assertEqual(end, whole.end)

    def of_main(self, events):
        return [shape(event) for event in events if event["site"] and event["site"]["function"].startswith("main.")
                and event["event"].startswith("map_")]

    def test_live_with_a_filter_tells_what_the_whole_tells(self):
        for version in harness.go_versions():
            program = [harness.workload("storm", version), "-rounds", "3"]
            whole = harness.trace(program, "--all")
            for options, passes in self.FILTERS.items():
                with self.subTest(go=version, options=options):
                    run = harness.trace(program, "--all", *options)
                    self.assertEqual(run.exit_code, harness.CLEAN, run.messages)
                    self.assertTrue(all(map(passes, run.events)))
                    self.assertEqual(self.of_main(run.events), self.of_main(filter(passes, whole.events)))

    def test_one_map_of_a_running_program(self):
        for version in harness.go_versions():
            with self.subTest(go=version):
                program = [harness.workload("strings", version), "-n", "1000"]
                whole = [shape(event) for event in harness.trace(program, "--all", "--only", "grown,split").events if "main." in str(line_of(event))]
                with harness.started([*program, "-meet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as target:
                    address = target.stdout.readline().removeprefix("map ").strip()
                    with harness.tracing("-p", target.pid, "--all", "--map", address) as (tracer, path), \
                            harness.tracing("-p", target.pid, "--all", "--map", hex(int(address, 16) + 4096)) as (other, other_path):
                        target.communicate("\n", timeout=harness.TIMEOUT_SECONDS)
                        self.assertEqual([tracer.wait(harness.TIMEOUT_SECONDS), other.wait(harness.TIMEOUT_SECONDS)], [harness.CLEAN] * 2)
                        events, _ = harness.parse_trace(path.read_text())
                        nothing, end = harness.parse_trace(other_path.read_text())
                self.assertEqual([shape(event) for event in events], whole)
                self.assertEqual({event["map"] for event in events}, {address})
                self.assertEqual([event["first_sight"] for event in events], [True] + [False] * (len(whole) - 1))
                self.assertEqual({event["creation_seen"] for event in events}, {False})
                self.assertEqual(([event for event in nothing if "map" in event], end["event"]), ([], "end"))


class MisuseTest(harness.EndToEndTest):
    def bare(self, command):
        return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=harness.TIMEOUT_SECONDS)

    def assert_undisturbed(self, run, command):
        bare = self.bare(command)
        self.assertEqual(run.exit_code, harness.FOUND, run.messages)
        self.assertEqual(run.end["command"], {"exit_status": bare.returncode, "signal": None})
        first = bare.stderr.splitlines()[0].replace("fatal error: fatal error", "fatal error")
        self.assertIn(first, run.messages)

    def check_concurrent(self, command):
        """What is told is right; and whether both sites are told."""
        run = harness.trace(command)
        self.assert_undisturbed(run, command)
        truth = run.truth
        lines = {(truth["function"], truth["line"]), (truth["other_function"], truth["other_line"])}
        reports = run.of("map_misuse")
        self.assertTrue(reports)
        for report in reports:
            self.assertTrue(report["fatal"])
            self.assertEqual(report["message"], truth["message"])
            self.assertEqual(report["type"], truth["type"])
            self.assertIn(report["map"], (truth["map"], None))  # its address may have left the registers
            self.assertIn(line_of(report), lines)
            for other in report["others"]:
                self.assertNotEqual(other["goroutine"], report["goroutine"])
                if other["site"]:
                    self.assertEqual({line_of(other)}, lines - {line_of(report)})
        return any(other["site"] for report in reports for other in report["others"])

    def test_concurrent_use_is_told_with_the_map_its_type_and_both_sites(self):
        for version in harness.go_versions():
            for switches in ([], ["-read"], ["-iterate"]):
                with self.subTest(go=version, switches=switches):
                    command = [harness.workload("concurrent", version), *switches]
                    # A goroutine that is between two accesses shows neither.
                    self.assertTrue(any(self.check_concurrent(command) for _ in range(TRIES)))

    def test_write_to_a_nil_map(self):
        for version in harness.go_versions():
            for switches, writes, status in (([], 3, 0), (["-die"], 4, 2)):
                with self.subTest(go=version, switches=switches):
                    run = harness.trace([harness.workload("nilwrite", version), *switches])
                    truth = run.truth
                    self.assertEqual(run.exit_code, harness.FOUND, run.messages)
                    self.assertEqual(run.end["command"]["exit_status"], status)
                    self.assertEqual([(report["message"], report["fatal"], report["type"], line_of(report)) for report in run.of("map_misuse")],
                                     [("assignment to entry in nil map", False, truth["type"], (truth["function"], truth["line"]))] * writes)


class CountedTest(harness.EndToEndTest):
    """Holds the events of a trace against what programs counted themselves."""

    def counted(self, events, pid):
        kinds = collections.Counter(event["event"] for event in events if event["pid"] == pid)
        return {key: sum(kinds[kind] for kind in kinds_of) for key, kinds_of in KIND_OF.items()}

    def assert_counted(self, events, truth, lost):
        """What the program counted, but for what is said to be lost: a busy host may have lost it elsewhere."""
        counted = self.counted(events, truth["pid"])
        for key in harness.COUNTED:
            self.assertLessEqual(counted[key], truth[key], key)
        self.assertLessEqual(sum(truth[key] - counted[key] for key in harness.COUNTED), lost)


class ProcessTest(CountedTest):
    def assert_has_at_least(self, events, truth):
        counted = self.counted(events, truth["pid"])
        for key in ("grown", "split"):
            self.assertGreaterEqual(counted[key], truth[key])

    def test_running_program_whose_maps_are_not_known(self):
        for version in harness.go_versions():
            with self.subTest(go=version):
                with harness.waiting([harness.workload("growth", version), "-n", "20000"]) as target, \
                        harness.tracing("-p", target.pid, "--all") as (tracer, path):
                    output, _ = target.communicate("\n", timeout=harness.TIMEOUT_SECONDS)
                    self.assertEqual(tracer.wait(harness.TIMEOUT_SECONDS), harness.CLEAN)
                    events, _ = harness.parse_trace(path.read_text())
                truth = harness.truth_in(output)
                self.assertEqual(self.counted(events, target.pid), {key: truth[key] for key in harness.COUNTED})

    @contextlib.contextmanager
    def traced_to_second_program(self, *words, options=()):
        """workloads/exec under a tracer, up to where the second program waits; yields the first one's truth, the
        tracer, and where its events go. The second one's output follows."""
        command = [harness.workload("exec"), *words, "--", harness.workload("growth"), "-wait", "-n", "20000"]
        with harness.scratch() as directory:
            with harness.started([harness.mapscope(), "trace", "--all", "--json", "-o", directory / "events", *options, "--", *command],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tracer:
                first = harness.truth_in(tracer.stdout.readline())
                self.assertEqual(tracer.stdout.readline(), "ready\n")
                yield first, tracer, directory / "events"

    def end_of(self, tracer, path):
        """Lets the second program go on, and returns its truth, the events, and how many were lost."""
        output, _ = tracer.communicate("\n", timeout=harness.TIMEOUT_SECONDS)
        events, end = harness.parse_trace(path.read_text())
        return harness.truth_in(output), events, sum(end["events"]["lost"].values())

    def test_program_that_becomes_another(self):
        probed = harness.probed_text(harness.workload("growth"))
        for words in ([], ["-thread"]):
            with self.subTest(words=words), self.traced_to_second_program(*words) as (first, tracer, path):
                harness.wait_for_probes(first["pid"], probed)
                second, events, lost = self.end_of(tracer, path)
                self.assertEqual((tracer.returncode, second["pid"]), (harness.INCONCLUSIVE if lost else harness.CLEAN, first["pid"]))
                execs = [event for event in events if event["event"] == "process_exec"]
                self.assertEqual(execs[-1]["path"], str(harness.workload("growth")))
                before = [event for event in events if event["time_ns"] < execs[-1]["time_ns"] and str(line_of(event)).startswith("('main.")]
                self.assertLessEqual(abs(first["created"] - self.counted(before, first["pid"])["created"]), lost)
                self.assert_counted([event for event in events if event["time_ns"] > execs[-1]["time_ns"]], second, lost)

    def test_children_are_told_where_they_are_wanted(self):
        probed = harness.probed_text(harness.workload("growth"))
        for options, wanted in (([], False), (["--follow"], True)):
            with self.subTest(options=options), self.traced_to_second_program("-child", options=options) as (parent, tracer, path):
                if wanted:
                    harness.wait_for_probes(harness.child_of(parent["pid"]), probed)
                child, events, lost = self.end_of(tracer, path)
                self.assertGreaterEqual(self.counted(events, parent["pid"])["created"], parent["created"])
                if wanted:
                    self.assert_counted(events, child, lost)
                else:
                    self.assertEqual({event["event"] for event in events if event["pid"] == child["pid"]}, set())


if __name__ == "__main__":
    harness.main()
