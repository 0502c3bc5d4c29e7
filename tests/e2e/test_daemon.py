"""The whole daemon: each rule speaks once about a program that falls ill, and is silent again when it
recovers; what it tells survives its own death."""
import contextlib
import itertools
import os
import pathlib
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
import json

import daemons
import harness

# One program for each rule, small floors, and looks that follow each other closely.
SMALL_FLOORS = """
census: {interval: 1s, shortest: 1s, longest: 2s, cpu_share: 50%}
limits: {cpu_share: 100%, memory_bytes: 2GiB}
verify: {at_start: 40s, every: 0s}
events: {cpu_share: 5%}
default_rules: false
rules:
  - {name: waste, kind: map-waste, min_reclaimable_bytes: 1MiB, min_share: 50%, only: {command_line: ["*-illness waste*"]}}
  - {name: emptied, kind: map-emptied, max_share_of_peak: 0.1, min_bytes: 1MiB, only: {command_line: ["*-illness waste*"]}}
  - {name: fill, kind: map-fill, max_fill: 10%, min_bytes: 1MiB, only: {command_line: ["*-illness empty*"]}}
  - {name: entries, kind: map-entries, max_entries: 100000, only: {command_line: ["*-illness large*"]}}
  - {name: bytes, kind: map-bytes, max_bytes: 1MiB, only: {command_line: ["*-illness large*"]}}
  - {name: growth, kind: map-growth, entries_per_minute: 100000, window: 20s, min_bytes: 1MiB, only: {command_line: ["*-illness growing*"]}}
  - {name: storm, kind: map-rehash-storm, growths_per_minute: 10000, only: {command_line: ["*-illness storm*"]}}
  - {name: churn, kind: map-churn, maps_per_second: 1000, only: {command_line: ["*-illness churn*"]}}
  - {name: share, kind: map-share, max_share: 50%, min_bytes: 1MiB, only: {command_line: ["*-illness crowd*"]}}
  - {name: heap, kind: heap-growth, bytes_per_minute: 10MB, min_map_share: 30%, window: 20s, only: {command_line: ["*-illness hoard*"]}}
  - {name: objects, kind: allocs-minus-frees, min_live_objects: 100000, window: 10s, only: {command_line: ["*-illness leak*"]}}
  - {name: limit, kind: memory-limit, max_share: 20%, only: {command_line: ["*-illness crowd*"]}}
  - {name: misuse, kind: map-misuse, severity: critical, keep: 20s, only: {command_line: ["*-illness misuse*"]}}
  - {name: file-io, kind: file-io, only: {command_line: ["*-illness storm*"]}}
"""

ILLNESSES = {
    "waste": {"waste", "emptied"}, "empty": {"fill"}, "large": {"entries", "bytes"}, "growing": {"growth"}, "hoard": {"heap"},
    "storm": {"storm", "file-io"}, "churn": {"churn"}, "crowd": {"share", "limit"}, "leak": {"objects"}, "misuse": {"misuse"},
}
RULES = set().union(*ILLNESSES.values())
# Their programs end: neither what the runtime prints nor its fatal errors can be taken back, and that
# a line makes no maps any more is known after two minutes.
ENDS = {"misuse", "storm", "churn"}
# What they are about are maps of one line or variable.
ABOUT_MAPS = {"waste", "emptied", "fill", "entries", "bytes", "growth", "storm", "churn"}


@contextlib.contextmanager
def alertmanager(directory):
    """Debian's, with nobody to tell; yields its address."""
    binary = shutil.which("prometheus-alertmanager")
    if not binary:
        yield None
        return
    config = directory / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    address = f"127.0.0.1:{daemons.free_port()}"
    with open(directory / "alertmanager.log", "wb") as log, \
            harness.started([binary, f"--config.file={config}", f"--storage.path={directory}/alertmanager",
                             f"--web.listen-address={address}", "--cluster.listen-address="], stdout=log, stderr=log):
        def answers():
            with contextlib.suppress(urllib.error.URLError):
                return urllib.request.urlopen(f"http://{address}/-/ready", timeout=5).status == 200
        harness.wait_for(answers, "Alertmanager is ready")
        yield address


def rules_at(address):
    with urllib.request.urlopen(f"http://{address}/api/v2/alerts?active=true", timeout=30) as answer:
        return {alert["labels"]["alertname"] for alert in json.load(answer)}


