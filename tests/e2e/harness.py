"""What the end-to-end tests share: programs to watch, runs of mapscope, and how a test says that it
can't run here.

From the environment:

    MAPSCOPE             the executable under test (required but for test_truth)
    MAPSCOPE_WORKLOADS   what tools/build-workloads made (default: build/workloads)
    MAPSCOPE_GO          one Go version for the tests that run on each (default: all that were built)
    MAPSCOPE_MODES       the build modes that there are (default: plain,stripped,pie,cgo)
    MAPSCOPE_PATIENCE    how many times as long as usual everything may take (default: 1), for emulated machines
    MAPSCOPE_FEW         of how many programs, cases and build modes at most each test that has many tries (default: all)
    MAPSCOPE_RESULTS     a file that gets a line of JSON for each test that ran (default: none)
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORKLOADS = pathlib.Path(os.environ.get("MAPSCOPE_WORKLOADS", ROOT / "build/workloads"))

# Exit statuses of mapscope, the same for all its commands.
CLEAN, FOUND, USAGE, INCONCLUSIVE, DENIED, GONE = range(6)

COUNTED = ("created", "grown", "split", "cleared")  # operations that a truth and a report both have
PATIENCE = int(os.environ.get("MAPSCOPE_PATIENCE", "1"))
TIMEOUT_SECONDS = 120 * PATIENCE  # for what takes a few seconds on an idle machine
SKIPPED = 77           # CTest's SKIP_RETURN_CODE


def mapscope():
    path = os.environ.get("MAPSCOPE")
    if not path:
        raise unittest.SkipTest("MAPSCOPE does not name the executable under test.")
    if not os.access(path, os.X_OK):
        raise AssertionError(f"MAPSCOPE={path} can't be executed.")
    return path


def require_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("Tracing needs root.")


def version_key(version):
    """Numbers to compare releases by; a candidate, 1.28rc1, is like the first of its minor release."""
    return [int(part) for part in re.match(r"[\d.]+", version)[0].split(".")]


def release_of(version):
    """runtime.Version() without the experiments that are its tail: "go1.25.0 X:noswissmap", "go1.26.0-X:nogreenteagc"."""
    return re.split("[ -]X:", version)[0]


def go_versions():
    """Versions to test, oldest first."""
    if chosen := os.environ.get("MAPSCOPE_GO"):
        return [chosen]
    if not WORKLOADS.is_dir():
        raise unittest.SkipTest(f"{WORKLOADS} does not exist: run tools/build-workloads.")
    return sorted((entry.name for entry in WORKLOADS.iterdir() if re.fullmatch(r"\d+(\.\d+)+", entry.name)), key=version_key)


def workload(name, version=None, mode="plain"):
    """A built program; of the newest version unless one is named."""
    path = WORKLOADS / (version or go_versions()[-1]) / mode / name
    if not path.exists():
        raise unittest.SkipTest(f"{path} does not exist: run tools/build-workloads {name}.")
    return path


def few(choices):
    """All of them, or some that lie evenly among them where only so many are wanted."""
    choices = list(choices)
    wanted = int(os.environ.get("MAPSCOPE_FEW", len(choices)))
    return choices if wanted >= len(choices) else [choices[i * len(choices) // wanted] for i in range(wanted)]


def modes(wanted):
    """Those of the build modes that there are; plain ones where that is none."""
    built = os.environ.get("MAPSCOPE_MODES", "plain,stripped,pie,cgo").split(",")
    return [mode for mode in wanted if mode in built] or ["plain"]


@contextlib.contextmanager
def started(command, **options):
    """A child process that does not outlive the block."""
    process = subprocess.Popen([str(word) for word in command], **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def wait_for(condition, what, seconds=TIMEOUT_SECONDS):
    """What `condition` returns once that is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s.")
        time.sleep(0.01)
    return value


def truth_in(output):
    """The line that a workload ends with."""
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise AssertionError(f"The workload printed no truth, but: {output!r}")
    return json.loads(lines[-1])


@dataclasses.dataclass
class Run:
    """One run of mapscope and of the program it watched."""
    exit_code: int
    report: dict | None  # what --json gave; None: nothing
    messages: str        # of mapscope, and of the program where both share standard error
    output: str          # of the program

    @property
    def truth(self):
        return truth_in(self.output)

    @property
    def operations(self):
        return {key: self.report["operations"][key] for key in COUNTED}


def read_report(path):
    text = pathlib.Path(path).read_text()
    return json.loads(text) if text else None


def verify_command(report, *options):
    return [mapscope(), "verify", "--json", "-o", str(report), *options]


