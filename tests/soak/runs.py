"""Runs of mapscope's commands on the targets of a soak, and whether what each said at its end is true."""
import json
import pathlib
import re
import signal
import subprocess
import time

import accounts
import harness

SECONDS_AT_MOST = 400  # what takes some seconds on an idle machine; longer is a hang
NO_SENTENCE = re.compile(r"terminate called|Sanitizer|runtime error|core dumped|Assertion|std::|Traceback")
LOADER = "error while loading shared libraries"
RECORDING_BYTES_MAX = 64 << 20  # of those that are counted


class Run:
    """A command that runs. `phase`: it waits for it, and then lets its target go on, so that it saw everything."""

    def __init__(self, soak, name, arguments, target=None, phase=False, allowed=(harness.CLEAN, harness.INCONCLUSIVE, harness.GONE),
                 before=(), executable=None, report=None, recording=None):
        self.soak, self.name, self.target, self.phase, self.allowed = soak, name, target, phase, set(allowed)
        self.report, self.recording, self.faults = report, recording, set()
        self.directory = report.parent if report else soak.new_directory("runs")
        self.begin = time.monotonic()
        self.words = [str(word) for word in arguments]
        self.command = [*before, str(executable or harness.mapscope()), *self.words]
        with open(self.directory / "out", "wb") as out, open(self.directory / "err", "wb") as err:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def messages(self):
        return (self.directory / "err").read_text(errors="replace")

    def step(self):
        """Whether it has ended."""
        if self.process.poll() is not None:
            return True
        if self.phase and "watching" in self.messages() and self.target.is_ready():
            self.target.release()
        if time.monotonic() - self.begin > SECONDS_AT_MOST and "hangs" not in self.faults:
            self.faults |= {"hangs", "killed"}
            self.soak.journal.problem(f"`{' '.join(self.words)}` hangs: {self.messages()[-1000:]}")
            self.process.kill()
        return False

    def signal(self, number):
        self.faults.add("killed" if number == signal.SIGKILL else "stopped" if number == signal.SIGSTOP else "signalled")
        self.process.send_signal(number)

    def judge(self):
        """Problems, in sentences."""
        status, said = self.process.returncode, self.messages()
        own = "\n".join(line for line in said.splitlines() if not self.target or "goroutine" not in line)
        if found := NO_SENTENCE.search(own):
            yield f"says {found[0]!r}: {said[-1500:]}"
        if status < 0:
            if not (status == -signal.SIGKILL and "killed" in self.faults or status in (-signal.SIGINT, -signal.SIGTERM) and "signalled" in self.faults):
                yield f"was ended by signal {-status}: {said[-1500:]}"
            return
        if status == 127 and LOADER in said:  # no memory for its libraries: it never began
            return
        if status not in self.allowed:
            yield f"ended with {status}, expected one of {sorted(self.allowed)}: {said[-1500:]}"
        elif status not in (harness.CLEAN, harness.FOUND) and not said.strip() and not self.report:
            yield f"ended with {status} and says nothing"
        if self.name.startswith("verify"):
            yield from self.judge_verify(status)
        elif self.name.startswith("trace"):
            yield from self.judge_trace(status)
        elif self.recording:
            yield from self.judge_recording(status)

    def saw_everything(self):
        """It watched from before the target's first map to after its last, and nobody disturbed the target."""
        return self.phase and self.target.released and self.target.process.poll() == 0 and "killed" not in self.target.faults \
            and "signalled" not in self.faults

    def truth(self):
        return harness.truth_in(self.target.output())

    def judge_verify(self, status):
        report = read(self.report)
        if report is None:
            if status in (harness.CLEAN, harness.FOUND):
                yield f"ended with {status} and wrote no report"
            return
        self.soak.count_losses("verify", report["events"]["sent"], report["events"]["lost"])
        verdict = {harness.CLEAN: "clean", harness.FOUND: "violated"}.get(status, "inconclusive")
        if report["verdict"] != verdict:
            yield f"ended with {status} and says {report['verdict']}"
        if report["verdict"] != "clean" and not report["reasons"] and not report["violations"]:
            yield "is not clean and gives no reason"
        for reason in report["reasons"]:
            self.soak.reasons[re.sub(r"\d[\d,.]*", "N", reason)[:150]] += 1
        if report["violations"] and not (self.target and self.target.program.touches_files):
            yield f"accuses {self.target and self.target.name}: {json.dumps(report['violations'][:2])}"
        if report["verdict"] == "clean" and self.saw_everything():
            truth = self.truth()
            counted = {key: report["operations"][key] for key in harness.COUNTED if truth.get(key) is not None}
            if counted != {key: truth[key] for key in counted}:
                yield f"counted {counted}, and {self.target.name} says {truth}"
            self.soak.sums["verify: operations counted = made"] += 1

    def judge_trace(self, status):
        text = self.report.read_text(errors="replace") if self.report.exists() else ""
        lines = text.splitlines()
        if not lines or '"event":"end"' not in lines[-1]:
            if status == harness.CLEAN and "full disk" not in self.faults:
                yield "ended well and wrote no last line"
            return
        end = json.loads(lines[-1])
        self.soak.count_losses("trace", end["events"]["sent"], end["events"]["lost"])
        yield from accounts.problems_of_end(end)
        self.soak.sums["trace: sum of kinds = events"] += 1
        if self.saw_everything() and self.target.program.counts:
            if problem := accounts.problem_of_operations(end, self.truth()):
                yield f"{problem} ({self.target.name}; {json.dumps(end)[:1500]})"
            self.soak.sums["trace: sent + lost = made"] += 1

    def judge_recording(self, status):
        """What the kernel sent is in the file, record by record; of one that broke off, replay says so."""
        if not self.recording.exists() or self.recording.stat().st_size > RECORDING_BYTES_MAX or "full disk" in self.faults:
            return
        replayed = harness.run_mapscope("replay", "--json", self.recording)
        lines = replayed.stdout.decode(errors="replace").splitlines()
        if status < 0 or not lines or '"event":"end"' not in lines[-1]:
            if replayed.returncode not in (harness.CLEAN, harness.FOUND, harness.INCONCLUSIVE):
                yield f"left a recording that can't be replayed: {replayed.returncode}, {replayed.stderr[-1000:]!r}"
            return
        end = json.loads(lines[-1])
        self.soak.count_losses("record", end["events"]["sent"], end["events"]["lost"])
        yield from accounts.problems_of_end(end)
        if unequal := accounts.unequal_record_counts(self.recording, end):
            yield f"does not hold what was sent: {unequal}"
        self.soak.sums["record: sent = in the recording, each kind"] += 1


