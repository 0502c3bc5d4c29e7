"""`verify` and `maps` on programs that others built: stripped, with cgo, of other Go versions, and large."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
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
LEFTHOOK_CONFIG = """
wait: {commands: {wait: {run: touch begun && sleep 60}}}
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


def memory_statistics(url):
    """The go_memstats_ of a program's metrics, by the rest of their names."""
    return {match[1]: float(match[2]) for match in re.finditer(r"^go_memstats_(\w+) (\S+)$", answers(url).decode(), re.M)}


class ThirdPartyTest(harness.EndToEndTest):
    def assert_clean(self, run):
        self.assert_exit(run, harness.CLEAN)
        self.assert_nothing_lost(run)
        self.assertEqual(run.report["system_calls"]["inside"].get("file", 0), 0)
        self.assertGreater(run.report["operations"]["created"], 0)
        self.assertEqual(run.report["witnesses"]["window_only"], 0)
        self.assertEqual(run.report["witnesses"]["stack_only"], 0)

    def maps_of(self, pid, *options):
        done = harness.run_mapscope("maps", "--json", "--top", 0, "-p", pid, *options)
        self.assertEqual(done.returncode, harness.CLEAN, done.stderr.decode())
        report = json.loads(done.stdout)
        totals = report["totals"]
        print(f"{report['process']['exe']}, {report['process']['go_version']}: {totals['maps']} maps, {totals['bytes']} bytes, "
              f"types {totals['types']}, evidence {totals['evidence']}", file=sys.stderr)
        return report

    def assert_every_map_is_told(self, report, maps_min):
        totals = report["totals"]
        self.assertGreaterEqual(totals["maps"], maps_min)
        self.assertLess(totals["unsettled"] * 100, totals["maps"])
        for row in report["maps"]:
            self.assertEqual(sum(part or 0 for part in row["bytes_by_cause"].values()), row["bytes"], row)
            self.assertLessEqual(row["tombstones"], row["slots"])
            if row["type_certainty"] == "candidate":
                self.assertTrue(row["type_candidates"], row)
            if row["type_certainty"] == "exact":
                self.assertRegex(row["type"], r"map\[|\.")
        with_contents = [row for row in report["maps"] if row["len"] > 0]
        unknown = [row for row in with_contents if row["type_certainty"] == "unknown"]
        self.assertLess(len(unknown) * 20, len(with_contents), unknown[:5])

    def assert_maps_are_plausible(self, pid, metrics, maps_min):
        """Every map has its bytes and a type or candidates, and the heap is the one that the program counts itself."""
        before = memory_statistics(metrics)
        report = self.maps_of(pid)
        after = memory_statistics(metrics)
        self.assert_every_map_is_told(report, maps_min)
        heap, totals = report["heap"], report["totals"]
        for key, name in (("in_use_bytes", "heap_inuse_bytes"), ("allocated_bytes", "heap_alloc_bytes")):
            # Both look at a heap that changes, by a collection even.
            self.assertGreater(heap[key], 0.5 * min(before[name], after[name]), key)
            self.assertLess(heap[key], 2 * max(before[name], after[name]), key)
        self.assertLess(totals["bytes"], heap["in_use_bytes"])

    def assert_owners_are_right(self, pid, collection, share_min):
        """No map that was called garbage survives when the program collects, and many that do have an owner and a type.

        Stripped programs of Go 1.19 tell few types: their heap does not say what its objects are.
        """
        report = self.maps_of(pid, "--owners")
        for _ in range(2):
            self.assertTrue(answers(collection))
        survivors = {(row["address"], row["seed"]) for row in self.maps_of(pid, "--no-owners")["maps"]}
        alive = [row for row in report["maps"] if row["len"] > 0 and (row["address"], row["seed"]) in survivors]
        self.assertEqual([row for row in alive if row["reachable"] is False], [])
        known = [row for row in alive if row["type_certainty"] == "exact" and row["owner_path"]]
        print(f"{report['process']['exe']}: {len(known)} of {len(alive)} maps that survive have an exact type and an owner", file=sys.stderr)
        self.assertGreaterEqual(len(known), share_min * len(alive))
        for row in report["maps"]:
            if row["reachable"]:
                self.assertTrue(row["owner"] and row["owner_path"], row)
            self.assertFalse(row["sites"] and any(share["function"].startswith("runtime.") for share in row["sites"]), row)


@unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed (Debian: prometheus).")
class PrometheusTest(ThirdPartyTest):
    def test_command(self):
        run = harness.verify(["prometheus", "--version"])
        self.assert_clean(run)
        said = re.search(r"go version: +(\S+)", run.output + run.messages)[1]
        self.assertEqual(run.report["target"]["go_version"], said)

    @contextlib.contextmanager
    def scraping(self):
        """A server that has scraped itself, and its address."""
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
                yield server, address

    def test_running_server(self):
        with self.scraping() as (server, address):
            with harness.watching(server.pid) as (tracer, report):
                time.sleep(WATCHED_SECONDS)
                exit_code, _ = harness.interrupt(tracer, signal.SIGINT)
                run = harness.Run(exit_code, harness.read_report(report), tracer.stderr.read(), "")
            self.assert_clean(run)
            self.assertGreater(run.report["operations"]["grown"], 0)
            self.assertGreater(run.report["system_calls"]["outside"]["file"], 0)
            self.assertTrue(answers(f"{address}/metrics"), "prometheus was harmed")

    def test_maps_of_a_running_server(self):
        with self.scraping() as (server, address):
            self.assert_maps_are_plausible(server.pid, f"{address}/metrics", maps_min=1000)

    def test_owners_of_the_maps_of_a_running_server(self):
        with self.scraping() as (server, address):
            self.assert_owners_are_right(server.pid, f"{address}/debug/pprof/heap?gc=1", share_min=0.4)


@unittest.skipUnless(shutil.which("etcd"), "etcd is not installed (Debian: etcd-server).")
class EtcdTest(ThirdPartyTest):
    def test_maps_of_a_running_server(self):
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        with harness.scratch() as directory, \
             harness.started(["etcd", f"--data-dir={directory}/data", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
                              f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            harness.wait_for(lambda: b"true" in (answers(f"{client}/health") or b""), "etcd is healthy")
            self.assert_maps_are_plausible(server.pid, f"{client}/metrics", maps_min=100)


@unittest.skipUnless(shutil.which("caddy"), "caddy is not installed (Debian: caddy).")
class CaddyTest(ThirdPartyTest):
    def test_maps_of_a_running_server(self):
        with harness.scratch() as directory:
            admin = f"127.0.0.1:{free_port()}"
            (directory / "caddy.json").write_text(json.dumps({"admin": {"listen": admin}}))
            with harness.started(["caddy", "run", "--config", directory / "caddy.json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 env=os.environ | {"HOME": str(directory), "XDG_DATA_HOME": str(directory)}) as server:
                harness.wait_for(lambda: answers(f"http://{admin}/metrics"), "caddy answers")
                self.assert_maps_are_plausible(server.pid, f"http://{admin}/metrics", maps_min=100)
                self.assert_owners_are_right(server.pid, f"http://{admin}/debug/pprof/heap?gc=1", share_min=0.4)


@unittest.skipUnless(shutil.which("npm"), "npm is not installed, which brings this program.")
class LefthookTest(ThirdPartyTest):
    PACKAGE = "lefthook-linux-x64@2.2.2"  # Go 1.27.0, stripped, -trimpath, no C code

    @contextlib.contextmanager
    def executable(self):
        with harness.scratch() as directory:
            done = subprocess.run(["npm", "pack", "--silent", self.PACKAGE], cwd=directory, capture_output=True, text=True)
            if done.returncode:
                self.skipTest(f"npm pack {self.PACKAGE} failed: {done.stderr.strip()}")
            with tarfile.open(next(directory.glob("*.tgz"))) as package:
                package.extractall(directory)
            executable = directory / "package/bin/lefthook"
            executable.chmod(0o755)
            yield executable

    def test_command(self):
        with self.executable() as executable:
            run = harness.verify([executable, "version"])
            self.assert_clean(run)
            self.assertEqual(run.report["target"]["go_version"], "go1.27.0")
            self.assertEqual(run.report["target"]["map_implementation"], "swiss")

    @unittest.skipUnless(shutil.which("git"), "git is not installed, without which lefthook has no hooks.")
    def test_maps_of_a_running_hook(self):
        with self.executable() as executable, harness.scratch() as repository:
            subprocess.run(["git", "init", "--quiet", repository], check=True)
            (repository / "lefthook.yml").write_text(LEFTHOOK_CONFIG)
            with harness.started([executable, "run", "wait", "--force"], cwd=repository, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as hook:
                harness.wait_for((repository / "begun").exists, "the hook runs")
                report = self.maps_of(hook.pid)
            self.assertEqual(report["process"]["go_version"], "go1.27.0")
            self.assert_every_map_is_told(report, maps_min=10)


if __name__ == "__main__":
    harness.main()
