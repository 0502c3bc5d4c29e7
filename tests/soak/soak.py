#!/usr/bin/env python3
"""Runs a daemon and the other commands of mapscope on random Go programs for some minutes, while it kills, stops and replaces
whatever is there, and proves at the end that nothing crashed, nothing leaked, nobody was harmed, and that all counters add up.

    MAPSCOPE=build/dev/userspace/mapscope tests/soak/soak.py --minutes 30 [--seed N]
    tests/soak/soak.py --each-once           every fault once, in an order that the seed chooses

`make soak TIME=30 SEED=N` does the first. What happened is in DIRECTORY/journal.jsonl; the summary goes to standard output.
"""
import argparse
import collections
import contextlib
import heapq
import http.client
import itertools
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import faults
import harness
import kernel
import runs
import zoo
from journal import Journal
from subject import Subject
from summary import summary

STEP_SECONDS = 0.05
MEASURE_SECONDS = 20
LOOK_SECONDS = 3          # between two questions about what fires
# Of the daemon without sanitizers, at the end, over what it had before anybody came.
RESIDENT_KIB_MORE = 16 << 10
END_SECONDS = 4           # SIGTERM: two are promised, on a machine that is not as busy as this one


class Soak:
    def __init__(self, directory, seed, options):
        self.directory, self.random, self.options = directory, random.Random(seed), options
        self.journal = Journal(directory / "journal.jsonl")
        self.zoo = zoo.Zoo(directory, options.versions, options.modes)
        self.programs = zoo.PROGRAMS
        self.targets, self.runs, self.bystanders = [], [], []
        self.runs_at_once = options.runs
        self.plain_mapscope = plain_mapscope()
        self.timers, self.order = [], itertools.count()
        self.sums, self.reasons = collections.Counter(), collections.Counter()
        self.losses, self.sent = collections.defaultdict(collections.Counter), collections.Counter()
        self.ended = collections.Counter()          # (command, exit status)
        self.targets_ended = collections.Counter()
        self.figures, self.baseline, self.last = [], None, None
        self.told = collections.Counter()           # fingerprints that fired -> how often they were seen
        self.unwritten = set()                      # of these, those that fired while the disk was full
        self.accused = set()
        self.daemon_losses = collections.Counter()
        self.life_losses = {}
        self.kinds_of = {}                          # pid -> program, of all that ever were
        self.runs_made = 0
        self.subject = None

    # What faults and runs ask for.

    def later(self, seconds, action):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.order), action))

    def new_directory(self, kind):
        self.runs_made += 1
        path = self.directory / kind / str(self.runs_made)
        path.mkdir(parents=True)
        return path

    def add_target(self, program, version, mode, path, circumstances="none", waits=False, private=False):
        if private:
            own = self.new_directory("replaced") / path.name
            zoo.link_or_copy(path, own)
            path = own
        target = self.zoo.start(program, version, mode, path, circumstances, waits)
        self.targets.append(target)
        if not private and program.name != "exec":
            self.zoo.ask_unwatched(program, version, mode)
        self.kinds_of[target.process.pid] = program
        self.journal.note("target", name=target.name)
        if program.name == "sick":
            self.later(self.random.uniform(0, 3), target.fall)
        if program.ends == "input":
            self.later(self.random.uniform(4, 45), target.let_end)
        elif waits:
            self.later(60, target.let_end)
        return target

    def some_target(self):
        living = [target for target in self.targets if target.process.poll() is None and target.pid() and target is not self.sound]
        return self.random.choice(living) if living else None

    def start_run(self, make):
        run = make(self)
        if run:
            self.runs.append(run)
            self.journal.note("run", command=run.words, target=run.target and run.target.name)
        return run

    def target_run(self, name, words_of, reports=True, **options):
        """Of something that runs already; None: nothing does."""
        target = self.some_target()
        if not target:
            return None
        report = self.new_directory("runs") / "report" if reports else None
        allowed = {harness.CLEAN, harness.INCONCLUSIVE, harness.GONE}
        if target.program.touches_files or target.program.misuses:
            allowed |= {harness.FOUND}
        return runs.Run(self, name, words_of(target, report), target=target, report=report, allowed=allowed, **options)

    def phase_run(self, name, words_of, programs=None):
        """Of a new target, from before it begins until it ends."""
        choice = programs or [one for one in self.programs if one.ends == "itself" and one.name not in ("bloat", "exec")]
        target = self.add_target(*self.zoo.choose(self.random, choice), waits=True)
        # What its packages do before that is not in its truth.
        if not self.wait(lambda: target.is_ready() or target.process.poll() is not None, f"{target.name} is ready", 120) or target.process.poll() is not None:
            return None
        report = self.new_directory("runs") / "report"
        allowed = {harness.CLEAN, harness.INCONCLUSIVE, harness.GONE}
        if target.program.touches_files or target.program.misuses:
            allowed |= {harness.FOUND}
        return runs.Run(self, name, words_of(target, report), target=target, phase=True, report=report, allowed=allowed)

    def count_losses(self, command, sent, lost):
        self.sent[command] += sent
        self.losses[command].update({name: count for name, count in lost.items() if count})

    # One step after the other.

    def step(self):
        while self.timers and self.timers[0][0] <= time.monotonic():
            heapq.heappop(self.timers)[2]()
        for run in [run for run in self.runs if run.step()]:
            if run.phase and run.target.process.poll() is None and not run.target.released:
                run.target.release()  # nobody else would
            self.runs.remove(run)
            self.judge(run)
        for target in [target for target in self.targets if target.process.poll() is not None]:
            if any(run.target is target for run in self.runs):
                continue  # its output is asked for
            self.targets.remove(target)
            self.bury(target)
        self.bystanders = [one for one in self.bystanders if one.poll() is None]
        self.subject.must_live()

    def judge(self, run):
        self.ended[run.name, run.process.returncode] += 1
        self.journal.note("run ended", command=run.words, status=run.process.returncode, seconds=round(time.monotonic() - run.begin, 2),
                          faults=sorted(run.faults))
        before = len(self.journal.problems)
        for problem in run.judge():
            self.journal.problem(f"`mapscope {' '.join(run.words)}` ({run.name}; {run.target and run.target.name}) {problem}", faults=sorted(run.faults))
        if len(self.journal.problems) == before:
            shutil.rmtree(run.directory, ignore_errors=True)
            if run.recording:
                shutil.rmtree(run.recording.parent, ignore_errors=True)

    def bury(self, target):
        if target is self.sound:
            self.journal.problem(f"The sound program {target.name} ended with {target.process.returncode}: {target.errors()[:1000]}")
            return
        harm = target.harm()
        how = "killed" if "killed" in target.faults else "without memory" if target.circumstances == "no_memory" else "harmed" if harm else "as ever"
        self.targets_ended[how] += 1
        self.journal.note("target ended", name=target.name, status=target.process.returncode, faults=sorted(target.faults))
        if harm:
            self.journal.problem(f"{target.name} was harmed: it {harm}", faults=sorted(target.faults))
        target.forget()

    def look_at_findings(self):
        """What fires is about programs that have it, and is remembered: it has to be told, whatever happens meanwhile."""
        answer = self.subject.ask("/api/v1/findings?state=firing")
        if not answer:
            return
        for alert in answer["findings"]:
            if alert["fingerprint"] not in self.told and self.subject.disk_was_full:
                self.unwritten.add(alert["fingerprint"])
            self.told[alert["fingerprint"]] += 1
            process = alert["process"] or {}
            program = self.kinds_of.get(process.get("pid"))
            if program is None:
                continue
            if alert["kind"] == "file-io" and not program.touches_files or alert["kind"] == "map-misuse" and not program.misuses:
                if alert["fingerprint"] not in self.accused:
                    self.accused.add(alert["fingerprint"])
                    self.journal.problem(f"{alert['rule']} accuses {program}: {alert['summary']} {alert['cause']}")
        # Not before this look: what it saw first may have fired while there was no room.
        self.subject.disk_was_full = self.subject.disk.is_full()

    def measure(self):
        figures = self.subject.figures()
        if not figures:
            return None
        status = self.subject.ask("/api/v1/status")
        figures |= {"second": round(self.journal.seconds()), "targets": len(self.targets), "life": self.subject.lives}
        if status:
            figures |= {"lost": {name: count for name, count in status["lost"].items() if count}, "firing": status["findings"]["firing"],
                        "health": status["health"], "seen": status["processes"]["seen"], "problems": status["problems"]}
            self.life_losses[self.subject.lives] = figures["lost"]
        if zombies := [child for child in kernel.children_of(self.subject.pid) if kernel.is_zombie(child)]:
            figures["zombies"] = len(zombies)
        self.figures.append(figures)
        self.journal.note("figures", **figures)
        return figures

    # The whole of it.

    def begin(self):
        self.before = kernel.bpf_objects()
        self.pins = kernel.pins()
        self.subject = Subject(self.directory, self.journal, self.random)
        self.subject.start()
        version, mode = self.options.versions[-1], "plain"
        self.sound = self.zoo.start(zoo.Program("sick", ("-illness", "waste", "-n", "100000"), ends="input"), version, mode,
                                    self.zoo.executable("sick", version, mode), nice=0)
        self.kinds_of[self.sound.process.pid] = self.sound.program
        self.wait(self.is_sound_watched, "the sound program is watched", 120)
        self.serves("at the beginning")
        self.baseline = self.measure()

    def is_sound_watched(self):
        row = self.subject.daemon and not self.subject.is_stopped and self.subject.daemon.watched(self.sound.process.pid)
        return row and row["state"] == "watched" and row["probes"]["attached"]

    def wait(self, condition, what, seconds):
        """Whether it came true; a problem if not. Everything else goes on meanwhile."""
        deadline = time.monotonic() + seconds
        while not (value := self.quietly(condition)):
            if time.monotonic() > deadline:
                self.journal.problem(f"{what}: not within {seconds} s.")
                return None
            if self.subject:
                self.step()
            time.sleep(STEP_SECONDS)
        return value

    @staticmethod
    def quietly(condition):
        """The daemon may be between two lives."""
        with contextlib.suppress(OSError, KeyError, AttributeError, http.client.HTTPException):
            return condition()

    def fires_for_sound(self):
        return any((alert["process"] or {}).get("pid") == self.sound.process.pid and alert["rule"] == "map-waste" for alert in self.subject.daemon.firing())

    def serves(self, when):
        """It fires for the sound program when that falls ill, and is silent when it has recovered."""
        self.sound.write("fall\n")
        self.wait(self.fires_for_sound, f"the sound program is judged {when}", 180)
        self.sound.write("recover\n")
        self.wait(lambda: not self.fires_for_sound(), f"the sound program is well {when}", 180)

    def go_on(self, seconds):
        """Random things at random moments."""
        deadline, next_measure, next_look, next_act = time.monotonic() + seconds, 0, 0, 0
        kinds, weights = [act for _, act in faults.KINDS], [weight for weight, _ in faults.KINDS]
        while (now := time.monotonic()) < deadline:
            if now >= next_act:
                act = self.random.choices(kinds, weights)[0]
                if act is not faults.start_target or len(self.targets) < self.options.targets:
                    act(self)
                next_act = now + self.random.expovariate(1 / self.options.pause)
            self.step()
            if now >= next_look:
                self.look_at_findings()
                next_look = now + LOOK_SECONDS
            if now >= next_measure:
                self.measure()
                next_measure = now + MEASURE_SECONDS
            time.sleep(STEP_SECONDS)

    def each_once(self):
        """Every fault, and every kind of run, in a random order."""
        for _ in range(4):
            faults.start_target(self)
        acts = [act for _, act in faults.KINDS if act is not faults.run_command]
        acts += [lambda soak, make=make: soak.start_run(make) for _, make in runs.KINDS]
        self.random.shuffle(acts)
        for act in acts:
            if len(self.targets) < 4:
                faults.start_target(self)
            act(self)
            until = time.monotonic() + self.options.pause
            while time.monotonic() < until:
                self.step()
                time.sleep(STEP_SECONDS)
            self.look_at_findings()

    def calm_down(self):
        """All that was begun ends; what was broken is whole again."""
        while self.timers:
            heapq.heappop(self.timers)[2]()
        self.subject.cont()
        self.subject.disk.free()
        self.subject.hook.mode = "good"
        self.subject.works(True)
        self.subject.must_live()
        self.subject.reload("good")
        for run in self.runs:
            run.process.send_signal(signal.SIGCONT)
            if run.phase:
                run.target.release()
            elif run.process.poll() is None and "--duration" not in run.words:
                run.signal(signal.SIGINT)
        for target in self.targets:
            target.signal(signal.SIGCONT)
            target.let_end()
        self.wait(lambda: not self.runs, "all commands end", 420)
        self.wait(lambda: not self.targets, "all targets end", 300) or self.kill_rest()
        self.wait(lambda: not self.bystanders, "storms end", 300)

    def kill_rest(self):
        for target in self.targets:
            target.kill()
        self.wait(lambda: not self.targets, "all targets are gone", 30)

    def check_daemon(self):
        """Of the last life: it serves, holds what it held at the beginning, has told all, and ends."""
        daemon = self.subject.daemon
        self.serves("at the end")
        self.wait(lambda: {row["pid"] for row in daemon.ask("/api/v1/processes")["processes"]} == {self.sound.process.pid},
                  "the daemon forgets programs that are gone", 60)
        self.wait(lambda: daemon.ask("/api/v1/status")["config"]["reload_failed"] is False, "the good configuration is in force", 30)
        self.wait(lambda: not [row for row in daemon.firing() if row["process"]], "findings of programs that are gone are over", 60)
        for name in ("hook", "file", "command"):
            self.wait(lambda: self.pending(name) == 0, f"the sink {name} takes what waited for it", 60)
        for what, more in (("descriptors", 2), ("threads", 1), ("children", 1)):
            if not self.wait(lambda: self.subject.figures()[what] <= self.baseline[what] + more, f"{what} of the daemon go", 60):
                self.journal.problem(f"{self.subject.figures()[what]} {what} at the end, {self.baseline[what]} at the beginning: " + ", ".join(
                    sorted(os.readlink(entry.path) for entry in os.scandir(f"/proc/{self.subject.pid}/fd") if os.path.lexists(entry.path))))
        if not self.options.sanitizers:
            # What was freed is given back once a minute.
            self.wait(lambda: self.subject.figures()["resident_kib"] <= self.baseline["resident_kib"] + RESIDENT_KIB_MORE, "memory of the daemon goes", 150)
        self.last = self.measure()
        received = {alert["fingerprint"] for alert in self.subject.hook.alerts}
        expected = {fingerprint for fingerprint, times in self.told.items() if times >= 2} - self.unwritten
        if missing := expected - received:
            self.journal.problem(f"{len(missing)} of {len(expected)} findings were never told: {sorted(missing)[:5]}")
        self.sums["alerts: findings that fired = told"] = len(expected)
        self.subject.end_gracefully()

    def pending(self, sink):
        return next(row["pending"] for row in self.subject.daemon.ask("/api/v1/status")["alerts"]["sinks"] if row["name"] == sink)

    def check_kernel(self):
        """Nothing of mapscope is left behind, neither in the kernel nor in the code of who lives on."""
        deadline = time.monotonic() + 30
        left = kernel.left_over(self.before)
        while left and time.monotonic() < deadline:
            time.sleep(1)
            left &= kernel.left_over(self.before)  # what others of this machine hold for a moment is never there twice
        if left:
            self.journal.problem(f"The kernel has BPF objects that nobody holds: {sorted(left)}")
        if new := {pin for pin in kernel.pins() - self.pins if "mapscope" in pin}:
            self.journal.problem(f"Pins are left: {sorted(new)}")
        # Others of this machine may watch every Go program for a while.
        while (changed := kernel.changed_code(self.sound.process.pid)) and time.monotonic() < deadline:
            time.sleep(1)
        if changed:
            self.journal.problem(f"{changed} bytes of the code of {self.sound.name} are not its file's.")

    def check_words(self):
        for line in self.subject.unfit_lines():
            self.journal.problem(f"The daemon's log has: {line[:500]}")
        for name, text in self.sanitizers.reports().items() if self.options.sanitizers else ():
            self.journal.problem(f"A sanitizer reports ({name}): {text}")
        for what, seconds in (("SIGTERM", self.subject.ends_seconds),):
            if seconds and max(seconds) > END_SECONDS and not self.options.sanitizers:
                self.journal.problem(f"{what} took the daemon {max(seconds):.2f} s.")

    def run(self):
        try:
            self.begin()
            self.each_once() if self.options.each_once else self.go_on(self.options.minutes * 60)
            self.journal.note("calming down")
            self.calm_down()
            self.check_daemon()
            self.check_kernel()
            self.check_words()
        finally:
            self.close()
        for lost in self.life_losses.values():
            self.daemon_losses.update(lost)

    def close(self):
        for run in self.runs:
            run.process.kill()
            run.process.wait()
        for target in [*self.targets, *([self.sound] if getattr(self, "sound", None) else [])]:
            target.process.kill()
            target.process.wait()
        self.zoo.close()
        for one in self.bystanders:
            one.kill()
            one.wait()
        if self.subject:
            self.subject.close()