def read(path):
    text = pathlib.Path(path).read_text(errors="replace") if path and pathlib.Path(path).exists() else ""
    try:
        return json.loads(text) if text.strip() else None
    except json.JSONDecodeError:
        return None


# How runs come to be; each takes the soak and gives a Run, or None where there is nothing to run it on.

def verify_running(soak):
    return soak.target_run("verify -p", lambda target, report: ["verify", "--json", "-o", report, "-p", target.pid(), *soak.random.choice(
        [[], [], ["--light"], ["--exact"], ["--follow"]]), "--duration", round(soak.random.uniform(0.5, 6), 1)])


def verify_from_the_start(soak):
    return soak.phase_run("verify phase", lambda target, report: ["verify", "--json", "-o", report, "-p", target.pid()])


def verify_command(soak):
    program, _, _, path = soak.zoo.choose(soak.random, [one for one in soak.programs if one.ends == "itself" and not one.environment])
    report = soak.new_directory("runs") / "report"
    allowed = [harness.CLEAN, harness.INCONCLUSIVE] + ([harness.FOUND] if program.touches_files else [])
    run = Run(soak, "verify --", ["verify", "--json", "-o", report, "--", path, *program.arguments], report=report, allowed=allowed)
    run.target = type("Command", (), {"program": program, "name": f"{path} {program.arguments}"})
    return run


def trace_running(soak):
    return soak.target_run("trace -p", lambda target, report: ["trace", "--json", "-o", report, "-p", target.pid(), *soak.random.choice(
        [[], ["--all"], ["--exact"], ["--all", "--stack"], ["--follow"], ["--all", "--buffer", "1"]]), "--duration",
        round(soak.random.uniform(0.5, 5), 1)])


def trace_from_the_start(soak):
    return soak.phase_run("trace phase", lambda target, report: [
        "trace", "--json", "-o", report, "-p", target.pid(), "--all", "--only", "created,grown,split", "--buffer", soak.random.choice([1, 4])],
        programs=[one for one in soak.programs if one.counts])


def trace_while_stopped(soak):
    """Nobody reads the ring for a while: it is filled."""
    run = trace_from_the_start(soak)
    if run:
        def stop():
            if run.target.released and run.process.poll() is None:
                run.signal(signal.SIGSTOP)
                soak.later(soak.random.uniform(1, 4), lambda: run.process.poll() is None and run.process.send_signal(signal.SIGCONT))
            elif run.process.poll() is None:
                soak.later(0.05, stop)
        stop()
    return run


