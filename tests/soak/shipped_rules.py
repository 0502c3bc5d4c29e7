#!/usr/bin/env python3
"""The configuration that is shipped on a host with ill programs and with healthy ones: each rule speaks about the program that has
its illness, with line and cause, Alertmanager has it, and it is over once the program recovers; of the healthy ones nothing is said.

    MAPSCOPE=build/release/userspace/mapscope tests/soak/shipped_rules.py

`make shipped-rules` does that. Thresholds and holds are those of packaging/mapscope.yaml, so it takes an hour and a half (a rule
looks at an hour) and 12 GiB. Of that file only these lines are another's: where things are kept, the address of the API, that
Alertmanager is told, and that no programs but those of this run are watched. Exit status 1: something was not as it should be.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import daemons
import harness
import test_bpf_maps
import test_daemon

PATIENCE_MINUTES = 10  # in Alertmanager an alert is over when nobody has told it again
TOLD = "alerts.jsonl"
FIRES_MINUTES, RECOVERS_MINUTES = 100, 30
LOOK_SECONDS = 5


@dataclasses.dataclass(frozen=True)
class Illness:
    rules: set
    options: tuple = ()
    environment: tuple = ()
    may: set = frozenset()  # be told too
    dies: bool = False  # what it did can't be taken back: it is over with the program


# Each no larger than its rules ask for, so that it breaks no others.
ILLNESSES = {
    "waste": Illness({"map-waste", "map-emptied"}, ("-n", "3000000")),
    "empty": Illness({"map-fill", "map-waste"}, ("-n", "12000000")),
    "large": Illness({"map-entries", "map-bytes"}, ("-n", "230000000")),
    "growing": Illness({"map-growth"}, ("-pace", "1800"), may={"heap-growth"}),
    "hoard": Illness({"heap-growth"}),
    "storm": Illness({"map-rehash-storm", "file-io"}, environment=(("GODEBUG", "gctrace=1"),), dies=True),
    "churn": Illness({"map-churn"}, dies=True),
    "crowd": Illness({"map-share", "memory-limit"}, ("-n", "35000000"), (("GOMEMLIMIT", "1190MiB"),)),
    "leak": Illness({"allocs-minus-frees"}, ("-before", "52000000", "-pace", "10")),
    # The runtime prints what is wrong while it is in the map operation.
    "misuse": Illness({"map-misuse"}, may={"file-io"}, dies=True),
}
BPF_RULES = {"bpf-fill", "bpf-unbounded"}
ABOUT_MAPS = {"map-waste", "map-emptied", "map-fill", "map-entries", "map-bytes", "map-growth", "map-rehash-storm", "map-churn", "file-io"}


def shipped_configuration(directory, alertmanager):
    """packaging/mapscope.yaml with those lines changed that are about this host."""
    text = (harness.ROOT / "packaging/mapscope.yaml").read_text()

    def put(line, instead):
        nonlocal text
        if text.count(line) != 1:
            sys.exit(f"packaging/mapscope.yaml has {text.count(line)} times, not once: {line}")
        text = text.replace(line, instead)

    for name in ("snapshots", "bpf-keys", "alerts.db"):
        put(f": /var/lib/mapscope/{name}\n", f": {directory}/{name}\n")
    put('    #- exe: ["/usr/bin/*", "/srv/*"]\n', f'    - exe: ["{directory}/*"]\n')
    put('"127.0.0.1:9435"', '"127.0.0.1:0"')
    put("/run/mapscope/mapscope.sock", f"{directory}/api.sock")
    put("target: auto", "target: console")
    put("    #- name: alertmanager\n    #  kind: alertmanager\n    #  url: http://127.0.0.1:9093\n",
        f"    - name: alertmanager\n      kind: alertmanager\n      url: http://{alertmanager}\n")
    put("    #- name: file\n    #  kind: file\n    #  path: /var/lib/mapscope/alerts.jsonl\n",
        f"    - name: file\n      kind: file\n      path: {directory}/{TOLD}\n")
    path = directory / "mapscope.yaml"
    path.write_text(text)
    return path


class Ward:
    """The ill programs, what was told of each, and when."""

    def __init__(self, directory, stack):
        self.directory, self.stack = directory, stack
        (directory / TOLD).touch()
        self.told = stack.enter_context(open(directory / TOLD))
        self.begin = time.monotonic()
        self.patients, self.subjects = {}, {}
        self.fired = collections.defaultdict(dict)     # patient -> (rule, fingerprint) -> minutes
        self.alerts, self.over = {}, {}                # by fingerprint; minutes
        self.cured, self.at_manager, self.others = {}, set(), {}
        self.falls = {}  # threads: who falls ill reads what its program answers
        self.problems = []

    def minutes(self):
        return (time.monotonic() - self.begin) / 60

    def say(self, words):
        print(f"{self.minutes():6.1f} min  {words}", flush=True)

    def admit(self, name, illness, sick):
        trace = self.stack.enter_context(open(self.directory / f"{name}.stderr", "wb"))
        command = [sick, "-illness", name, *illness.options]
        process = self.stack.enter_context(harness.started(command, env=os.environ | dict(illness.environment), text=True,
                                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=trace))
        self.patients[name] = daemons.Patient(process)
        self.subjects[process.pid] = name

    def cure(self, name):
        self.cured[name] = self.minutes()
        self.say(f"{name} recovers")
        one = self.patients[name]
        self.falls[name].join()
        if ILLNESSES[name].dies:
            one.process.kill()
            one.process.wait()
        else:
            one.tell("recover")

    def whose(self, alert):
        if alert["process"]:
            return self.subjects.get(alert["process"]["pid"])
        return "bpf" if (alert.get("bpf_map") or {}).get("name", "").startswith("shipped_") else None

    def hear(self, manager):
        """What the daemon has told since the last time."""
        for alert in itertools.chain.from_iterable(json.loads(line)["alerts"] for line in self.told):
            name, key, is_firing = self.whose(alert), alert["fingerprint"], alert["state"] == "firing"
            if name is None:
                if alert["process"]:
                    self.others.setdefault(key, alert)  # another's kernel maps may be as they are
                continue
            self.alerts.setdefault(key, alert)
            if is_firing and (alert["rule"], key) not in self.fired[name]:
                self.fired[name][alert["rule"], key] = self.minutes()
                self.say(f"{name}: {alert['rule']}: {alert['summary']}")
            elif not is_firing:
                self.problems += [f"{name}: {alert['rule']} was over twice"] if key in self.over else []
                self.over[key] = self.minutes()
                self.say(f"{name}: {alert['rule']} is over")
        self.at_manager |= test_daemon.rules_at(manager)

    def is_falling(self, name):
        return name in self.falls and self.falls[name].is_alive()

    def has_fired(self, name, rules):
        return rules <= {rule for rule, _ in self.fired[name]}

    def judge(self, wanted):
        for name, rules in wanted.items():
            told = collections.Counter(rule for rule, _ in self.fired[name])
            if missing := rules - told.keys():
                self.problems.append(f"{name}: not told: {', '.join(sorted(missing))}")
            may = ILLNESSES[name].may if name in ILLNESSES else set()
            if more := told.keys() - rules - may:
                self.problems.append(f"{name}: told though nobody expected it: {', '.join(sorted(more))}")
            self.problems += [f"{name}: {rule} was told under {count} names" for rule, count in told.items() if count > 1]
        for alert in self.alerts.values():
            if alert["rule"] in ABOUT_MAPS and not (alert["cause"] and ("main.go:" in (alert["site"] or "") or alert["owner"])):
                self.problems.append(f"without line or cause: {alert}")
        if missing := set().union(*wanted.values()) - self.at_manager:
            self.problems.append(f"Alertmanager did not hear of {', '.join(sorted(missing))}")
        self.problems += [f"not over: {self.alerts[key]['rule']}" for key in self.alerts.keys() - self.over.keys()]
        self.problems += [f"told of a program that is well: {alert}" for alert in self.others.values()]

    def table(self, wanted):
        print("\n| program | rule | told after, minutes | recovered | over | about |\n|---|---|---|---|---|---|")
        for name in wanted:
            for (rule, key), minutes in sorted(self.fired[name].items(), key=lambda item: item[1]):
                alert = self.alerts[key]
                print(f"| {name} | `{rule}` | {minutes:.0f} | {self.cured.get(name, 0):.0f} | {self.over.get(key, -1):.0f} | "
                      f"{alert['site'] or alert['owner'] or (alert.get('bpf_map') or {}).get('name') or 'the process'}; {alert['cause'] or ''} |")
        for problem in self.problems:
            print(f"- {problem[:600]}")
        print(f"Problems: {len(self.problems)}", flush=True)


@contextlib.contextmanager
def healthy(directory, daemon_address):
    """Programs of which nothing may be said: each begins anew when it has ended."""
    sick, quiet = directory / "sick", directory / "quiet"
    shutil.copy(harness.workload("quiet"), quiet)
    commands = [["nice", "-n", "19", quiet, "-n", "3000"]]
    if binary := shutil.which("prometheus"):
        shutil.copy(binary, directory / "prometheus")
        config = directory / "prometheus.yml"
        config.write_text(f"global: {{scrape_interval: 5s}}\nscrape_configs: [{{job_name: mapscope, static_configs: [{{targets: ['{daemon_address}']}}]}}]\n")
        commands.append([directory / "prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/tsdb",
                         f"--web.listen-address=127.0.0.1:{daemons.free_port()}"])
    ended = threading.Event()

    def keep(command):
        while not ended.is_set():
            with harness.started(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                while process.poll() is None and not ended.wait(0.5):
                    pass
            ended.wait(5)

    with harness.started([sick, "-illness", "none"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        daemons.Patient(process).tell("fall")
        with concurrent.futures.ThreadPoolExecutor(len(commands)) as pool:
            for command in commands:
                pool.submit(keep, [str(word) for word in command])
            try:
                yield [sick, *commands]
            finally:
                ended.set()


def bpf_maps(stack):
    """The kernel's maps that are ill, and what makes them well; None: nobody can make any."""
    if not os.environ.get("MAPSCOPE_EVERY_BPF_MAP"):
        return None
    maker = stack.enter_context(test_bpf_maps.made("--none"))
    full = maker.do("new", "hash", "shipped_fill", 1000)["id"]
    maker.do("fill", full, 0.95)
    maker.do("new", "hash", "shipped_huge", 100_000_000, 1)  # BPF_F_NO_PREALLOC

    def cure():
        maker.do("fill", full, 0.1)
        maker.process.stdin.close()  # it ends, and its maps with it
    return cure


