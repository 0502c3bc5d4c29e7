"""`verify` counts exactly what happened, for every Go version and every way to build.

Each program knows how many maps it made, grew, split and cleared (test_truth.py proves that it
does). MAPSCOPE_GO chooses one version, so that versions can be tested side by side.
"""
import unittest

import harness

MODES = ["plain", "stripped", "pie", "cgo"]
# In every mode. The rest differ from these in what the maps hold, which no mode changes.
IN_ALL_MODES = [["create"], ["stack"], ["growth", "-n", "100000"], ["quiet"], ["watchercache", "-n", "3000"]]
IN_PLAIN_MODE = [["zerocap"], ["strings"], ["pointers"], ["bigelems"], ["storm"], ["deletes"], ["clear"], ["rangedelete"], ["clone"],
                 ["syncmap"], ["nilwrite"], ["promlabels"], ["ttlcache"], ["ttlcache", "-shrink"]]


class MatrixTest(harness.EndToEndTest):
    def for_each(self, programs, check, modes=("plain",)):
        """Calls check(version, command) for every program of every version in every mode, as a sub-test."""
        for version in harness.go_versions():
            for mode in harness.few(harness.modes(modes)):
                for name, *arguments in harness.few(programs):
                    with self.subTest(go=version, mode=mode, program=" ".join([name, *arguments])):
                        check(version, [harness.workload(name, version, mode), *arguments])

    def assert_clean(self, run):
        self.assert_exit(run, harness.CLEAN)
        self.assertEqual(run.report["verdict"], "clean")
        self.assertEqual(run.report["reasons"], [])
        self.assertEqual(run.report["violations"], [])
        self.assertEqual(run.report["system_calls"]["inside"].get("file", 0), 0)
        self.assert_nothing_lost(run)
        self.assertGreaterEqual(run.report["system_calls"]["outside"].get("file", 0), run.truth["file_calls_outside_min"])

    def check_launched(self, _, command):
        run = harness.verify(command)
        self.assert_clean(run)
        self.assert_agrees_with_truth(run, control=harness.verify([*command, "-idle"]))

    def check_attached(self, _, command):
        run = harness.verify_running(command)
        self.assert_clean(run)
        self.assert_agrees_with_truth(run)

    def check_target(self, version, command):
        run = harness.verify(command)
        target = run.report["target"]
        self.assertEqual(target["pid"], run.truth["pid"])
        self.assertEqual(target["exe"], str(command[0]))
        self.assertEqual(target["go_version"], run.truth["go_version"])
        self.assertEqual(target["map_implementation"], "swiss" if harness.version_key(version) >= [1, 24] else "classic")

    def test_counts_are_exact_in_every_mode(self):
        self.for_each(IN_ALL_MODES, self.check_launched, MODES)

    def test_counts_are_exact_for_every_kind_of_map(self):
        self.for_each(IN_PLAIN_MODE, self.check_launched)

    def test_counts_are_exact_when_attached_to_a_running_process(self):
        self.for_each(IN_ALL_MODES, self.check_attached, MODES)

    def test_target_is_named(self):
        self.for_each([["create"]], self.check_target, MODES)

    def test_quiet_is_clean_at_every_depth(self):
        # --light sees only the rarest growth: maps have to be larger for it.
        for command, depth in ([["quiet", "-n", "2000"], "--light"], [["quiet"], "--exact"]):
            self.for_each([command], lambda _, command: self.assert_clean(harness.verify(command, depth)))


if __name__ == "__main__":
    harness.main()