class RulesTest(harness.EndToEndTest):
    def test_each_rule_fires_once_and_resolves(self):
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(harness.scratch())
            manager = stack.enter_context(alertmanager(directory))
            receiver = stack.enter_context(daemons.Receiver())
            sinks = f"    - {{name: hook, kind: webhook, url: '{receiver.url}'}}\n"
            if manager:
                sinks += f"    - {{name: manager, kind: alertmanager, url: 'http://{manager}', resend: 5s}}\n"
            config = daemons.configuration(directory, SMALL_FLOORS + daemons.alerts_section(directory, sinks))
            daemon = stack.enter_context(daemons.running(directory, config))
            patients = {}
            for illness in ILLNESSES:
                # The runtime prints what it collects to a file, also in the middle of an insertion.
                file_io = {"env": os.environ | {"GODEBUG": "gctrace=1"}, "stderr": stack.enter_context(open(directory / "trace", "wb"))}
                limit = {"env": os.environ | {"GOMEMLIMIT": "64MiB"}}
                options = file_io if illness == "storm" else limit if illness == "crowd" else {"stderr": subprocess.DEVNULL}
                patients[illness] = stack.enter_context(daemons.patient(illness, **options))
            for one in patients.values():
                harness.wait_for(lambda: (row := daemon.watched(one.pid)) and row["state"] == "watched", f"{one.pid} is watched")
            misused = patients["misuse"].pid
            harness.wait_for(lambda: (daemon.watched(misused) or {}).get("probes", {}).get("attached"), "probes wait for misuse")
            for illness, one in patients.items():
                one.tell("fall") if illness != "misuse" else one.tell_without_answer("fall")

            at_manager = set()  # at any time: misuse ends its program, and is over soon

            def told():
                if manager:
                    at_manager.update(rules_at(manager))
                return {alert["rule"] for alert in receiver.alerts if alert["state"] == "firing"}
            with contextlib.suppress(AssertionError):
                # A rate is told each minute, or later where few moments could be had.
                harness.wait_for(lambda: told() == RULES and (not manager or at_manager >= RULES), "every rule fires", 420)
            self.assertEqual(told(), RULES, daemon.log()[-20000:])
            if manager:
                self.assertLessEqual(RULES, at_manager, "Alertmanager has not heard of all")
            for alert in daemon.firing():
                if alert["rule"] in ABOUT_MAPS:
                    self.assertTrue("main.go:" in (alert["site"] or "") or alert["owner"], alert)
                    self.assertTrue(alert["cause"], alert)
            for illness, one in patients.items():
                one.tell("recover") if illness not in ENDS else one.process.kill()
                if illness in ENDS:
                    one.process.wait()
            with contextlib.suppress(AssertionError):
                harness.wait_for(lambda: not daemon.firing(), "all recover", 420)
            self.assertEqual([alert["rule"] for alert in daemon.firing()], [], daemon.log()[-8000:])
            if manager:
                harness.wait_for(lambda: not rules_at(manager), "nothing is left in Alertmanager", 420)
            with contextlib.suppress(AssertionError):  # each sink has its own time
                harness.wait_for(lambda: len({alert["fingerprint"] for alert in receiver.alerts if alert["state"] == "resolved"}) == len(RULES),
                                 "the receiver hears that all are over", 60)

            fingerprints = {(alert["rule"], alert["fingerprint"]) for alert in receiver.alerts}
            told_twice = [alert for alert in receiver.alerts if sum(rule == alert["rule"] for rule, _ in fingerprints) > 1]
            self.assertEqual(sorted(rule for rule, _ in fingerprints), sorted(RULES), json.dumps(told_twice, indent=1))
            for rule, fingerprint in fingerprints:
                # The same again: delivery is at least once, and on a busy machine an answer may come too late.
                deliveries = itertools.groupby(alert for alert in receiver.alerts if alert["fingerprint"] == fingerprint)
                states = [alert["state"] for alert, _ in deliveries]
                self.assertEqual((states[0], states[-1], states.count("resolved")), ("firing", "resolved", 1),
                                 "\n".join(line for line in daemon.log().splitlines() if f" {rule} " in line))
            self.assertEqual(daemon.stop(), harness.CLEAN, daemon.log()[-3000:])


