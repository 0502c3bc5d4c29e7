"""The daemon and the kernel's own maps: a map that fills is told of before it is full, its keys are kept when it is; what is
hammered, refuses entries or has no bound is named; all that is over when the reason is gone, and others are never accused."""
import contextlib
import pathlib
import re
import subprocess

import daemons
import harness
import test_bpf_maps as maps

RULES = """
bpf: {{interval: 1s, count_budget: 10s, rate_window: 500ms, key_directory: {directory}/keys}}
default_rules: false
rules:
  - {{name: fill, kind: bpf-fill, full_within: 1h, min_fill: 30%, maps: [e2e_fill, e2e_calm]}}
  - {{name: lookups, kind: bpf-lookups, maps: [e2e_hot, e2e_calm]}}
  - {{name: failures, kind: bpf-insert-failures, maps: [e2e_over, e2e_calm]}}
  - {{name: unbounded, kind: bpf-unbounded, maps: [e2e_huge, e2e_calm]}}
"""
SYS_ADMIN = 1 << 21


def threads_with_admin(daemon):
    statuses = (status.read_text() for status in pathlib.Path(f"/proc/{daemon.process.pid}/task").glob("*/status"))
    return sum(int(re.search(r"CapEff:\s*(\w+)", status)[1], 16) & SYS_ADMIN != 0 for status in statuses)


