"""Programs of a Go that mapscope does not know: everything works with less, or is refused with the reason. Nothing is wrong.

They are workloads whose version was changed in the file, so that they know what is true. MAPSCOPE_GO has to be the newest
release: its runtime is what a newer one most likely has.
"""
import contextlib
import json
import pathlib
import subprocess
import unittest

import daemons
import harness
from test_maps import MapsTest, maps

UNKNOWN = "go1.99.0"
NOT_KNOWN = f"{UNKNOWN} is not known to this version of mapscope"
NO_STRUCTURES = f"the structures of {UNKNOWN}'s runtime are not known to this version of mapscope, and the binary has no DWARF"


class UnknownGoTest(MapsTest):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(harness.scratch()))
        [self.version] = harness.go_versions()

    def patched(self, name, mode="plain", version=UNKNOWN):
        """A copy of a workload that says to be made by another Go, in as many letters."""
        was, becomes = f"go{self.version}".encode(), version.encode()
        if len(was) != len(becomes):
            raise unittest.SkipTest(f"go{self.version} has not as many letters as {version}.")
        program = self.directory / mode / name
        program.parent.mkdir(exist_ok=True)
        data = harness.workload(name, self.version, mode).read_bytes()
        self.assertIn(was, data)
        program.write_bytes(data.replace(was, becomes))
        program.chmod(0o755)
        return program

    def inspected(self, program):
        done = harness.run_mapscope("inspect", "--json", program)
        self.assertEqual(done.returncode, harness.CLEAN, done.stderr)
        return json.loads(done.stdout)

    def assert_refused(self, status, said, sentence):
        self.assertEqual(status, harness.INCONCLUSIVE, said)
        self.assertIn(sentence, said)


class FilesTest(UnknownGoTest):
    def test_inspect_says_what_it_rests_on(self):
        facts = self.inspected(self.patched("create"))
        self.assertEqual((facts["go_version"], facts["is_known_release"], facts["layout"]["source"]), (UNKNOWN, False, "dwarf"))
        self.assertTrue(any(NOT_KNOWN in warning for warning in facts["warnings"]), facts["warnings"])
        facts = self.inspected(self.patched("create", "stripped"))
        self.assertEqual((facts["is_known_release"], facts["layout"]["source"], facts["layout"]["offsets"]), (False, "none", {}))
        self.assertTrue(any(NO_STRUCTURES in warning for warning in facts["warnings"]), facts["warnings"])

    def test_what_is_no_release_of_go_1_is_refused(self):
        for version, sentence in (("go1.16.9", "mapscope reads Go 1.17 and newer"), ("go2.0.00", "mapscope reads Go 1, from 1.17 on"),
                                  ("dev 1.28", "names no release of Go")):
            with self.subTest(version=version):
                done = harness.run_mapscope("inspect", self.patched("create", version=version))
                self.assertNotEqual(done.returncode, harness.CLEAN)
                self.assertIn(sentence, done.stderr.decode())

    def test_an_unknown_patch_release_and_a_candidate_are_the_nearest(self):
        for version in ("go1.27.9", "go1.27r1"):
            with self.subTest(version=version):
                facts = self.inspected(self.patched("create", "stripped", version))
                self.assertEqual((facts["go_version"], facts["is_known_release"], facts["layout"]["source"]), (version, True, "nearest"))

    def test_a_development_version_has_no_layout_but_its_own(self):
        for mode, source in (("plain", "dwarf"), ("stripped", "none")):
            facts = self.inspected(self.patched("create", mode, "go1.27-x"))
            self.assertEqual((facts["is_known_release"], facts["layout"]["source"]), (False, source))


