"""The workloads tell the truth: what they say happened to their maps is what the kernel counts.

Needs no mapscope. Everything that is compared with a workload's truth elsewhere rests on this.
"""
import json
import subprocess
import unittest

import harness
from uprobe_counter import TRACEFS, UprobeCounter

# What a program's truth counts -> the runtime functions whose calls it is. A version has the
# functions of one column only: classic maps until 1.23, swiss from 1.24 on.
FUNCTIONS = {
    "created": ["runtime.makemap_small", "runtime.makemap", "internal/runtime/maps.NewMap", "internal/runtime/maps.(*Map).Clone"],
    "grown": ["runtime.hashGrow", "internal/runtime/maps.(*Map).growToTable", "internal/runtime/maps.(*table).grow"],
    "split": ["internal/runtime/maps.(*table).split"],
    "cleared": ["runtime.mapclear", "internal/runtime/maps.(*Map).Clear"],
}
# These call the swiss function of the same row.
OUTER = {"runtime.makemap", "runtime.mapclear"}

PROGRAMS = ["create", "stack", "growth", "zerocap", "strings", "pointers", "bigelems", "storm", "deletes", "clear", "rangedelete",
            "clone", "syncmap", "nilwrite", "watchercache", "promlabels", "ttlcache", "quiet"]
ARGUMENTS = {"growth": ["-n", "100000"], "ttlcache": ["-shrink"]}


def functions(key, version):
    swiss = harness.version_key(version) >= [1, 24]
    return [name for name in FUNCTIONS[key] if name.startswith("internal/") == swiss or (swiss and name not in OUTER)]


def count(executable, version, arguments):
    """The truth that a run printed, and what the kernel counted in the same run."""
    names = {key: functions(key, version) for key in FUNCTIONS}
    with UprobeCounter(executable, sum(names.values(), [])) as counter:
        output = subprocess.run([counter.executable, *arguments], check=True, capture_output=True, text=True,
                                timeout=harness.TIMEOUT_SECONDS).stdout
        hits = counter.hits()
    return json.loads(output), {key: sum(hits.get(name, 0) for name in names[key]) for key in names}


class TruthTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.require_root()
        if not (TRACEFS / "uprobe_events").exists():
            raise unittest.SkipTest(f"{TRACEFS} is not mounted, or this kernel has no uprobe events.")

    def test_truth_is_what_the_kernel_counts(self):
        for version in harness.go_versions():
            for program in PROGRAMS:
                with self.subTest(go=version, program=program):
                    executable = harness.workload(program, version)
                    arguments = ARGUMENTS.get(program, [])
                    truth, counted = count(executable, version, arguments)
                    _, beside = count(executable, version, [*arguments, "-idle"])
                    expected = {key: truth[key] for key in FUNCTIONS if truth[key] is not None}
                    self.assertEqual({key: counted[key] - beside[key] for key in expected}, expected)


if __name__ == "__main__":
    harness.main()
