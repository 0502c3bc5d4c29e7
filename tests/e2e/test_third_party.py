"""`verify` on programs that others built: stripped, with cgo, of other Go versions, and large."""
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import tarfile
import time
import unittest
import urllib.error
import urllib.request

import harness

PROMETHEUS_CONFIG = """
global: {{scrape_interval: 200ms}}
scrape_configs: [{{job_name: itself, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""
WATCHED_SECONDS = 4


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.read()
    except (urllib.error.URLError, ConnectionError):
        return None


class ThirdPartyTest(harness.EndToEndTest):
    def assert_clean(self, run):
        self.assert_exit(run, harness.CLEAN)
        self.assert_nothing_lost(run)
        self.assertEqual(run.report["system_calls"]["inside"].get("file", 0), 0)
        self.assertGreater(run.report["operations"]["created"], 0)
        self.assertEqual(run.report["witnesses"]["window_only"], 0)
        self.assertEqual(run.report["witnesses"]["stack_only"], 0)


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed (Debian: prometheus).")
class PrometheusTest(ThirdPartyTest):
    def test_command(self):
        run = harness.verify(["prometheus", "--version"])
        self.assert_clean(run)
        said = re.search(r"go version: +(\S+)", run.output + run.messages)[1]
        self.assertEqual(run.report["target"]["go_version"], said)

    def test_running_server(self):
        port = free_port()
        with tempfile.TemporaryDirectory(prefix="mapscope-e2e-") as directory:
            config = pathlib.Path(directory) / "prometheus.yml"
            config.write_text(PROMETHEUS_CONFIG.format(port=port))
            with harness.started(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
                                  f"--web.listen-address=127.0.0.1:{port}"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
                address = f"http://127.0.0.1:{port}"
                # The first scrapes come some seconds after the server says that it is ready.
                harness.wait_for(lambda: b"\nprometheus_target_interval_length_seconds_count" in (answers(f"{address}/metrics") or b""),
                                 "prometheus scrapes itself")
                with harness.watching(server.pid) as (tracer, report):
                    time.sleep(WATCHED_SECONDS)
                    exit_code, _ = harness.interrupt(tracer, signal.SIGINT)
                    run = harness.Run(exit_code, harness.read_report(report), tracer.stderr.read(), "")
                self.assert_clean(run)
                self.assertGreater(run.report["operations"]["grown"], 0)
                self.assertGreater(run.report["system_calls"]["outside"]["file"], 0)
                self.assertTrue(answers(f"{address}/metrics"), "prometheus was harmed")


@unittest.skipUnless(shutil.which("npm"), "npm is not installed, which brings this program.")
class LefthookTest(ThirdPartyTest):
    PACKAGE = "lefthook-linux-x64@2.2.2"  # Go 1.27.0, stripped, -trimpath, no C code

    def test_command(self):
        with tempfile.TemporaryDirectory(prefix="mapscope-e2e-") as directory:
            done = subprocess.run(["npm", "pack", "--silent", self.PACKAGE], cwd=directory, capture_output=True, text=True)
            if done.returncode:
                self.skipTest(f"npm pack {self.PACKAGE} failed: {done.stderr.strip()}")
            with tarfile.open(next(pathlib.Path(directory).glob("*.tgz"))) as package:
                package.extractall(directory)
            executable = pathlib.Path(directory) / "package/bin/lefthook"
            executable.chmod(0o755)
            run = harness.verify([executable, "version"])
            self.assert_clean(run)
            self.assertEqual(run.report["target"]["go_version"], "go1.27.0")
            self.assertEqual(run.report["target"]["map_implementation"], "swiss")


if __name__ == "__main__":
    harness.main()
