"""`verify` and strace see the same memory calls, call for call and byte for byte.

Both watch the same process at the same time: strace stops the target at each call, and mapscope
reads what passes by.
"""
import collections
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import harness

# "4711 mmap(0xc000400000, 4194304, PROT_READ|..." and, when another thread came between,
# "4711 mmap(NULL, 262144, ... <unfinished ...>" with "4711 <... mmap resumed>) = 0x7f..."
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((?:[^,]*), (\d+)")
BREAK = re.compile(r"^(?:\d+ +)?brk\(")
MEMORY_CALLS = "mmap,munmap,mremap,madvise,mprotect,brk,mlock,mincore"


def strace_counts(text):
    """Call -> number of calls, and the bytes that mmap was asked for."""
    calls, mapped_bytes = collections.Counter(), 0
    for line in text.splitlines():
        if BREAK.match(line):
            calls["brk"] += 1
        elif match := CALL.match(line):
            calls[match[1]] += 1
            if match[1] == "mmap":
                mapped_bytes += int(match[2])
    return dict(calls), mapped_bytes


class StraceTest(harness.EndToEndTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not shutil.which("strace"):
            raise unittest.SkipTest("strace is not installed.")

    def run_under_both(self, command):
        """Attaches strace and then mapscope to a waiting workload. Returns the run and strace's words."""
        with tempfile.TemporaryDirectory(prefix="mapscope-e2e-") as directory, \
                harness.waiting(command) as target:
            trace = pathlib.Path(directory) / "trace"
            with harness.started(["strace", "-f", "-e", f"trace={MEMORY_CALLS}", "-o", trace, "-p", target.pid],
                                 stderr=subprocess.DEVNULL) as strace:
                harness.wait_for(lambda: harness.tracer_of(target.pid) == strace.pid, "strace attaches")
                run = harness.verify_waiting(target)
                strace.wait(timeout=harness.TIMEOUT_SECONDS)
            return run, trace.read_text()

    def test_memory_calls_agree(self):
        for version in harness.go_versions():
            for mode in ("plain", "cgo"):
                with self.subTest(go=version, mode=mode):
                    run, text = self.run_under_both([harness.workload("growth", version, mode), "-n", "500000"])
                    self.assert_exit(run, harness.CLEAN)
                    calls, mapped_bytes = strace_counts(text)
                    self.assertGreater(calls["mmap"], 2)
                    reported = run.report["system_calls"]["memory"]
                    self.assertEqual({name: row["calls"] for name, row in reported.items() if row["calls"]}, calls)
                    self.assertEqual(reported["mmap"]["bytes"], mapped_bytes)


if __name__ == "__main__":
    harness.main()