def plain_mapscope():
    """A build without sanitizers; None: there is none. It is the executable under test where that has none."""
    under_test = pathlib.Path(harness.mapscope())
    if not kernel.has_sanitizers(under_test):
        return under_test
    release = harness.ROOT / "build/release/userspace/mapscope"
    return release if release.exists() else None


def options_from(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--minutes", type=float, default=30, help="of faults; the end takes some more")
    parser.add_argument("--each-once", action="store_true", help="every fault once instead")
    parser.add_argument("--seed", type=int, help="default: another one each time, which is printed")
    parser.add_argument("--directory", type=pathlib.Path, help="keep the journal and logs here (default: they go away unless there was a problem)")
    parser.add_argument("--targets", type=int, default=30, help="at most so many at once")
    parser.add_argument("--runs", type=int, default=4, help="at most so many commands at once, besides the daemon")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds between two things that happen, on average")
    options = parser.parse_args(arguments)
    options.versions, options.modes = harness.go_versions(), zoo.MODES
    options.seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    return options


def main(arguments=None):
    options = options_from(arguments)
    harness.require_root()
    directory = options.directory.resolve() if options.directory else pathlib.Path(tempfile.mkdtemp(prefix="mapscope-soak-"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("soak: told to end"))
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    directory.chmod(0o755)
    print(f"soak: seed {options.seed}, {directory}", flush=True)
    sanitizers = kernel.Sanitizers(directory / "sanitizers")
    options.sanitizers = kernel.has_sanitizers(harness.mapscope())
    os.environ.update(sanitizers.environment)
    soak = Soak(directory, options.seed, options)
    soak.sanitizers = sanitizers
    soak.run()
    print(summary(soak), flush=True)
    if not soak.journal.problems and not options.directory:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if soak.journal.problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except unittest.SkipTest as reason:
        print(f"soak: {reason}", file=sys.stderr)
        sys.exit(harness.SKIPPED)
