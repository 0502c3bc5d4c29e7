"""Alerts in a real Alertmanager: firing ones appear with labels and annotations, resolved ones go,
and what could not be delivered while it was down arrives when it is back.

Needs MAPSCOPE_ALERT_DRIVER (tests/unit/alert/alert_driver.cpp) and Debian's prometheus-alertmanager.
"""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest
import urllib.request

import harness

ALERTMANAGER = "/usr/bin/prometheus-alertmanager"
CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url):
    """The JSON at `url`; None: nobody answers yet."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


class AlertsTest(unittest.TestCase):
    def setUp(self):
        self.driver = os.environ.get("MAPSCOPE_ALERT_DRIVER")
        if not self.driver:
            self.skipTest("MAPSCOPE_ALERT_DRIVER does not name the program that sends alerts.")
        if not os.access(ALERTMANAGER, os.X_OK):
            self.skipTest(f"{ALERTMANAGER} is not installed (Debian's prometheus-alertmanager).")
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="mapscope-alerts-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def alertmanager(self):
        config = self.directory / "alertmanager.yml"
        config.write_text(CONFIG)
        with open(self.directory / "alertmanager.log", "ab") as log, harness.started(
                [ALERTMANAGER, f"--config.file={config}", f"--storage.path={self.directory / 'data'}",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address="],
                stdout=log, stderr=log) as process:
            def is_up():
                if process.poll() is not None:
                    raise AssertionError((self.directory / "alertmanager.log").read_text())
                return get(f"{self.url}/api/v2/status")
            harness.wait_for(is_up, "Alertmanager answers")
            yield

    @contextlib.contextmanager
    def driven(self, boot="boot-1", resend=60):
        """A function that gives the driver one command and returns its answer."""
        with harness.started([self.driver, self.directory / "alerts.db", boot, "alertmanager", self.url, resend],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                             bufsize=1) as process:
            def command(text):
                process.stdin.write(text + "\n")
                return process.stdout.readline().strip()
            self.first_line = process.stdout.readline().strip()
            yield command
            process.stdin.close()
            self.assertEqual(process.wait(timeout=harness.TIMEOUT_SECONDS), 0)

    def fingerprints(self):
        alerts = get(f"{self.url}/api/v2/alerts")
        return None if alerts is None else {alert["labels"]["fingerprint"][-1]: alert for alert in alerts}

    def wait_for_alerts(self, *expected):
        harness.wait_for(lambda: self.fingerprints() is not None and set(self.fingerprints()) == set(expected),
                         f"Alertmanager has {expected}")
        return self.fingerprints()

    def test_firing_appears_and_resolved_goes(self):
        with self.alertmanager(), self.driven() as command:
            self.assertEqual(command("fire 1"), "taken")
            self.assertEqual(command("fire 2"), "taken")
            self.assertEqual(command("flush"), "flushed")
            alert = self.wait_for_alerts("1", "2")["1"]
            self.assertEqual(alert["status"]["state"], "active")
            labels = alert["labels"]
            for name, value in {"alertname": "waste", "kind": "map-waste", "severity": "warning", "host": "driven",
                                "process": "served", "pid": "42", "unit": "served.service", "owner": "main.cache",
                                "type": "map[string]int", "site": "main.fill main.go:12", "team": "storage"}.items():
                self.assertEqual(labels.get(name), value, name)
            for name in ("summary", "description", "cause", "fix", "numbers"):
                self.assertTrue(alert["annotations"].get(name), name)
            command("resolve 1")
            self.assertEqual(command("flush"), "flushed")
            self.wait_for_alerts("2")

    def test_what_fires_is_told_again_to_one_that_forgot(self):
        with self.driven(resend=1) as command:
            with self.alertmanager():
                command("fire 1")
                self.wait_for_alerts("1")
            shutil.rmtree(self.directory / "data", ignore_errors=True)
            command("fire 2")  # nobody listens
            with self.alertmanager():
                self.wait_for_alerts("1", "2")
                command("resolve 1")
                command("resolve 2")
                self.assertEqual(command("flush"), "flushed")
                self.wait_for_alerts()

    def test_a_restart_of_the_host_resolves(self):
        with self.alertmanager():
            with self.driven() as command:
                command("fire 1")
                self.wait_for_alerts("1")
            with self.driven() as command:
                self.assertEqual(self.first_line, "firing 1")
                self.wait_for_alerts("1")
            with self.driven(boot="boot-2") as command:
                self.assertEqual(self.first_line, "firing 0")
                self.wait_for_alerts()


if __name__ == "__main__":
    harness.main()