class BpfDaemonTest(harness.EndToEndTest):
    @contextlib.contextmanager
    def watching(self):
        """A daemon, what it tells, and who makes maps."""
        with harness.scratch() as directory, maps.made("--none") as maker, daemons.Receiver() as receiver:
            sinks = f"    - {{name: hook, kind: webhook, url: '{receiver.url}'}}\n"
            config = daemons.configuration(directory, RULES.format(directory=directory) + daemons.alerts_section(directory, sinks))
            with daemons.running(directory, config) as daemon:
                calm = maker.do("new", "hash", "e2e_calm", 1000)["id"]
                maker.do("fill", calm, 0.5)
                yield daemon, receiver, maker
                self.assertFalse([alert for alert in receiver.alerts if alert["bpf_map"]["id"] == calm], "nothing is wrong with it")
                self.assertEqual(daemon.stop(), harness.CLEAN, daemon.log()[-3000:])

    def firing(self, daemon, rule):
        return next((alert for alert in daemon.firing() if alert["rule"] == rule), None)

    def told(self, receiver, rule):
        """The first alert of that rule that was sent, also if it is over by now; None: none was."""
        return next((alert for alert in receiver.alerts if alert["rule"] == rule and alert["state"] == "firing"), None)

    def provoke(self, daemon, receiver, maker, rule, *command):
        """Has the maker of maps do something that takes seconds until it is told of; on a busy machine once may be too short."""
        for _ in range(4):
            maker.do(*command)
            with contextlib.suppress(AssertionError):
                return harness.wait_for(lambda: self.told(receiver, rule), f"{rule} is told", 5)
        self.fail(f"{rule} was not told\n{daemon.log()[-3000:]}")

    def seen(self, daemon, number):
        """What the last look says of one map; None: nothing."""
        if daemon.status_of("/api/v1/bpf-maps") != 200:
            return None
        return next((row for row in daemon.ask("/api/v1/bpf-maps")["maps"] if row["id"] == number), None)

    def test_map_that_fills(self):
        with self.watching() as (daemon, receiver, maker):
            number = maker.do("new", "hash", "e2e_fill", 1000)["id"]
            for step in range(17):
                maker.do("fill", number, step * 0.05)
                harness.wait_for(lambda: (row := self.seen(daemon, number)) and row["entries"] == step * 50, f"{step * 50} entries are seen")
                if early := self.firing(daemon, "fill"):
                    break
            self.assertTrue(early, f"told before it is full\n{daemon.log()[-3000:]}")
            self.assertLess(early["numbers"]["fill"], 0.9)
            self.assertIn("it will be full in", early["summary"])
            self.assertLessEqual(early["numbers"]["seconds_to_full_lower"], early["numbers"]["seconds_to_full"])
            self.assertIsNone(early["process"])
            self.assertEqual((early["bpf_map"]["name"], early["bpf_map"]["method"], early["type"]), ("e2e_fill", early["bpf_map"]["method"], "hash"))
            self.assertIn(early["bpf_map"]["method"], ("counted", "walked"))
            maker.do("fill", number, 0.95)
            harness.wait_for(lambda: (self.firing(daemon, "fill") or {"bpf_map": {}})["bpf_map"].get("key_file"), "its keys are kept")
            full = self.firing(daemon, "fill")
            lines = pathlib.Path(full["bpf_map"]["key_file"]).read_text().splitlines()
            self.assertEqual((len(set(lines)), lines[-1]), (951, "# all 950 keys"))
            self.assertIn(full["bpf_map"]["key_file"], full["fix"])
            maker.do("fill", number, 0.2)
            harness.wait_for(lambda: not self.firing(daemon, "fill"), "it is over")
            harness.wait_for(lambda: [alert["state"] for alert in receiver.alerts][-1:] == ["resolved"], "and that is told")
            self.assertEqual({alert["fingerprint"] for alert in receiver.alerts}, {early["fingerprint"]}, "one alert from the first to the last")
            labels = receiver.alerts[0]["labels"]
            self.assertEqual((labels["bpf_map"], labels["bpf_map_id"]), ("e2e_fill", str(number)))
            self.assertNotIn("pid", labels)
            self.assertIn(f'name="e2e_calm",type="hash"', daemon.get("/metrics").decode())
            self.assertEqual(threads_with_admin(daemon), 1, "no other thread keeps CAP_SYS_ADMIN")

    def test_map_that_is_hammered_refuses_entries_or_has_no_bound(self):
        with self.watching() as (daemon, receiver, maker):
            huge = maker.do("new", "hash", "e2e_huge", 100_000_000, 1)["id"]  # BPF_F_NO_PREALLOC
            hot = maker.do("new", "hash", "e2e_hot", 1000)["id"]
            maker.do("fill", hot, 0.5)
            harness.wait_for(lambda: self.told(receiver, "unbounded"), "what has no bound is told")
            alert = self.provoke(daemon, receiver, maker, "lookups", "lookup", hot, 40_000, 6, 0.8)
            self.assertGreaterEqual(alert["numbers"]["lookups_per_second_lower"], 10_000)
            # Key 1 has four fifths of all lookups.
            self.assertRegex(alert["cause"], r"lookups through bpf\(2\).*most frequent: \S*0?1[^,]* (7\d|8\d) %", alert)
            harness.wait_for(lambda: not self.firing(daemon, "lookups"), "its rate is as it should be")

            over = maker.do("new", "hash", "e2e_over", 100)["id"]
            alert = self.provoke(daemon, receiver, maker, "failures", "overfill", over, 3_000_000)  # some seconds
            self.assertIn("E2BIG", alert["summary"])
            harness.wait_for(lambda: not self.firing(daemon, "failures"), "nothing is refused any more")
            maker.do("drop", huge)
            harness.wait_for(lambda: not daemon.firing(), "all are over")
            harness.wait_for(lambda: [alert["resolution"] for alert in receiver.alerts if alert["rule"] == "unbounded"][-1] == "the map is gone",
                             "and it is said why")

    def test_says_what_it_can_not_see(self):
        with harness.scratch() as directory:
            config = daemons.configuration(directory, RULES.format(directory=directory) + daemons.alerts_section(directory))
            without = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
            try:
                run = subprocess.run([*without, harness.mapscope(), "daemon", "--once", "--config", config], capture_output=True,
                                     text=True, timeout=harness.TIMEOUT_SECONDS)
            except FileNotFoundError:
                self.skipTest("setpriv is not installed.")
            self.assertEqual(run.returncode, harness.INCONCLUSIVE, run.stderr)
            self.assertIn("CAP_SYS_ADMIN", run.stderr)
            self.assertIn("the kernel's maps", run.stderr)

    def test_keeps_no_more_rights_than_it_needs(self):
        with harness.scratch() as directory:
            config = daemons.configuration(directory, "bpf: {enabled: false}\n" + daemons.alerts_section(directory))
            with daemons.running(directory, config) as daemon:
                self.assertEqual(threads_with_admin(daemon), 0)
                self.assertEqual(daemon.status_of("/api/v1/bpf-maps"), 404)


if __name__ == "__main__":
    harness.main()
