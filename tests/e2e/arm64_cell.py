"""What tools/arm64/run asks of one command of mapscope on an arm64 kernel: whether it says of a few programs of Go 1.22
(classic maps) and 1.27 (swiss maps) what these programs know. They are small: there a probe costs 300 microseconds.

    MAPSCOPE=... MAPSCOPE_WORKLOADS=... MAPSCOPE_PATIENCE=10 python3 tests/e2e/arm64_cell.py RESULTS verify maps

RESULTS gets a file for each name, with a cell in the form of docs/support.
"""
import json
import pathlib
import sys
import traceback
import unittest

import daemons
import harness
import matrix_cell
import test_bpf_maps
import test_maps
import test_owners
import test_trace
from matrix_cell import Lacking, Refused, expect, plain

matrix_cell.COUNTED = [["growth", "-n", "3000"], ["create", "-rounds", "2", "-large", "0"], ["clear", "-n", "200", "-rounds", "3"],
                       ["watchercache", "-n", "200"]]
matrix_cell.VIOLATING = ["gctrace", "-rounds", "10", "-n", "50000", "-depth", "8"]
test_trace.COUNTED_PROGRAMS = [["strings", "-n", "2000"], ["clone"]]
LARGE_MAP = ["growth", "-n", "300000"]  # grows by more than the heap has: the kernel is asked inside operations

PROGRAMS = sorted({command[0] for command in matrix_cell.COUNTED + test_trace.COUNTED_PROGRAMS} | {"bloat", "gctrace", "leaks", "sick", "storm"})


STARTS = 5  # of a program: Go 1.27.4 sometimes dies here in runtime.allocMSpanLocked, before it has a heap


class SomeMaps(test_maps.TruthTest):
    """The truth of `maps`, but for how sure it is that something is a map: that is kept."""

    def __init__(self):
        super().__init__("assert_case")
        self.evidence = set()

    def assert_case(self, *arguments):
        for start in range(STARTS):
            try:
                return super().assert_case(*arguments)
            except test_maps.ProgramDied as death:
                print(death)
                if start == STARTS - 1:
                    raise

    def assert_is(self, row, truth):
        self.evidence.add(row["evidence"])
        super().assert_is(row | {"evidence": "proved"}, truth)


class SomeOwners(test_owners.LeaksTest):
    """The truth of `maps --owners`, but for the names of closures: where it has none, it has to say so."""

    def __init__(self):
        super().__init__("assert_owner")
        self.unnamed = 0

    def assert_owner(self, row, truth, mode):
        if truth["closure"] and row["owner_path"].endswith("?"):
            self.unnamed += 1
            truth = truth | {"closure": ""}
        super().assert_owner(row, truth, mode)


class Release(matrix_cell.Cell):
    """The checks of the Go matrix, and further ones."""

    def __init__(self, version):
        super().__init__(version, "plain")
        self.maps, self.owners = SomeMaps(), SomeOwners()

    def windows(self):
        """Memory that a growing map asks the kernel for lies in its operation, as both witnesses say who do not know of each other."""
        run = self.counted([LARGE_MAP[0], *LARGE_MAP[1:]], False)
        witnesses = run.report["witnesses"]
        inside = sum(run.report["system_calls"]["inside"].values())
        if not inside or not witnesses["both"]:
            raise AssertionError(f"no call was seen inside an operation by both witnesses: {witnesses}")
        if witnesses["window_only"] or witnesses["stack_only"]:
            raise AssertionError(f"the witnesses disagree: {witnesses}")
        return f"{witnesses['both']} calls inside operations by both witnesses"

    def trace(self):
        tests = test_trace.CountTest("test_summary_is_what_the_program_counted")
        tests.test_summary_is_what_the_program_counted()
        tests.test_counts_by_line_are_those_of_the_program()
        return "the counts of 2 programs, and of each line of storm"

    def each_map(self):
        said = super().each_map()
        if self.maps.evidence != {"proved"}:
            raise Lacking(f"the numbers of all maps are right ({said}), but that they are maps is not proved by their hashes: "
                          f"it is {' or '.join(sorted(self.maps.evidence))}.")
        return said

    def each_owner(self):
        said = super().each_owner()
        if self.owners.unnamed:
            raise Lacking(f"each map has its owner ({said}), but the closures that hold {self.owners.unnamed} of them have no name: which code "
                          "makes one is read from x86-64 only.")
        return said

    CHECKS = {"inspect": ["inspect"], "verify": ["verify", "windows", "violation"], "trace": ["trace"], "maps": ["each_map"], "owners": ["each_owner"]}