class DeathTest(harness.EndToEndTest):
    def test_no_alert_is_lost_when_it_is_killed_while_it_delivers(self):
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(harness.scratch())
            lives = []
            receiver = stack.enter_context(daemons.Receiver(lambda _: 200 if len(lives) > 1 else 500))
            sinks = f"    - {{name: hook, kind: webhook, url: '{receiver.url}', retry_first: 100ms, retry_longest: 1s}}\n"
            config = daemons.configuration(directory, SMALL_FLOORS + daemons.alerts_section(directory, sinks))
            illnesses = ("waste", "empty", "large")
            patients = [stack.enter_context(daemons.patient(illness)) for illness in illnesses]
            expected = set().union(*(ILLNESSES[illness] for illness in illnesses))
            for one in patients:
                one.tell("fall")
            for life in range(2):
                lives.append(life)
                with daemons.running(directory, config) as daemon:
                    harness.wait_for(lambda: {alert["rule"] for alert in daemon.firing()} == expected, "all of them fire")
                    if life == 0:
                        harness.wait_for(lambda: receiver.requests > 2, "it tries to deliver")
                        daemon.process.kill()
                        daemon.process.wait()
                        continue
                    harness.wait_for(lambda: {alert["rule"] for alert in receiver.alerts} == expected, "all are delivered", 420)
            self.assertEqual(len({alert["fingerprint"] for alert in receiver.alerts}), len(expected), "a restart changes no fingerprint")


class OperatingTest(harness.EndToEndTest):
    def test_systemd_hears_of_its_life(self):
        with harness.scratch() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(directory / "notify"))
            manager.settimeout(harness.TIMEOUT_SECONDS)
            heard = []

            def wait_until(word):
                while not any(word in message for message in heard):
                    heard.append(manager.recv(4096).decode())
            config = daemons.configuration(directory, daemons.alerts_section(directory))
            os.environ.update(NOTIFY_SOCKET=str(directory / "notify"), WATCHDOG_USEC="3000000")
            try:
                with daemons.running(directory, config) as daemon:
                    for word, action in (("READY=1", None), ("WATCHDOG=1", None), ("RELOADING=1", "HUP"), ("STOPPING=1", "TERM")):
                        if action:
                            daemon.process.send_signal(getattr(daemons.signal, f"SIG{action}"))
                        wait_until(word)
                    self.assertEqual(daemon.process.wait(harness.TIMEOUT_SECONDS), harness.CLEAN)
            finally:
                for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
                    os.environ.pop(name)

    def test_bad_file_on_reload_keeps_the_old_one(self):
        with harness.scratch() as directory, daemons.patient("waste") as one:
            config = daemons.configuration(directory, SMALL_FLOORS + daemons.alerts_section(directory))
            good = config.read_text()
            with daemons.running(directory, config) as daemon:
                config.write_text(good.replace("map-waste", "map-wast"))
                daemon.process.send_signal(daemons.signal.SIGHUP)
                harness.wait_for(lambda: "stays as it was" in daemon.log(), "it says so")
                self.assertIn("mapscope.yaml:", daemon.log())
                one.tell("fall")
                harness.wait_for(lambda: {alert["rule"] for alert in daemon.firing()} == {"waste", "emptied"}, "the old rules hold")
                config.write_text(good.replace("name: waste,", "name: waste2,"))
                daemon.process.send_signal(daemons.signal.SIGHUP)
                harness.wait_for(lambda: {alert["rule"] for alert in daemon.firing()} == {"waste2", "emptied"}, "the new ones do")

    def test_one_pass_tells_by_its_exit_status(self):
        with harness.scratch() as directory, daemons.patient("waste") as one:
            config = daemons.configuration(directory, SMALL_FLOORS + daemons.alerts_section(directory))
            run = harness.run_mapscope("daemon", "--once", "--config", config)
            self.assertEqual(run.returncode, harness.CLEAN, run.stderr)
            one.tell("fall")
            run = harness.run_mapscope("daemon", "--once", "--config", config)
            self.assertEqual(run.returncode, harness.FOUND, run.stderr)
            self.assertIn(str(one.pid).encode(), run.stdout)
            self.assertFalse(pathlib.Path(f"{directory}/alerts.db").exists(), "nothing is kept")

    def test_status_asks_a_running_one(self):
        with harness.scratch() as directory, daemons.patient("waste") as one:
            config = daemons.configuration(directory, SMALL_FLOORS + daemons.alerts_section(directory))
            self.assertEqual(harness.run_mapscope("status", "--socket", directory / "api.sock").returncode, harness.INCONCLUSIVE)
            with daemons.running(directory, config) as daemon:
                harness.wait_for(lambda: (row := daemon.watched(one.pid)) and row["state"] == "watched", "it is watched")
                run = harness.run_mapscope("status", "--socket", directory / "api.sock")
                self.assertEqual(run.returncode, harness.CLEAN, run.stderr)
                self.assertIn(str(one.pid).encode(), run.stdout)


if __name__ == "__main__":
    harness.main()