def verify(command, *options, program_env=None, program_stderr=None):
    """Starts `command` under `mapscope verify` and waits for both."""
    environment = os.environ | (program_env or {})
    with tempfile.TemporaryDirectory(prefix="mapscope-e2e-") as directory:
        report = pathlib.Path(directory) / "report.json"
        report.touch()
        done = subprocess.run([*verify_command(report, *options), "--", *map(str, command)], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=program_stderr or subprocess.PIPE, timeout=TIMEOUT_SECONDS)
        return Run(done.returncode, read_report(report), done.stderr or "", done.stdout)


@contextlib.contextmanager
def waiting(command, **options):
    """A workload that waits at the beginning of its phase."""
    with started([*command, "-wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options) as target:
        if target.stdout.readline() != "ready\n":
            raise AssertionError(f"{command[0]} did not get ready.")
        yield target


@contextlib.contextmanager
def watching(pid, *options):
    """A `mapscope verify -p` that has its probes in place; yields it and the path of its report."""
    with tempfile.TemporaryDirectory(prefix="mapscope-e2e-") as directory:
        report = pathlib.Path(directory) / "report.json"
        report.touch()
        with started([*verify_command(report, *options), "-p", str(pid)], stderr=subprocess.PIPE, text=True) as tracer:
            said = tracer.stderr.readline()
            if "watching process" not in said:
                raise AssertionError(f"mapscope ended with {tracer.wait()}: {said}{tracer.stderr.read()}")
            yield tracer, report


def verify_waiting(target, *options, pid=None):
    """Watches a waiting workload from here to its end. `pid`: its number, where it is not a child."""
    with watching(pid or target.pid, *options) as (tracer, report):
        output, _ = target.communicate("\n", timeout=TIMEOUT_SECONDS)
        _, messages = tracer.communicate(timeout=TIMEOUT_SECONDS)
        return Run(tracer.returncode, read_report(report), messages, output)


def verify_running(command, *options):
    """Attaches `mapscope verify -p` to a workload that waits, and lets it go on to its end."""
    with waiting(command) as target:
        return verify_waiting(target, *options)


@dataclasses.dataclass
class Trace:
    """One run of `mapscope trace --json` and of the program it watched."""
    exit_code: int
    events: list         # as the lines came, but for the last
    end: dict | None     # the last line; None: it is missing
    messages: str        # of mapscope, and of the program
    output: str          # of the program

    @property
    def truth(self):
        return truth_in(self.output)

    @property
    def lost(self):
        return {name: count for name, count in self.end["events"]["lost"].items() if count}

    def of(self, *kinds):
        return [event for event in self.events if event["event"] in kinds]


def parse_trace(text):
    """Events, and the line that says that no more come."""
    events = [json.loads(line) for line in text.splitlines()]
    end = events.pop() if events and events[-1]["event"] == "end" else None
    return events, end


@contextlib.contextmanager
def scratch():
    """A directory that goes away."""
    with tempfile.TemporaryDirectory(prefix="mapscope-e2e-") as directory:
        yield pathlib.Path(directory)


def run_mapscope(*arguments, **options):
    """Output and messages of both are bytes: replayed ones are compared."""
    return subprocess.run([mapscope(), *map(str, arguments)], capture_output=True, timeout=TIMEOUT_SECONDS, **options)


def trace(command, *options):
    """Starts `command` under `mapscope trace` and waits for both."""
    with scratch() as directory:
        done = run_mapscope("trace", "--json", "-o", directory / "events", *options, "--", *command)
        events, end = parse_trace((directory / "events").read_text())
        return Trace(done.returncode, events, end, done.stderr.decode(), done.stdout.decode())


@contextlib.contextmanager
def tracing(*options):
    """A `mapscope trace` of what runs already, with its probes in place; yields it and its output's path."""
    with scratch() as directory:
        with started([mapscope(), "trace", "--json", "-o", directory / "events", *options], stderr=subprocess.PIPE, text=True) as tracer:
            said = ""
            while "watching" not in said:
                if not (line := tracer.stderr.readline()):
                    raise AssertionError(f"mapscope ended with {tracer.wait()}: {said}")
                said += line
            yield tracer, directory / "events"


@contextlib.contextmanager
def stopped(process):
    """One that does nothing for a while, such as a tracer whose buffer is to fill. It never stays so."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def text_of(pid):
    """The machine code of a running program, with the breakpoints that probes are."""
    executable = os.readlink(f"/proc/{pid}/exe")
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        place, rights, *_, path = line.split(maxsplit=5)
        if path == executable and "x" in rights:
            begin, end = (int(word, 16) for word in place.split("-"))
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                return os.pread(memory.fileno(), end - begin, begin)
    raise AssertionError(f"Process {pid} has mapped no code of {executable}.")


def child_of(pid):
    """The one child of a process, whichever thread started it."""
    [child] = [int(word) for task in pathlib.Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()]
    return child


def probed_text(program):
    """The code of a program that is watched with --all, for wait_for_probes. Not for PIE."""
    with waiting([program]) as target, tracing("-p", target.pid, "--all"):
        return text_of(target.pid)


def wait_for_probes(pid, probed):
    """Until a program that was started under a tracer has all its probes: its code is the one of another that has them."""
    wait_for(lambda: text_of(pid) == probed, f"Process {pid} is probed")


def tracer_of(pid):
    """Who ptraces a process; 0: nobody."""
    return int(re.search(r"^TracerPid:\t(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def bpf_objects(process):
    """Ids of the BPF programs and links that a process holds."""
    ids = set()
    for entry in os.scandir(f"/proc/{process.pid}/fdinfo"):
        with contextlib.suppress(FileNotFoundError):
            ids |= set(re.findall(r"^(prog_id|link_id):\t(\d+)", pathlib.Path(entry.path).read_text(), re.M))
    return ids


def bpf_objects_of_this_machine():
    """The same of everybody, from bpftool."""
    ids = set()
    for kind in ("prog", "link"):
        listing = subprocess.run(["bpftool", "-j", kind, "show"], check=True, capture_output=True, text=True).stdout
        ids |= {(f"{kind}_id", str(row["id"])) for row in json.loads(listing)}
    return ids


def interrupt(process, number=signal.SIGINT, seconds=TIMEOUT_SECONDS):
    """Signals a process, and returns its exit status and how long it took to end."""
    begin = time.monotonic()
    process.send_signal(number)
    process.wait(timeout=seconds)
    return process.returncode, time.monotonic() - begin


class EndToEndTest(unittest.TestCase):
    """A test of the executable on this kernel."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        mapscope()
        require_root()

    def assert_exit(self, run, expected):
        report = json.dumps(run.report, indent=1)[:4000]
        self.assertEqual(run.exit_code, expected, f"\nmapscope said: {run.messages}\nreport: {report}\nprogram: {run.output}")

    def assert_nothing_lost(self, run):
        self.assertEqual({name: count for name, count in run.report["events"]["lost"].items() if count}, {})

    def assert_agrees_with_truth(self, run, control=None):
        """Every count that the program knows is the one reported, less those of a run without its phase."""
        expected = {key: run.truth[key] for key in COUNTED if run.truth[key] is not None}
        beside = control.operations if control else dict.fromkeys(COUNTED, 0)
        self.assertEqual({key: run.operations[key] - beside[key] for key in expected}, expected)


class _Result(unittest.TextTestResult):
    """Says why a test was skipped, also when CTest shows no more than the last lines, and what became
    of each test to who wants to count them."""

    def startTest(self, test):
        super().startTest(test)
        self._began, self._failures = time.monotonic(), []

    def stopTest(self, test):
        super().stopTest(test)
        if self._failures:
            self._tell(test, "failed", " | ".join(self._failures), time.monotonic() - self._began)

    def addSuccess(self, test):
        super().addSuccess(test)
        if not self._failures:
            self._tell(test, "passed", "", time.monotonic() - self._began)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skipped: {reason}", file=sys.stderr)
        self._tell(test, "skipped", reason, 0)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, err)

    def addError(self, test, err):
        super().addError(test, err)
        if isinstance(test, unittest.TestCase):
            self._note(test, err)
        else:  # what prepares a class or a module
            self._tell(test, "failed", str(err[1]), 0)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self._note(subtest, err)

    def _note(self, test, err):
        self._failures.append(f"{test}: {err[1]}"[:2000])

    def _tell(self, test, state, why, seconds):
        if path := os.environ.get("MAPSCOPE_RESULTS"):
            name = test.id().removeprefix("__main__.")
            with open(path, "a") as results:
                results.write(json.dumps({"name": name, "state": state, "why": why, "seconds": round(seconds, 1)}) + "\n")


def main():
    """Runs the tests of the calling file; its exit status is CTest's."""
    program = unittest.main("__main__", exit=False, testRunner=unittest.TextTestRunner(resultclass=_Result, verbosity=2))
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    skipped_everything = len(result.skipped) >= max(1, result.testsRun)
    sys.exit(SKIPPED if skipped_everything else 0)