def doctor():
    done = harness.run_mapscope("doctor", "--json")
    report = json.loads(done.stdout)
    if done.returncode != harness.CLEAN:
        raise Lacking(done.stderr.decode().strip() or json.dumps(report)[:300])
    return f"status {done.returncode}"


def bpf_maps():
    tests = test_bpf_maps.BpfMapsTest("test_every_type_is_told_truly_or_not_at_all")
    tests.test_every_type_is_told_truly_or_not_at_all()
    tests.test_hash_types_are_always_known()
    tests.test_whose_they_are()
    return "maps of every type at three levels"


RULES = """
census: {interval: 1s, shortest: 1s, longest: 2s, cpu_share: 50%}
limits: {cpu_share: 100%, memory_bytes: 2GiB}
default_rules: false
rules:
  - {name: entries, kind: map-entries, max_entries: 20000}
"""


def daemon():
    """A program whose map gets too large is told of, and that it has recovered; then the daemon ends as it should."""
    with harness.scratch() as directory, daemons.patient("large", "-n", "40000", "-maps", "10") as one:
        config = daemons.configuration(directory, RULES + daemons.alerts_section(directory))
        with daemons.running(directory, config) as running:
            harness.wait_for(lambda: (row := running.watched(one.pid)) and row["state"] == "watched", "the program is watched")
            one.tell("fall")
            harness.wait_for(lambda: [alert["rule"] for alert in running.firing()] == ["entries"], "the rule fires")
            one.tell("recover")
            harness.wait_for(lambda: not running.firing(), "the program recovers")
            expect("the exit status", running.stop(), harness.CLEAN)
    return "a map too large told, and its recovery"


def checks_of(name):
    """Name -> what does it."""
    own = {"doctor": doctor, "bpf-maps": bpf_maps, "daemon": daemon}
    if name in own:
        return {name: own[name]}
    releases = [Release(version) for version in harness.go_versions()]
    return {f"{check}, Go {release.version}": lambda release=release, check=check: in_release(release, check)
            for release in releases for check in Release.CHECKS[name]}


def in_release(release, check):
    harness.os.environ["MAPSCOPE_GO"] = release.version  # what tests of all releases look at
    try:
        return getattr(release, check)()
    finally:
        del harness.os.environ["MAPSCOPE_GO"]


def cell(name):
    state, sentences, checks = "supported", [], {}
    for title, check in checks_of(name).items():
        try:
            checks[title] = f"passed: {check()}"
            continue
        except unittest.SkipTest as skipped:
            state, checks[title] = "not_run", f"not run: {plain(skipped)}"
            sentences.append(plain(skipped))
            break
        except Refused as refusal:
            state, checks[title] = "refused", "refused"
            sentences.append(f'{title}: "{plain(refusal)}"')
            break
        except Lacking as lack:
            checks[title] = f"lacking: {plain(lack)}"
            sentences.append(f"{title}: {plain(lack)}")
        except Exception as failure:  # whatever went wrong is told, and the other checks go on
            traceback.print_exc()
            checks[title] = f"failed: {plain(failure)[:400]}"
            sentences.append(f"{title} failed: {plain(failure)[:200]}.")
        state = "degraded"
    return {"state": state, "why": " ".join(sentences), "checks": checks}


def main():
    results, *names = sys.argv[1:]
    for name in names:
        print(f"{name}:", file=sys.stderr, flush=True)
        told = cell(name)
        print(f"{name}: {told['state']} {told['why']}", file=sys.stderr, flush=True)
        pathlib.Path(results, f"{name}.json").write_text(json.dumps(told, ensure_ascii=False))


if __name__ == "__main__":
    main()