def fall(ward):
    """All at once; the largest take minutes, and what is told of others does not wait for them."""
    def one(name):
        patient = ward.patients[name]
        (patient.tell_without_answer if name == "misuse" else patient.tell)("fall")
        ward.say(f"{name} fell ill")
    for name in ward.patients:
        ward.falls[name] = threading.Thread(target=one, args=(name,), daemon=True)
        ward.falls[name].start()


def watch(ward, manager, wanted, cure_bpf):
    def look():
        ward.hear(manager)
        for name, rules in wanted.items():
            if name not in ward.cured and ward.has_fired(name, rules) and not ward.is_falling(name):
                if name == "bpf":
                    ward.cured[name] = ward.minutes()
                    cure_bpf()
                else:
                    ward.cure(name)
        time.sleep(LOOK_SECONDS)
    while ward.cured.keys() != wanted.keys() and ward.minutes() < FIRES_MINUTES:
        look()
    for name in wanted.keys() - ward.cured.keys() - {"bpf"}:
        ward.cure(name)
    end = ward.minutes() + RECOVERS_MINUTES
    while ward.alerts.keys() - ward.over.keys() and ward.minutes() < end:
        look()


def run(directory, stack, only):
    sick = directory / "sick"
    shutil.copy(harness.workload("sick"), sick)
    manager = stack.enter_context(test_daemon.alertmanager(directory))
    if not manager:
        sys.exit("prometheus-alertmanager is not installed: `tools/setup test` does it")
    daemon = stack.enter_context(daemons.running(directory, shipped_configuration(directory, manager)))
    ward = Ward(directory, stack)
    wanted = {name: illness.rules for name, illness in ILLNESSES.items() if not only or name in only}
    well = stack.enter_context(healthy(directory, daemon.address))
    for name in wanted:
        ward.admit(name, ILLNESSES[name], sick)
    for one in ward.patients.values():
        harness.wait_for(lambda: (row := daemon.watched(one.pid)) and row["state"] == "watched", f"{one.pid} is watched")
    if misused := ward.patients.get("misuse"):
        harness.wait_for(lambda: (daemon.watched(misused.pid) or {}).get("probes", {}).get("attached"), "probes wait for misuse")
    cure_bpf = bpf_maps(stack) if not only or "bpf" in only else None
    if cure_bpf:
        wanted["bpf"] = BPF_RULES
    ward.say(f"{len(ward.patients)} ill programs, {len(well)} healthy ones; rules: {len(set().union(*wanted.values()))}")
    fall(ward)
    watch(ward, manager, wanted, cure_bpf)
    with contextlib.suppress(AssertionError):
        harness.wait_for(lambda: not test_daemon.rules_at(manager), "nothing is left in Alertmanager", PATIENCE_MINUTES * 60)
    if left := test_daemon.rules_at(manager):
        ward.problems.append(f"left in Alertmanager: {', '.join(sorted(left))}")
    ward.judge(wanted)
    if daemon.stop() != harness.CLEAN:
        ward.problems.append("the daemon did not end as it should")
    ward.table(wanted)
    return ward


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="ILLNESS", help=f"some of {', '.join(ILLNESSES)}, bpf")
    parser.add_argument("--log", type=pathlib.Path, help="where the daemon's log goes at the end")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mapscope-shipped-") as name, contextlib.ExitStack() as stack:
        directory = pathlib.Path(name)
        try:
            ward = run(directory, stack, arguments.only)
        finally:
            if arguments.log:
                shutil.copy(directory / "log", arguments.log)
    sys.exit(1 if ward.problems else 0)


if __name__ == "__main__":
    main()
