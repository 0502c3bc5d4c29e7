"""What programs of others make of the server: prometheus, promtool, `go tool pprof`, and `mapscope status`.

    MAPSCOPE_SERVE_DRIVER   a server with made-up processes, built with the tests

Needs MAPSCOPE, which takes the profile that is served.
"""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import daemons
import harness


def driver():
    path = os.environ.get("MAPSCOPE_SERVE_DRIVER")
    if not path:
        raise harness.unittest.SkipTest("MAPSCOPE_SERVE_DRIVER does not name the server with made-up processes.")
    return path


def require(program):
    if not (path := shutil.which(program)):
        raise harness.unittest.SkipTest(f"{program} is not installed.")
    return path


@contextlib.contextmanager
def serving(*options):
    """A server that ends with the block; yields its address."""
    with harness.started([driver(), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()


def read(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=harness.TIMEOUT_SECONDS) as answer:
        return answer.read()


PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}, {test_rules}]
scrape_configs:
  - job_name: mapscope
    static_configs: [{{targets: ["{target}"]}}]
"""
# Fires on what the server makes up, at once.
TEST_RULES = """\
groups:
  - name: test
    rules:
      - alert: MapWasteNow
        expr: mapscope_map_reclaimable_bytes{type!="other"} > 64 * 1024 * 1024
"""


class ServeTest(harness.EndToEndTest):
    def ask_prometheus(self, address, path):
        """What its API says; None: nothing yet."""
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            return json.loads(read(f"http://{address}/api/v1/{path}"))["data"]

    @contextlib.contextmanager
    def prometheus(self, directory, target):
        """A running prometheus; yields its address."""
        config = directory / "prometheus.yml"
        (directory / "test.rules.yml").write_text(TEST_RULES)
        config.write_text(PROMETHEUS.format(rules=harness.ROOT / "packaging/prometheus/mapscope.rules.yml",
                                            test_rules=directory / "test.rules.yml", target=target))
        address = f"127.0.0.1:{daemons.free_port()}"
        with open(directory / "log", "w") as log, harness.started(
                [require("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={directory}/data",
                 f"--web.listen-address={address}"], stderr=log, stdout=log):
            yield address

    def test_prometheus_scrapes_it_and_evaluates_rules(self):
        require("prometheus")
        with harness.scratch() as directory, serving("--processes", "3") as target, self.prometheus(directory, target) as address:
            def firing():
                alerts = (self.ask_prometheus(address, "alerts") or {"alerts": []})["alerts"]
                return [alert for alert in alerts if alert["labels"]["alertname"] == "MapWasteNow" and alert["state"] == "firing"]

            alerts = harness.wait_for(lambda: len(firing()) == 3 and firing(), f"Firing alerts, see {directory}/log")
            self.assertEqual({alert["labels"]["owner"] for alert in alerts}, {"main.cache"})
            query = urllib.parse.urlencode({"query": "sum(mapscope_process_map_bytes)"})
            result = self.ask_prometheus(address, f"query?{query}")["result"]
            self.assertEqual(float(result[0]["value"][1]), 3 * 2**30)
            targets = self.ask_prometheus(address, "targets")["activeTargets"]
            self.assertEqual([(it["health"], it["lastError"]) for it in targets], [("up", "")])
            groups = self.ask_prometheus(address, "rules")["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            self.assertGreater(len(rules), 8)
            self.assertEqual({rule["health"] for rule in rules} - {"ok", "unknown"}, set())

    def test_promtool_finds_nothing_to_say(self):
        promtool = require("promtool")
        with serving("--processes", "3") as address:
            metrics = read(f"http://{address}/metrics")
        checked = subprocess.run([promtool, "check", "metrics"], input=metrics, capture_output=True)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, b"", b""))
        checked = subprocess.run([promtool, "check", "rules", harness.ROOT / "packaging/prometheus/mapscope.rules.yml"],
                                 capture_output=True, text=True)
        self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_go_tool_pprof_reads_the_profile(self):
        go = require("go")
        with harness.scratch() as directory, harness.started([harness.workload("leaks")], stdin=subprocess.PIPE,
                                                                  stdout=subprocess.PIPE, text=True) as target:
            target.stdout.readline()  # its maps are made
            profile = directory / "maps.pb.gz"
            done = harness.run_mapscope("maps", "-p", target.pid, "--pprof", profile)
            self.assertEqual(done.returncode, harness.CLEAN, done.stderr)
            environment = os.environ | {"PPROF_TMPDIR": str(directory), "GOTOOLCHAIN": "local"}

            def pprof(pid):
                return subprocess.run([go, "tool", "pprof", "-top", f"http://{address}/debug/pprof/maps?pid={pid}"], env=environment,
                                      capture_output=True, text=True, timeout=harness.TIMEOUT_SECONDS)

            with serving("--profile", profile) as address:
                shown, unknown = pprof(1234), pprof(77)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertRegex(shown.stdout, r"flat +flat%")
        self.assertNotEqual(unknown.returncode, 0)
        self.assertIn("404", unknown.stderr)

    def test_status_asks_it(self):
        with harness.scratch() as directory:
            socket = directory / "mapscope.sock"
            with serving("--socket", socket):
                text = harness.run_mapscope("status", "--socket", socket)
                self.assertEqual(text.returncode, harness.FOUND, text.stderr)
                self.assertIn(b"mapscope 1.2.3, up for 1 min", text.stdout)
                self.assertIn(b"1234  app", text.stdout)
                self.assertIn(b"One finding fires:", text.stdout)
                document = harness.run_mapscope("status", "--socket", socket, "--json")
                self.assertEqual(json.loads(document.stdout)["schema"], "mapscope.status/1")
                findings = harness.run_mapscope("status", "--socket", socket, "--json", "--findings")
                self.assertEqual(json.loads(findings.stdout)["findings"][0]["rule"], "map-waste")
                all_of_it = harness.run_mapscope("status", "--socket", socket, "--findings")
                self.assertIn(b"Make it anew.", all_of_it.stdout)
            nobody = harness.run_mapscope("status", "--socket", socket)
            self.assertEqual(nobody.returncode, harness.INCONCLUSIVE)
            self.assertIn(b"no daemon listens at", nobody.stderr)

    def test_it_serves_without_capabilities(self):
        with harness.started([driver()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            address = process.stdout.readline().strip()
            read(f"http://{address}/healthz")
            threads = [path.read_text() for path in pathlib.Path(f"/proc/{process.pid}/task").glob("*/status")]
        privileged = [status for status in threads if "CapEff:\t0000000000000000" not in status]
        self.assertEqual((len(threads), len(privileged)), (4, 1))  # the first thread is the driver's own


if __name__ == "__main__":
    sys.exit(harness.main())
