"""What tools/go-matrix asks of one Go release in one build mode: whether all that mapscope says of a few programs
is what these programs know. Its last line is one of JSON: the cell, in the form of docs/support.

    MAPSCOPE=... MAPSCOPE_WORKLOADS=... MAPSCOPE_GO=1.26.8 python3 tests/e2e/matrix_cell.py pie
"""
import json
import subprocess
import sys
import traceback
import unittest

import harness
import test_maps
import test_owners

# Program and arguments of `verify`, each small.
COUNTED = [["growth", "-n", "100000"], ["create"], ["watchercache", "-n", "3000"]]
VIOLATING = ["gctrace", "-rounds", "30", "-n", "50000", "-depth", "16"]
PROGRAMS = sorted({command[0] for command in COUNTED} | {VIOLATING[0], "bloat", "leaks"})
CHECKS = {
    "inspect": "release, kind of maps and layout are told, and every function that creates or grows maps has its probe.",
    "verify": "creations and growths are counted as the programs count them themselves, started by mapscope and attached to, and none is lost.",
    "violation": "the file that the collector's trace writes to inside a growing map is found, with its path and the line of code.",
    "maps": "each map of the programs is told with its length, slots, tombstones, type and cause, and the bytes add up to what the heap grew by.",
    "owners": "each map has the owner that the program says, and no exact type is wrong.",
}
OPERATIONS = {"swiss": {"make_small", "new_map", "grow_to_table", "table_grow", "table_split"}, "classic": {"make_small", "make", "hash_grow"}}
harness.TIMEOUT_SECONDS = 900  # other programs may have the machine, for as long as the matrix takes
TRIES = 3  # a host so busy that events are lost proves nothing


class Lacking(Exception):
    """What mapscope itself says that it can't tell."""


class Refused(Exception):
    """What mapscope said instead of an answer."""


def is_swiss(version, mode):
    return harness.version_key(version) >= [1, 24] and mode != "noswissmap"


def expect(what, said, known):
    if said != known:
        raise AssertionError(f"{what} is {said}, and should be {known}")


