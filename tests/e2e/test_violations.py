"""`verify` finds file I/O inside map operations where there really is some, and says whose fault it is.

Both violations are real: the first is a diagnostic of the Go runtime, the second an allocator that
logs. The programs say themselves where it has to be.
"""
import pathlib
import tempfile
import unittest

import harness

# Who ends a collection decides where its line is printed: of some 60 lines 3 to 25 fall inside a
# growing map, and a run without one has not been seen.
TRIES = 3


class ViolationsTest(harness.EndToEndTest):
    def assert_violated(self, run):
        self.assert_exit(run, harness.FOUND)
        self.assertEqual(run.report["verdict"], "violated")
        self.assert_nothing_lost(run)

    def assert_is_at_the_growing_line(self, violation, truth):
        self.assertEqual(violation["goroutine"], int(truth["goroutine"]))
        self.assertEqual(violation["site"], {key: truth[key] for key in ("function", "file", "line")})

    def run_gctrace(self, program):
        with tempfile.TemporaryDirectory(prefix="mapscope-e2e-") as directory:
            for _ in range(TRIES):
                with open(pathlib.Path(directory) / "gc.log", "w") as log:
                    run = harness.verify([program], program_env={"GODEBUG": "gctrace=1", "GOGC": "30"}, program_stderr=log)
                if run.exit_code != harness.CLEAN:
                    return run
        return run

    def test_gctrace_inside_a_growing_map(self):
        for version in harness.go_versions():
            for mode in harness.few(["plain", "stripped", "pie"]):
                with self.subTest(go=version, mode=mode):
                    run = self.run_gctrace(harness.workload("gctrace", version, mode))
                    self.assert_violated(run)
                    for violation in run.report["violations"]:
                        self.assertEqual(violation["system_call"], "write")
                        self.assertEqual(violation["path"], run.truth["path"])
                        self.assertIn("gctrace", violation["cause"])
                        self.assert_is_at_the_growing_line(violation, run.truth)
                    self.assertEqual(sum(violation["count"] for violation in run.report["violations"]),
                                     run.report["system_calls"]["inside"]["file"])

    def test_logging_mmap_inside_a_growing_map(self):
        for version in harness.go_versions():
            with self.subTest(go=version):
                run = harness.verify([harness.workload("cgo_mmap", version, "cgo")])
                self.assert_violated(run)
                self.assertEqual(run.report["system_calls"]["inside"]["file"], run.truth["file_calls_inside"])
                calls = {"openat": 0, "write": 0, "close": 0}
                for violation in run.report["violations"]:
                    calls[violation["system_call"]] += violation["count"]
                    self.assertEqual(violation["path"], run.truth["path"])
                    self.assertIn("mmap", violation["cause"])
                    self.assert_is_at_the_growing_line(violation, run.truth)
                each = run.truth["file_calls_inside"] // 3
                self.assertEqual(calls, {"openat": each, "write": each, "close": each})

    def run_innocent(self, *command):
        """On a host so busy that events are lost, nothing can be said of a program: then once more."""
        for _ in range(TRIES):
            run = harness.verify(command)
            self.assertEqual(run.report["violations"], [])
            if run.exit_code != harness.INCONCLUSIVE or not any(run.report["events"]["lost"].values()):
                break
        return run

    def test_the_same_programs_are_clean_without_the_cause(self):
        for version in harness.go_versions():
            with self.subTest(go=version):
                run = self.run_innocent(harness.workload("gctrace", version), "-rounds", "5")
                self.assert_exit(run, harness.CLEAN)
                idle = self.run_innocent(harness.workload("cgo_mmap", version, "cgo"), "-n", "100")
                self.assertEqual(idle.truth["file_calls_inside"], 0, "a map this small needs no memory of the kernel")
                self.assert_exit(idle, harness.CLEAN)


if __name__ == "__main__":
    harness.main()
