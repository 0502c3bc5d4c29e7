"""What is tried on each kernel, column by column: which tests of the tiers `bpf` and `e2e`, and which command
of mapscope has to be refused where `doctor` says that it can't run.

Emulated machines take some thirty times as long, so each column has the tests that depend on the kernel, and
these a few of their cases (MAPSCOPE_FEW). `tools/kernels/matrix --whole` runs all tests of the same files.
"""
import dataclasses

RELEASES = ["1.22.12", "1.27.4"]  # the last with classic maps that differs, and the newest
NEWEST = RELEASES[-1:]


@dataclasses.dataclass
class EndToEnd:
    """Tests of tests/e2e/test_NAME.py."""
    name: str
    tests: list
    releases: list = dataclasses.field(default_factory=lambda: NEWEST)


@dataclasses.dataclass
class Bpf:
    """Tests of build/.../tests/bpf/bpf_test: a suite without the end of its name, BpfTest, and filters of GoogleTest in it."""
    name: str
    tests: str = "*"

    def filter(self):
        return ":".join(f"*{self.name}BpfTest.{test}" for test in self.tests.split(":"))


@dataclasses.dataclass
class Column:
    id: str
    title: str
    about: str
    parts: list
    command: str = ""     # as `doctor` knows it; where it can't run here, `refused` has to be refused
    refused: list = dataclasses.field(default_factory=list)  # arguments of mapscope, see run-checks
    features: list = dataclasses.field(default_factory=list)  # of `doctor`: without them, something of the column is missing


WATCHING = ["tp_btf io_uring_submit_req"]

COLUMNS = [
    Column("doctor", "doctor", "`doctor` says which commands can run, and what is missing for the others", [Bpf("Features")]),
    Column("verify", "verify", "operations are counted as the programs count them, started and attached to; a file call inside of one is found",
           [EndToEnd("matrix", ["MatrixTest.test_counts_are_exact_in_every_mode",
                                "MatrixTest.test_counts_are_exact_when_attached_to_a_running_process"], RELEASES),
            EndToEnd("violations", ["ViolationsTest.test_logging_mmap_inside_a_growing_map"], RELEASES)],
           "verify", ["verify", "--", "PROGRAM"], WATCHING),
    Column("trace", "trace", "each event is at the line that the program says, as often as it says; misuse is told",
           [EndToEnd("trace", ["CountTest.test_counts_by_line_are_those_of_the_program"], RELEASES),
            EndToEnd("trace", ["MisuseTest.test_concurrent_use_is_told_with_the_map_its_type_and_both_sites"])],
           "trace", ["trace", "--", "PROGRAM"], WATCHING),
    Column("replay", "record, replay", "a recording says the same again, to the byte",
           [EndToEnd("replay", ["ReplayTest.test_verdict", "ReplayTest.test_record_keeps_what_trace_and_verify_tell"])],
           "record", ["record", "SCRATCH", "--", "PROGRAM"], WATCHING),
    Column("maps", "maps", "each map is told with its length, slots, bytes, type and cause; a snapshot says the same",
           [EndToEnd("maps", ["TruthTest.test_every_map_is_told_with_its_numbers_and_its_cause"], RELEASES),
            EndToEnd("maps", ["SnapshotTest.test_a_snapshot_says_the_same_anywhere"])],
           "maps", features=["PAGEMAP_SCAN"]),
    Column("owners", "maps --owners", "each map has the owner that the program says",
           [EndToEnd("owners", ["LeaksTest.test_every_leak_has_its_owner"], RELEASES)], "maps"),
    Column("learn", "maps --learn", "writes are counted by map, type and place, and no probe stays",
           [EndToEnd("learn", ["LearnTest.test_types_and_lines_are_those_of_the_source"]),
            Bpf("MapWrite", "*AWriteIsCountedByMapTypeAndPlace:*WhatDoesNotFitIsCountedAsLost")], "trace",
           ["maps", "-p", "WAITING", "--learn", "1s"]),
    Column("daemon", "daemon", "one pass and a running one find the program that falls ill, and maps of the kernel that fill",
           [EndToEnd("daemon", ["OperatingTest.test_one_pass_tells_by_its_exit_status", "OperatingTest.test_status_asks_a_running_one"]),
            EndToEnd("bpf_daemon", ["BpfDaemonTest.test_map_that_fills"])], "daemon"),
    Column("ending", "nothing stays", "after an end, an interrupt or a kill no program or link is in the kernel, and the target lives",
           [EndToEnd("faults", ["EndingTest.test_kill", "EndingTest.test_interrupt_and_terminate"])], "verify", ["verify", "--", "PROGRAM"]),
    Column("bpf_maps", "bpf-maps", "of a map of every type, entries and bytes are told truly or not at all",
           [EndToEnd("bpf_maps", ["BpfMapsTest.test_every_type_is_told_truly_or_not_at_all", "BpfMapsTest.test_hash_types_are_always_known",
                                  "BpfMapsTest.test_nothing_that_bpftool_shows_is_missing_or_other"])],
           "bpf-maps", features=["bpf_map_sum_elem_count", "iter/bpf_map"]),
    Column("bpf_programs", "bpf-maps: programs", "updates, failures and looked up keys of BPF programs are counted at the kernel's own functions",
           [Bpf("CallWindowPrograms")], "bpf-maps", features=["fentry"]),
    Column("probes", "one link", "all probes of a program are one link, else one link each; the places are the same",
           [Bpf("MapOperation", "*BothWitnessesSeeACallInside:*AReturnProbeClosesTheWindowAndTellsTheResult"),
            Bpf("Stack", "*IsFollowedThroughManyChunks")], "verify", ["verify", "--", "PROGRAM"], ["uprobe_multi"]),
    Column("bpf", "BPF programs", "each program of the kernel side sees what its test causes",
           [Bpf("Process", "*TellsTheExitOfATargetWithItsStatus:*ChildrenAreToldWhereTheyAreWanted"),
            Bpf("ProcessFeed", "*TellsWhoExecutesAndWhen"),
            Bpf("MapMisuse", "*ConcurrentUseIsToldWithTheMap:*AnAssignmentToANilMapIsToldEachTime"),
            Bpf("SystemCall", "*CountsEveryCallByNumber:*ExamplesOfFileCallsShowTheirPaths:*IsToldFrom*:*MemoryCallsComeWithArgumentsAndResult"),
            Bpf("IoUring"), Bpf("EveryType"), Bpf("KeyReader", "*TellsEachKeyOnceWithItsValue"),
            Bpf("MapFacts", "*MemoryIsToldWhereItIsMemory:*BothWaysToFindHoldersAgree"),
            Bpf("CallWindow", "CountsByMapAndKindAndError"), Bpf("ProgramCalls", "*TellsWhatEachRunDoesInEveryKindOfMap")],
           "trace", ["trace", "--", "PROGRAM"]),
]