class Cell:
    def __init__(self, version, mode):
        self.version, self.mode = version, mode
        self.is_known = True  # whether mapscope says that it knows this release
        self.maps, self.owners = test_maps.TruthTest("assert_case"), test_owners.LeaksTest("assert_owner")

    def program(self, name):
        return harness.workload(name, self.version, self.mode)

    def inspect(self):
        done = harness.run_mapscope("inspect", "--json", self.program("growth"))
        if done.returncode != harness.CLEAN:
            raise Refused(done.stderr.decode().strip())
        facts = json.loads(done.stdout)
        with harness.waiting([self.program("growth"), "-n", "10"]) as program:
            truth = harness.truth_in(program.communicate("\n", timeout=harness.TIMEOUT_SECONDS)[0])
        self.is_known = facts.get("is_known_release", True)
        implementation = "swiss" if is_swiss(self.version, self.mode) else "classic"
        expect("the release", facts["go_version"], harness.release_of(truth["go_version"]))
        expect("the kind of maps", facts["map_implementation"], implementation)
        if facts["warnings"]:
            raise Lacking(" ".join(f"{warning.rstrip('.')}." for warning in facts["warnings"]))
        inlined = {copy["function"] for copy in facts["inlined_copies"]}
        missing = sorted(OPERATIONS[implementation] - set(facts["operations"]))
        if missing and not inlined:
            raise AssertionError(f"no probe for {', '.join(missing)}")
        probes = sum(map(len, facts["operations"].values()))
        copies = f", {len(facts['inlined_copies'])} copies of them inlined elsewhere" if inlined else ""
        return f"layout from {facts['layout']['source']}, {probes} probes on map functions{copies}"

    def counted(self, command, attached):
        command = [self.program(command[0]), *command[1:]]
        for _ in range(TRIES):
            run = harness.verify_running(command) if attached else harness.verify(command)
            if run.report and not any(run.report["events"]["lost"].values()):
                break
        if not run.report:
            raise Refused(run.messages.strip())
        if run.exit_code == harness.INCONCLUSIVE:
            raise Lacking(" ".join(run.report["reasons"]))
        expect(f"the verdict of {command[0].name}", (run.report["verdict"], run.exit_code, run.report["reasons"], run.report["violations"]),
               ("clean", harness.CLEAN, [], []))
        return run

    def verify(self):
        totals, unseen = dict.fromkeys(harness.COUNTED, 0), set()
        for index, command in enumerate(COUNTED):
            attached = index > 0
            run = self.counted(command, attached)
            known = {key: run.truth[key] for key in harness.COUNTED if run.truth[key] is not None}
            beside = dict.fromkeys(harness.COUNTED, 0) if attached else self.counted([*command, "-idle"], attached).operations
            unseen |= {key for key in known if run.operations[key] is None}
            known = {key: count for key, count in known.items() if key not in unseen}
            expect(f"what {command[0]} did", {key: run.operations[key] - beside[key] for key in known}, known)
            for key, count in known.items():
                totals[key] += count
        counts = ", ".join(f"{count} {key}" for key, count in totals.items() if count)
        if unseen:
            words = " and ".join(word for word in harness.COUNTED if word in unseen)
            raise Lacking(f"what was {words} is not counted, since the functions are inlined; the rest is exact: {counts}.")
        return counts

    def violation(self):
        with harness.scratch() as directory:
            for _ in range(TRIES):
                with open(directory / "gc.log", "w") as log:
                    run = harness.verify([self.program(VIOLATING[0]), *VIOLATING[1:]], program_env={"GODEBUG": "gctrace=1", "GOGC": "30"},
                                         program_stderr=log)
                if run.exit_code == harness.FOUND:
                    break
        if run.exit_code == harness.INCONCLUSIVE and run.report:
            raise Lacking(" ".join(run.report["reasons"]))
        expect("the exit status", run.exit_code, harness.FOUND)
        site = {key: run.truth[key] for key in ("function", "file", "line")}
        for violation in run.report["violations"]:
            expect("a violation", (violation["system_call"], violation["path"], violation["site"]), ("write", run.truth["path"], site))
        return f"{run.report['system_calls']['inside']['file']} calls found"

    def each_map(self):
        count = sum(len(self.maps.assert_case(case, self.mode, self.is_known)["maps"]) for case in test_maps.CASES)
        if not self.is_known:
            raise Lacking(f"what a rebuild would cost, and causes, are not said; all else of {count} maps is exact.")
        return f"{count} maps of {len(test_maps.CASES)} programs"

    def each_owner(self):
        maps = self.owners.assert_every_owner(self.mode)
        return f"{len(maps)} maps"

    def result(self):
        """State, sentence and checks."""
        state, sentences, checks = "supported", [], {}
        for name, check in {"inspect": self.inspect, "verify": self.verify, "violation": self.violation, "maps": self.each_map,
                            "owners": self.each_owner}.items():
            try:
                checks[name] = f"passed: {check()}"
                continue
            except unittest.SkipTest:  # nothing was tried, so nothing can be said
                raise
            except subprocess.TimeoutExpired:
                return {"state": "not_run", "why": f"`{name}` did not end within {harness.TIMEOUT_SECONDS} s.", "checks": checks}
            except Refused as refusal:
                state, checks[name] = "refused", "refused"
                sentences.append(f'`{name}`: "{plain(refusal)}"')
                break
            except Lacking as lack:
                checks[name] = f"lacking: {plain(lack)}"
                sentences.append(f"`{name}`: {plain(lack)}")
            except Exception as failure:  # whatever went wrong is told, and the other checks go on
                traceback.print_exc()
                checks[name] = f"failed: {plain(failure)[:400]}"
                sentences.append(f"`{name}` failed: {plain(failure)[:200]}.")
            state = "degraded"
        return {"state": state, "why": " ".join(sentences), "checks": checks}


def plain(text):
    """On one line, without the paths of this machine."""
    words = " ".join(str(text).split())
    for path in (harness.WORKLOADS, harness.ROOT):
        words = words.replace(f"{path}/", "")
    return words


def main():
    mode = sys.argv[1]
    [version] = harness.go_versions()
    print(json.dumps(Cell(version, mode).result(), ensure_ascii=False))


if __name__ == "__main__":
    main()