class WatchTest(UnknownGoTest):
    def test_verify_counts_and_does_not_say_clean(self):
        for mode in ("plain", "pie", "cgo"):
            with self.subTest(mode=mode):
                run = harness.verify_running([self.patched("growth", mode), "-n", "100000"])
                self.assert_exit(run, harness.INCONCLUSIVE)
                self.assertEqual(len(run.report["reasons"]), 1, run.report["reasons"])
                self.assertIn(NOT_KNOWN, run.report["reasons"][0])
                self.assert_nothing_lost(run)
                self.assert_agrees_with_truth(run)

    def test_a_violation_stays_one(self):
        with open(self.directory / "gc.log", "w") as log:
            run = harness.verify([self.patched("gctrace"), "-rounds", "30", "-n", "50000", "-depth", "16"],
                                 program_env={"GODEBUG": "gctrace=1", "GOGC": "30"}, program_stderr=log)
        self.assert_exit(run, harness.FOUND)
        self.assertEqual({violation["path"] for violation in run.report["violations"]}, {run.truth["path"]})

    def test_without_dwarf_watching_is_refused(self):
        program = self.patched("growth", "stripped")
        for command in (["verify"], ["trace", "--all"], ["record", self.directory / "recording"]):
            with self.subTest(command=command[0]):
                done = harness.run_mapscope(*command, "--", program, "-n", "10")
                self.assert_refused(done.returncode, done.stderr.decode(), NO_STRUCTURES)

    def test_trace_tells_what_the_program_did(self):
        traced = harness.trace([self.patched("storm"), "-rounds", "5"], "--all")
        self.assertEqual(traced.exit_code, harness.CLEAN, traced.messages)
        self.assertTrue(any(NOT_KNOWN in note for note in traced.end["notes"]), traced.end)
        for site in harness.truth_in(traced.output)["sites"]:
            grown = [event for event in traced.events if event["event"] in ("map_grown", "map_split") and event["site"]["function"] == site["function"]]
            self.assertEqual(len(grown), site["grown"] + site["split"])

    def test_a_recording_gives_the_same_verdict(self):
        recording = self.directory / "recording"
        done = harness.run_mapscope("record", recording, "--", self.patched("create"))
        self.assertEqual(done.returncode, harness.CLEAN, done.stderr)
        replayed = harness.run_mapscope("replay", recording, "--verify")
        self.assert_refused(replayed.returncode, replayed.stdout.decode(), NOT_KNOWN)


class CensusTest(UnknownGoTest):
    @contextlib.contextmanager
    def program(self, name, mode, *arguments):
        with harness.started([self.patched(name, mode), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
            yield program, json.loads(program.stdout.readline())

    def test_maps_are_told_without_what_a_rebuild_would_cost(self):
        for case in ("healthy", "over-hinted"):
            with self.subTest(case=case), self.program("bloat", "plain", "-show", case) as (program, truth):
                report = self.json_of("-p", program.pid, "--top", 0)
                text = self.text_of("-p", program.pid)
            rows = {row["address"]: row for row in report["maps"]}
            for known in truth["maps"]:
                row = rows[known["address"]]
                self.assertEqual([row[key] for key in ("len", "slots", "tombstones")], [known[key] for key in ("len", "slots", "tombstones")])
                self.assert_sums(row)
                self.assertEqual(row["evidence"], "proved")
                self.assertEqual((row["reclaimable_bytes"], row["cause"], row["advice"]), (None, None, None), row)
            self.assertEqual([remark for remark in report["remarks"] if NOT_KNOWN in remark], report["remarks"])
            self.assertEqual(len(report["remarks"]), 1)
            self.assertIn("is not known to this version", " ".join(text.split()))

    def test_owners_are_right_and_nothing_is_called_garbage(self):
        with self.program("leaks", "plain") as (program, truth):
            report = self.json_of("-p", program.pid, "--owners", "--top", 0)
        rows = {row["address"]: row for row in report["maps"]}
        for known in truth["maps"]:
            self.assertEqual((rows[known["address"]]["owner_class"], rows[known["address"]]["owner"]), (known["class"], known["root"]))
        self.assertNotIn(False, [row["reachable"] for row in report["maps"]])

    def test_without_dwarf_the_heap_is_not_read(self):
        with self.program("leaks", "stripped") as (program, _):
            for options in ([], ["--owners"]):
                done = maps("-p", program.pid, *options)
                self.assert_refused(done.returncode, done.stderr.decode(), NO_STRUCTURES)

    def test_the_daemon_says_why_it_does_not_look(self):
        config = daemons.configuration(self.directory, f"watch: {{include: [{{exe: ['{self.directory}/*']}}]}}\n")
        with self.program("leaks", "plain") as (plain, truth), self.program("leaks", "stripped") as (stripped, _), \
                daemons.running(self.directory, config) as daemon:
            row = harness.wait_for(lambda: (row := daemon.watched(plain.pid)) and row["census"] and row, "the daemon looked")
            self.assertEqual((row["state"], row["go_version"]), ("watched", UNKNOWN))
            self.assertGreaterEqual(row["census"]["totals"]["maps"], len(truth["maps"]))
            row = harness.wait_for(lambda: (row := daemon.watched(stripped.pid)) and row["problem"] and row, "the daemon says why not")
            self.assertEqual((row["state"], row["census"]), ("refused", None))
            self.assertIn(NO_STRUCTURES, row["problem"])
            self.assertEqual(daemon.firing(), [])


if __name__ == "__main__":
    harness.main()
