"""`maps` on programs that know their maps: what it says of each, of what it can't see, and from where."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import unittest

import harness

# How a program was linked has nothing to do with what its maps do; so each case is tried in two ways, and all ways are tried.
# MAPSCOPE_ALL_MODES=1 tries every case in every way.
MODES = ["plain", "stripped", "pie", "cgo"]
CASES = ["healthy", "emptied", "cleared", "over-hinted", "tombstones", "overflow", "old-buckets", "no-hint", "padding"]
NOBODY = 65534
# What two measurements of HeapAlloc may differ by, beside maps of which the smallest case has 147 KB: now and then the
# runtime allocates something of its own in between, 5.4 KB with a thread.
NOISE_BYTES = 6144


class ProgramDied(AssertionError):
    """Before anything was asked about it."""


@contextlib.contextmanager
def bloat(case, mode="plain"):
    """A program that waits, and what it said of its maps."""
    with harness.started([harness.workload("bloat", mode=mode), "-show", case], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True) as program:
        said = program.stdout.readline()
        if not said:
            raise ProgramDied(f"bloat -show {case} said nothing, and ended with status {program.wait()}")
        yield program, json.loads(said)


def maps(*options, **how):
    return harness.run_mapscope("maps", *options, **how)


def as_somebody_else(*arguments, capabilities=""):
    """The command line of mapscope for a user who owns nothing, with these capabilities and no others."""
    ambient = [f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}"] if capabilities else ["--inh-caps=-all"]
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *ambient, *map(str, arguments)]


class MapsTest(harness.EndToEndTest):
    def assert_status(self, done, expected):
        self.assertEqual(done.returncode, expected, f"\n{done.args}\nmapscope said: {done.stderr.decode()}\n{done.stdout.decode()[:2000]}")

    def json_of(self, *options, status=harness.CLEAN):
        done = maps("--json", *options)
        self.assert_status(done, status)
        return json.loads(done.stdout)

    def text_of(self, *options):
        done = maps(*options)
        self.assert_status(done, harness.CLEAN)
        return done.stdout.decode()

    def assert_sums(self, row):
        self.assertEqual(sum(part or 0 for part in row["bytes_by_cause"].values()), row["bytes"], row)

    def assert_type(self, row, expected):
        if row["type_certainty"] == "exact":
            self.assertEqual(row["type"], expected)
        else:
            self.assertEqual(row["type_certainty"], "candidate", row)
            if len(row["type_candidates"]) == row["type_candidate_count"]:
                self.assertIn(expected, row["type_candidates"])

    def assert_is(self, row, truth):
        """That a row says what the program knows of this map."""
        for key in ("len", "slots", "tombstones", "old_buckets", "evacuated_buckets"):
            self.assertEqual(row[key], truth[key], (key, row, truth))
        self.assert_sums(row)
        self.assert_type(row, truth["type"])
        self.assertEqual(row["evidence"], "proved", row)
        # Each bucket is larger than its eight keys or elements, of a byte at least.
        self.assertGreaterEqual(row["bytes_by_cause"]["overflow"], truth["overflow_buckets"] * 24)
        if truth["cause"] is not None:
            self.assertEqual(row["cause"] or "none", truth["cause"], (row, truth))
        if row["cause"] in ("emptied", "over_hinted", "mostly_empty", "padding", "no_hint", "tombstones"):
            self.assertTrue(row["advice"], row)


class TruthTest(MapsTest):
    """What every workload says of its maps, for each mode of the build."""

    def assert_case(self, case, mode, causes=True):
        with bloat(case, mode) as (program, truth):
            report = self.json_of("-p", program.pid, "--top", 0)
        self.assertEqual(report["schema"], "mapscope.maps/1")
        self.assertEqual(report["process"]["go_version"], harness.release_of(truth["go"]))
        self.assertEqual(report["process"]["map_implementation"], truth["implementation"])
        self.assertEqual(report["totals"]["unsettled"], 0)
        rows = {row["address"]: row for row in report["maps"]}
        for map_truth in truth["maps"]:
            self.assertIn(map_truth["address"], rows)
            self.assert_is(rows[map_truth["address"]], map_truth if causes else map_truth | {"cause": None})
        total = sum(rows[map_truth["address"]]["bytes"] for map_truth in truth["maps"])
        self.assertAlmostEqual(total, truth["heap_bytes"], delta=max(NOISE_BYTES, truth["heap_bytes"] / 10_000))
        for row in report["maps"]:
            self.assert_sums(row)
            self.assertIn(row["evidence"], ("proved", "referenced", "consistent", "plausible"))
        counted = [row for row in report["maps"] if row["evidence"] != "plausible"]
        self.assertEqual(sum(row["bytes"] for row in counted), report["totals"]["bytes"])
        self.assertEqual(sum(row["len"] for row in counted), report["totals"]["entries"])
        self.assertEqual(len(counted), report["totals"]["maps"])
        return truth

    def test_every_map_is_told_with_its_numbers_and_its_cause(self):
        for index, case in enumerate(harness.few(CASES)):
            for mode in MODES if os.environ.get("MAPSCOPE_ALL_MODES") else harness.few(harness.modes(["plain", MODES[1 + index % 3]])):
                with self.subTest(mode=mode, case=case):
                    self.assert_case(case, mode)


class TextTest(MapsTest):
    WORDS = {"emptied": "emptied", "mostly_empty": "mostly empty", "over_hinted": "over-hinted", "tombstones": "tombstones",
             "overflow": "overflow", "old_buckets": "old buckets", "no_hint": "no hint", "padding": "padding", "none": ""}

    def test_the_text_has_the_words_and_the_advice(self):
        for case in harness.few(CASES):
            with self.subTest(case=case), bloat(case) as (program, truth):
                text = self.text_of("-p", program.pid)
                for map_truth in truth["maps"]:
                    self.assertIn(map_truth["address"], text)
                    if map_truth["cause"] is not None:
                        self.assertIn(self.WORDS[map_truth["cause"]], text)
                self.assertIn(truth["go"], text)

    def test_colour_is_for_terminals(self):
        with bloat("emptied") as (program, _):
            self.assertNotIn("\x1b", self.text_of("-p", program.pid))

    def test_explain_accounts_for_every_byte(self):
        for case in harness.few(CASES):
            with self.subTest(case=case), bloat(case) as (program, truth):
                for map_truth in truth["maps"]:
                    explained = self.json_of("-p", program.pid, "--explain", map_truth["address"])
                    row = explained["map"]
                    self.assert_is(row, map_truth)
                    anatomy = explained["anatomy"]
                    self.assertEqual(sum(part["bytes"] for part in anatomy["objects"]), row["bytes"])
                    if not map_truth["overflow_buckets"] and not map_truth["old_buckets"]:  # those of a chain count as one
                        self.assertEqual(sum(entries * count for entries, count in enumerate(anatomy["fill"])), map_truth["len"])
                    chained = sum(length * count for length, count in enumerate(anatomy["chain_lengths"]))
                    if not map_truth["old_buckets"]:
                        self.assertEqual(chained, map_truth["overflow_buckets"])
                    text = self.text_of("-p", program.pid, "--explain", map_truth["address"])
                    self.assertIn(map_truth["address"], text)

    def test_explain_of_what_is_no_map_says_so(self):
        with bloat("healthy") as (program, _):
            done = maps("-p", program.pid, "--explain", "0xc000000008")
            self.assert_status(done, harness.INCONCLUSIVE)
            self.assertIn(b"0xc000000008", done.stderr)

    def test_payload_is_measured_on_request(self):
        with bloat("healthy") as (program, truth):
            strings = next(row for row in truth["maps"] if row["type"] == "map[string]int" and row["len"] > 100)
            explained = self.json_of("-p", program.pid, "--explain", strings["address"], "--payload")
            payload = explained["anatomy"]["payload"]
            if explained["map"]["type_certainty"] != "exact":
                self.assertIsNone(payload)
                return
            self.assertEqual(payload["entries"], strings["len"])
            # "key-0" to "key-6999", in blocks of 16 bytes that hold one or two of them.
            self.assertGreaterEqual(payload["bytes"] + (payload["error_bytes"] or 0), strings["len"] * 5)
            self.assertLessEqual(payload["bytes"] - (payload["error_bytes"] or 0), strings["len"] * 16)


class OptionsTest(MapsTest):
    def test_maps_are_chosen_and_ordered(self):
        with bloat("healthy") as (program, truth):
            every = self.json_of("-p", program.pid, "--top", 0)["maps"]
            self.assertEqual(len(self.json_of("-p", program.pid, "--top", 1)["maps"]), 1)
            for order, key in (("bytes", "bytes"), ("len", "len"), ("slots", "slots")):
                values = [row[key] for row in self.json_of("-p", program.pid, "--top", 0, "--sort", order)["maps"]]
                self.assertEqual(values, sorted(values, reverse=True), order)
            large = self.json_of("-p", program.pid, "--top", 0, "--min-bytes", "64KiB")["maps"]
            self.assertEqual({row["address"] for row in large}, {row["address"] for row in every if row["bytes"] >= 65536})
            typed = self.json_of("-p", program.pid, "--top", 0, "--type", "map[string]int")["maps"]
            self.assertLessEqual({row["address"] for row in truth["maps"] if row["type"] == "map[string]int"}, {row["address"] for row in typed})
            self.assertNotIn(truth["maps"][0]["address"], {row["address"] for row in typed})

    def test_maps_of_a_type_are_one_group(self):
        with bloat("healthy") as (program, truth):
            report = self.json_of("-p", program.pid, "--group-by", "type", "--top", 0)
            self.assertEqual(sum(group["maps"] for group in report["groups"]), report["totals"]["maps"])
            self.assertEqual(sum(group["bytes"] for group in report["groups"]), report["totals"]["bytes"])
            self.assertIn("map[string]int", str(report["groups"]))

    def test_a_condition_decides_the_exit_status(self):
        with bloat("emptied") as (program, _):
            self.json_of("-p", program.pid, "--fail-on", "reclaimable>1MiB", status=harness.FOUND)
            self.json_of("-p", program.pid, "--fail-on", "reclaimable>64GiB", status=harness.CLEAN)
            self.assert_status(maps("-p", program.pid, "--fail-on", "nonsense"), harness.USAGE)

    def test_wrong_usage_is_refused(self):
        own = str(os.getpid())
        for options in ((), ("-p", own, "--sort", "beauty"), ("-p", own, "--core", "core"), ("--exe", "/bin/true"),
                        ("-p", own, "--payload"), ("-p", own, "--top", "many"), ("-p", own, "--min-bytes", "lots"),
                        ("-p", own, "--watch", "-1")):
            with self.subTest(options=options):
                self.assert_status(maps(*options), harness.USAGE)

    def test_the_target_runs_on(self):
        """Nobody traces it, and it is the same afterwards."""
        with bloat("healthy") as (program, _):
            self.json_of("-p", program.pid)
            self.assertEqual(harness.tracer_of(program.pid), 0)
            program.stdin.close()
            self.assertEqual(program.wait(harness.TIMEOUT_SECONDS), 0)


class FailureTest(MapsTest):
    def assert_says(self, done, status, *words):
        self.assert_status(done, status)
        self.assertEqual(done.stdout, b"")
        for word in words:
            self.assertIn(word, done.stderr.decode())

    def test_no_such_process(self):
        with harness.started(["true"]) as program:
            program.wait()
        self.assert_says(maps("-p", program.pid), harness.GONE, str(program.pid))

    def test_no_go_program(self):
        with harness.started(["sleep", "60"]) as program:
            self.assert_says(maps("-p", program.pid), harness.INCONCLUSIVE, "Go")

    def test_not_permitted_without_the_capability(self):
        with bloat("healthy") as (program, _):
            done = subprocess.run(as_somebody_else(harness.mapscope(), "maps", "-p", program.pid), capture_output=True)
            self.assert_says(done, harness.DENIED, "CAP_SYS_PTRACE")

    def test_the_capability_is_enough(self):
        """Neither root nor BPF."""
        with bloat("healthy") as (program, truth):
            command = as_somebody_else(harness.mapscope(), "maps", "--json", "--top", 0, "-p", program.pid, capabilities="+sys_ptrace")
            done = subprocess.run(command, capture_output=True)
            self.assert_status(done, harness.CLEAN)
            addresses = {row["address"] for row in json.loads(done.stdout)["maps"]}
            self.assertLessEqual({row["address"] for row in truth["maps"]}, addresses)

    def test_files_that_are_none_of_ours(self):
        with harness.scratch() as directory:
            (directory / "empty").touch()
            (directory / "text").write_text("this is no snapshot\n" * 100)
            for name in ("empty", "text", "missing"):
                for option in ("--snapshot", "--core"):
                    with self.subTest(name=name, option=option):
                        done = maps(option, directory / name)
                        self.assertIn(done.returncode, (harness.USAGE, harness.INCONCLUSIVE, harness.GONE))
                        self.assertIn(name, done.stderr.decode())

    def test_spoiled_descriptors_are_at_worst_unreadable(self):
        for seed in range(1, 6):
            with self.subTest(seed=seed), harness.started([harness.workload("spoiled"), "-seed", str(seed)], stdin=subprocess.PIPE,
                                                          stdout=subprocess.PIPE, text=True) as program:
                truth = {}
                for line in program.stdout:
                    words = line.split()
                    if words[0] == "ready":
                        break
                    if words[0] == "map":
                        truth["0x" + words[1]] = int(words[2])
                done = maps("-p", program.pid, "--json", "--top", 0)
                self.assertIn(done.returncode, (harness.CLEAN, harness.INCONCLUSIVE), done.stderr)
                if done.returncode == harness.CLEAN:
                    found = {row["address"]: row["len"] for row in json.loads(done.stdout)["maps"]}
                    self.assertEqual({address: found.get(address) for address in truth}, truth)


class WatchTest(MapsTest):
    def test_it_looks_again_until_the_process_ends(self):
        with bloat("healthy") as (program, truth), \
             harness.started([harness.mapscope(), "maps", "--json", "--watch", "0.2", "-p", str(program.pid)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True) as watcher:
            for _ in range(3):
                report = json.loads(watcher.stdout.readline())
                addresses = {row["address"] for row in report["maps"]}
                self.assertLessEqual({row["address"] for row in truth["maps"]}, addresses)
            program.kill()
            program.wait()
            output, messages = watcher.communicate(timeout=harness.TIMEOUT_SECONDS)
            self.assertEqual(watcher.returncode, harness.GONE, messages)
            for line in output.splitlines():
                json.loads(line)  # none is cut short

    def test_it_ends_when_asked(self):
        with bloat("healthy") as (program, _), \
             harness.started([harness.mapscope(), "maps", "--json", "--watch", "0.2", "-p", str(program.pid)], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True) as watcher:
            watcher.stdout.readline()
            self.assertEqual(harness.interrupt(watcher, signal.SIGINT)[0], harness.CLEAN)

    def test_a_process_that_changes_all_the_time(self):
        with harness.scratch() as directory, \
             harness.started([harness.workload("restless"), "-share", str(directory / "records")], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True) as program:
            self.assertEqual(program.stdout.readline(), "ready\n")
            for _ in range(5):
                report = self.json_of("-p", program.pid, "--top", 0)
                self.assertGreater(report["totals"]["maps"], 2000)
                self.assertLess(report["totals"]["unsettled"] * 100, report["totals"]["maps"])
                for row in report["maps"]:
                    self.assert_sums(row)


    def test_a_large_map_that_is_written_to_all_the_time(self):
        """It never holds still for as long as it takes to read it."""
        with harness.started([harness.workload("sick"), "-illness", "growing", "-before", "1500000", "-pace", "20", "-rest", "1ms"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True) as program:
            def told(word):
                program.stdin.write(word + "\n")
                program.stdin.flush()
                return json.loads(program.stdout.readline())["len"]
            told("fall")
            before = told("tell")
            report = self.json_of("-p", program.pid, "--top", 0, "--sort", "bytes")
            after = told("tell")
            row = report["maps"][0]
            self.assertEqual(row["type"], "map[int]int")
            self.assertTrue(before <= row["len"] <= after, (before, row, after))
            self.assertEqual((row["in_motion"], report["totals"]["in_motion"]), (True, 1), "the program rested meanwhile")
            self.assertGreater(row["slots"], row["len"])
            self.assert_sums(row)
            with harness.scratch() as directory:
                self.json_of("-p", program.pid, "--save", directory / "moving.snap")
                kept = self.json_of("--snapshot", directory / "moving.snap", "--sort", "bytes")["maps"][0]
                self.assertEqual((kept["address"], kept["in_motion"]), (row["address"], True))


class SnapshotTest(MapsTest):
    def test_a_snapshot_says_the_same_anywhere(self):
        """Byte for byte: to another user, in another place, when the process is gone."""
        for case in ("emptied", "overflow", "padding"):
            for options in ((), ("--json", "--top", "0"), ("--group-by", "type")):
                with self.subTest(case=case, options=options), harness.scratch() as directory:
                    with bloat(case) as (program, _):
                        done = maps("-p", program.pid, "--save", "saved", *options, cwd=directory)
                        self.assert_status(done, harness.CLEAN)
                    self.assertEqual((directory / "saved").stat().st_mode & 0o777, 0o600)
                    elsewhere = directory / "elsewhere"
                    elsewhere.mkdir()
                    os.chmod(directory, 0o755)
                    shutil.copy(directory / "saved", elsewhere / "saved")
                    os.chmod(elsewhere / "saved", 0o644)
                    other = subprocess.run(as_somebody_else(harness.mapscope(), "maps", "--snapshot", "saved", *options), capture_output=True,
                                           cwd=elsewhere, env={"PATH": os.environ["PATH"]})
                    self.assert_status(other, harness.CLEAN)
                    self.assertEqual(other.stdout.decode(), done.stdout.decode())

    def test_every_map_of_a_snapshot_can_be_explained(self):
        with harness.scratch() as directory:
            with bloat("overflow") as (program, truth):
                address = truth["maps"][0]["address"]
                self.assert_status(maps("-p", program.pid, "--save", directory / "saved"), harness.CLEAN)
                live = self.json_of("-p", program.pid, "--explain", address)
            saved = self.json_of("--snapshot", directory / "saved", "--explain", address)
            self.assertEqual(saved["map"], live["map"])
            self.assertEqual(saved["anatomy"]["objects"], live["anatomy"]["objects"])

    def test_two_snapshots_are_compared(self):
        with harness.scratch() as directory, bloat("emptied") as (program, truth):
            for name in ("before", "after"):
                self.assert_status(maps("-p", program.pid, "--save", directory / name), harness.CLEAN)
            same = maps("--diff", directory / "before", directory / "after")
            self.assert_status(same, harness.CLEAN)
            self.assertNotIn(truth["maps"][0]["address"], same.stdout.decode())

    def test_a_damaged_snapshot_is_refused(self):
        with harness.scratch() as directory:
            with bloat("healthy") as (program, _):
                self.assert_status(maps("-p", program.pid, "--save", directory / "saved"), harness.CLEAN)
            whole = (directory / "saved").read_bytes()
            for name, damaged in (("torn", whole[:len(whole) // 2]), ("flipped", whole[:200] + bytes([whole[200] ^ 0xff]) + whole[201:])):
                (directory / name).write_bytes(damaged)
                done = maps("--snapshot", directory / name)
                self.assert_status(done, harness.INCONCLUSIVE)
                self.assertIn(name, done.stderr.decode())


@unittest.skipUnless(shutil.which("gcore"), "gcore is not installed (Debian: gdb).")
class CoreTest(MapsTest):
    def test_a_core_file_says_what_the_process_said(self):
        for mode in MODES if os.environ.get("MAPSCOPE_ALL_MODES") else harness.modes(["stripped", "cgo"]):
            with self.subTest(mode=mode), harness.scratch() as directory:
                executable = harness.workload("bloat", mode=mode)
                with bloat("overflow", mode) as (program, truth):
                    live = self.json_of("-p", program.pid, "--top", 0)
                    subprocess.run(["gcore", "-o", directory / "core", str(program.pid)], check=True, capture_output=True)
                core = self.json_of("--core", directory / f"core.{program.pid}", "--exe", executable, "--top", 0)
                self.assertEqual(core["process"]["pid"], live["process"]["pid"])
                self.assertEqual(core["process"]["go_version"], truth["go"])

                def told(report):
                    return {row["address"]: (row["len"], row["slots"], row["bytes"], row["type"], row["cause"]) for row in report["maps"]}
                for map_truth in truth["maps"]:
                    self.assertEqual(told(core)[map_truth["address"]], told(live)[map_truth["address"]])
                self.assertIsNone(core["totals"]["resident_bytes"])  # a core file does not tell


if __name__ == "__main__":
    harness.main()