def trace_everybody(soak):
    report = soak.new_directory("runs") / "report"
    return Run(soak, "trace --all-go", ["trace", "--json", "-o", report, "--all-go", "--duration", soak.random.choice([1, 2, 4])], report=report,
               allowed=(harness.CLEAN, harness.FOUND, harness.INCONCLUSIVE))


def record_running(soak):
    run = soak.target_run("record -p", lambda target, report: ["record", report, "-p", target.pid(), *soak.random.choice(
        [[], ["--rare"], ["--exact"]]), "--duration", round(soak.random.uniform(0.5, 4), 1)])
    return as_recording(run)


def record_from_the_start(soak):
    return as_recording(soak.phase_run("record phase", lambda target, report: ["record", report, "-p", target.pid()]))


def as_recording(run):
    if run:
        run.recording, run.report = run.report, None
    return run


def maps(soak):
    words = soak.random.choice([[], ["--json"], ["--owners"], ["--learn", "300ms"], ["--watch", "1"], ["--json", "--watch", "1"], ["--group-by", "type"]])
    run = soak.target_run("maps" + "".join(f" {word}" for word in words if word.startswith("--w") or word.startswith("--l")),
                          lambda target, report: ["maps", "-p", target.pid(), "-o", report, *words])
    return interrupted_where_endless(soak, run)


def bpf_maps(soak):
    words = soak.random.choice([["--watch", "1"], ["--json"], ["--own"], ["--rates", "300ms"], ["--json", "--watch", "1"]])
    run = Run(soak, "bpf-maps" + (" --watch" if "--watch" in words else ""), ["bpf-maps", *words], allowed=(harness.CLEAN,))
    return interrupted_where_endless(soak, run)


def interrupted_where_endless(soak, run):
    if run and "--watch" in run.words:
        soak.later(soak.random.uniform(3, 8), lambda: run.process.poll() is None and run.signal(soak.random.choice([signal.SIGINT, signal.SIGTERM])))
    return run


def small_ones(soak):
    path = soak.zoo.choose(soak.random)[3]
    words = soak.random.choice([["inspect", path], ["inspect", "--json", path], ["doctor"], ["status", "--socket", soak.subject.socket]])
    # `status` tells by its own what fires.
    return Run(soak, words[0], words, allowed=(harness.CLEAN, harness.INCONCLUSIVE, *([harness.FOUND] if words[0] == "status" else [])))


def without_rights(soak):
    """As a user who may do nothing of this."""
    words = soak.random.choice([["verify"], ["trace"], ["maps"], ["record", "/dev/null"]])
    run = soak.target_run("without rights: " + words[0], lambda target, _: [*words, "-p", target.pid(), *(["--duration", "1"] if words != ["maps"] else [])],
                          before=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], reports=False)
    if run:
        run.allowed |= {harness.DENIED}
        run.name = run.words[0] + " without rights"
    return renamed(run, "without rights: " + words[0])


def without_memory(soak):
    """Sanitizers reserve terabytes of addresses: only of a build without them."""
    if not soak.plain_mapscope:
        return None
    limit = soak.random.randrange(44 << 20, 300 << 20)
    words = soak.random.choice([["verify"], ["trace"], ["maps"], ["record", "/dev/null"], ["maps", "--owners"]])
    run = soak.target_run("without memory", lambda target, _: [*words, "-p", target.pid(), *(["--duration", "1"] if words[0] != "maps" else [])],
                          before=["prlimit", f"--as={limit}"], executable=soak.plain_mapscope, reports=False)
    soak.journal.fault("memory denied to a command", megabytes=limit >> 20) if run else None
    return renamed(run, "without memory: " + words[0])


def renamed(run, name):
    if run:
        run.name = name
    return run


def onto_a_full_disk(soak):
    """It says that its output is not whole, and ends."""
    kind = soak.random.choice(["trace", "record"])
    report = soak.new_directory("runs") / "report"
    words = {"trace": ["trace", "-o", "/dev/full"], "record": ["record", "/dev/full"]}[kind]
    target = soak.some_target()
    if not target:
        return None
    soak.journal.fault("full disk under a command")
    run = Run(soak, f"full disk: {kind}", [*words, "-p", target.pid(), "--duration", "2"], target=target, report=None)
    run.faults.add("full disk")
    return run


KINDS = ((6, verify_running), (6, verify_from_the_start), (2, verify_command), (4, trace_running), (4, trace_from_the_start), (3, trace_while_stopped),
         (1, trace_everybody), (4, record_running), (3, record_from_the_start), (6, maps), (2, bpf_maps), (2, small_ones), (1, without_rights),
         (1, without_memory), (1, onto_a_full_disk))
