"""`maps --owners` on programs that know who holds their maps, and which lines made them."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import harness
from test_maps import MODES, MapsTest, as_somebody_else, maps

# Where the heap says the type of objects above 512 bytes, so that fields have names without symbols.
MALLOC_HEADERS = [1, 22]


@contextlib.contextmanager
def leaks(mode="plain", *arguments):
    """A program that waits, and what it said of its maps."""
    with harness.started([harness.workload("leaks", mode=mode), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True) as program:
        yield program, json.loads(program.stdout.readline())


def modes_to_try():
    """Two of them, that are others for each version; all if asked."""
    if os.environ.get("MAPSCOPE_ALL_MODES"):
        return MODES
    versions = harness.go_versions()
    return harness.modes(["stripped", ["plain", "pie", "cgo"][sum(map(int, versions[-1].split("."))) % 3]])


def has_in_order(text, words):
    at = 0
    for word in words:
        at = text.find(word, at)
        if at < 0:
            return False
        at += len(word)
    return True


class OwnersTest(MapsTest):
    def rows_of(self, report):
        return {row["address"]: row for row in report["maps"]}

    def assert_owner(self, row, truth, mode):
        has_symbols = mode != "stripped"
        self.assertIs(row["reachable"], True, (row, truth))
        self.assertEqual(row["owner_class"], truth["class"], (row, truth))
        if truth["class"] == "goroutine" or has_symbols:
            self.assertEqual(row["owner"], truth["root"], (row, truth))
        else:
            self.assertTrue(any(user in row["owner"] for user in truth["users"]), (row, truth))
        if has_symbols or harness.version_key(harness.go_versions()[-1]) >= MALLOC_HEADERS:
            self.assertTrue(has_in_order(row["owner_path"], truth["fields"] or []), (row, truth))
        self.assertIn(truth["closure"], row["owner_path"], (row, truth))

    def assert_type(self, row, expected):
        self.assertEqual((row["type"], row["type_certainty"]), (expected, "exact"), row)


class LeaksTest(OwnersTest):
    def assert_every_owner(self, mode):
        """What the program knows of its maps."""
        with leaks(mode) as (program, truth):
            rows = self.rows_of(self.json_of("-p", program.pid, "--owners", "--top", 0))
        for map_truth in truth["maps"]:
            row = rows[map_truth["address"]]
            self.assertEqual(row["len"], map_truth["len"])
            self.assert_owner(row, map_truth, mode)
            if map_truth["class"] == "goroutine":  # words of stacks have no types
                self.assertIn(row["type"], (map_truth["type"], None))
            elif mode != "stripped" or map_truth["closure"]:
                self.assert_type(row, map_truth["type"])
        return truth["maps"]

    def test_every_leak_has_its_owner(self):
        for mode in modes_to_try():
            with self.subTest(mode=mode):
                self.assert_every_owner(mode)

    def test_the_text_names_them(self):
        with leaks() as (program, _):
            text = self.text_of("-p", program.pid, "--owners", "--top", 0)
            for word in ("main.requests", "main.lookup", "main.work", "seen"):
                self.assertIn(word, text)

    def test_the_path_is_explained_step_by_step(self):
        for mode in modes_to_try():
            with self.subTest(mode=mode), leaks(mode) as (program, truth):
                for map_truth in (truth["maps"][7], *truth["maps"][-2:]):
                    explained = self.json_of("-p", program.pid, "--owners", "--explain", map_truth["address"])
                    steps = explained["owner_steps"]
                    self.assertGreaterEqual(len(steps), 1, explained)
                    self.assertEqual(steps[-1]["object"], map_truth["address"], steps)
                    self.assert_owner(explained["map"], map_truth, mode)
                    text = self.text_of("-p", program.pid, "--owners", "--explain", map_truth["address"])
                    self.assertIn(steps[-1]["word"], text)


class ChoiceTest(OwnersTest):
    def test_maps_of_an_owner(self):
        with leaks() as (program, truth):
            every = self.json_of("-p", program.pid, "--owners", "--top", 0)["maps"]
            for owner in ("main.requests", "main.work"):
                chosen = self.json_of("-p", program.pid, "--owner", owner, "--top", 0)["maps"]
                self.assertEqual({row["address"] for row in chosen},
                                 {row["address"] for row in every if owner in (row["owner_path"] or "")})
                self.assertLessEqual({row["address"] for row in truth["maps"] if row["root"] == owner}, {row["address"] for row in chosen})

    def test_maps_of_an_owner_are_one_group(self):
        with leaks() as (program, truth):
            report = self.json_of("-p", program.pid, "--group-by", "owner", "--top", 0)
            self.assertEqual(sum(group["maps"] for group in report["groups"]), report["totals"]["maps"])
            self.assertEqual(sum(group["bytes"] for group in report["groups"]), report["totals"]["bytes"])
            group, = (group for group in report["groups"] if group["owner"] == "main.requests")
            self.assertEqual(group["maps"], sum(row["root"] == "main.requests" for row in truth["maps"]))
            self.assertEqual(group["type"], "map[string]int")
            self.assertIn("main.requests", self.text_of("-p", program.pid, "--group-by", "owner"))

    def test_nobody_looks_unless_asked(self):
        with leaks() as (program, _):
            for row in self.json_of("-p", program.pid, "--no-owners", "--top", 0)["maps"]:
                self.assertIsNone(row["owner"])
                self.assertIsNone(row["reachable"])


class SitesTest(OwnersTest):
    def shares_of(self, row):
        """kind and line of each; checks that the count is that of all."""
        self.assertEqual(sum(share["samples"] for share in row["sites"]), row["site_samples"], row)
        return {(share["kind"], f"{pathlib.Path(share['file']).name}:{share['line']}") for share in row["sites"]}

    def lines_of(self, truth):
        return {(kind, truth[kind]) for kind in ("created", "grew") if truth[kind]}

    def test_every_sampled_object_has_its_line(self):
        for mode in modes_to_try():
            with self.subTest(mode=mode), leaks(mode, "-rate", "1") as (program, truth):
                report = self.json_of("-p", program.pid, "--owners", "--top", 0)
                self.assertEqual(report["sites"]["rate_bytes"], 1)
                rows = self.rows_of(report)
                for map_truth in truth["maps"]:
                    row = rows[map_truth["address"]]
                    self.assertEqual(row["site_of"], "map", row)
                    shares = self.shares_of(row)
                    self.assertIn(("grew", map_truth["grew"]), shares, (row, map_truth))
                    if map_truth["created"]:
                        self.assertLessEqual(shares, self.lines_of(map_truth), (row, map_truth))

    def test_at_the_default_rate_no_line_is_wrong(self):
        with leaks("plain", "-n", "3000") as (program, truth):
            report = self.json_of("-p", program.pid, "--owners", "--top", 0)
            self.assertEqual(report["sites"]["rate_bytes"], truth["rate"])
            rows, told = self.rows_of(report), 0
            for map_truth in truth["maps"]:
                row = rows[map_truth["address"]]
                if map_truth["created"]:
                    self.assertLessEqual(self.shares_of(row), self.lines_of(map_truth), (row, map_truth))
                told += row["site"] is not None
            self.assertGreater(told, 0)  # a map of some megabytes is sampled

    def test_a_site_selects(self):
        with leaks("plain", "-rate", "1") as (program, truth):
            chosen = self.json_of("-p", program.pid, "--site", "main.serve", "--top", 0)["maps"]
            self.assertEqual({row["address"] for row in chosen},
                             {row["address"] for row in truth["maps"] if row["root"] == "main.requests"})
            report = self.json_of("-p", program.pid, "--group-by", "site", "--top", 0)
            self.assertEqual(sum(group["bytes"] for group in report["groups"]), report["totals"]["bytes"])

    def test_without_profile_there_is_none(self):
        with leaks("plain", "-rate", "0") as (program, _):
            report = self.json_of("-p", program.pid, "--owners", "--top", 0)
            for row in report["maps"]:
                self.assertEqual((row["site"], row["sites"], row["site_samples"]), (None, [], 0), row)
            self.assertEqual(report["sites"]["sampled_maps"], 0)


class SnapshotTest(OwnersTest):
    def test_a_snapshot_says_the_same_anywhere(self):
        """Byte for byte: to another user, in another place, without Go and without the program."""
        for options in (("--owners",), ("--owners", "--json", "--top", "0"), ("--group-by", "owner")):
            with self.subTest(options=options), harness.scratch() as directory:
                with leaks("plain", "-rate", "1") as (program, truth):
                    done = maps("-p", program.pid, "--save", "saved", *options, cwd=directory)
                    self.assert_status(done, harness.CLEAN)
                elsewhere = directory / "elsewhere"
                elsewhere.mkdir()
                os.chmod(directory, 0o755)
                shutil.copy(directory / "saved", elsewhere / "saved")
                os.chmod(elsewhere / "saved", 0o644)
                other = subprocess.run(as_somebody_else(harness.mapscope(), "maps", "--snapshot", "saved", *options), capture_output=True,
                                       cwd=elsewhere, env={"PATH": "/usr/bin:/bin"})
                self.assert_status(other, harness.CLEAN)
                self.assertEqual(other.stdout.decode(), done.stdout.decode())


@unittest.skipUnless(shutil.which("go"), "there is no go command (Debian: golang-go).")
class PprofTest(OwnersTest):
    def pprof(self, *arguments):
        done = subprocess.run(["go", "tool", "pprof", *map(str, arguments)], capture_output=True, text=True,
                              env=os.environ | {"GOTOOLCHAIN": "local"}, timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_pprof_opens_the_profile(self):
        with harness.scratch() as directory, leaks() as (program, truth):
            profile = directory / "maps.pb.gz"
            self.assert_status(maps("-p", program.pid, "--pprof", profile), harness.CLEAN)
            totals = self.json_of("-p", program.pid, "--owners", "--top", 0)["totals"]
            top = self.pprof("-top", "-cum", "-sample_index=maps", profile)
            requests = sum(row["root"] == "main.requests" for row in truth["maps"])
            # flat flat% sum% cum cum% name
            cumulated = {line.split(None, 5)[5]: int(line.split()[3]) for line in top.splitlines()
                         if re.match(r"\s*\d+ +[\d.]+%", line)}
            self.assertEqual(sum(count for name, count in cumulated.items() if name.startswith("main.requests")), requests, top)
            raw = self.pprof("-raw", profile)
            self.assertIn("main.lookup", raw)
            self.assertIn("map[int]string", raw)
            samples = raw[raw.index("Samples:"):raw.index("Locations")].splitlines()[2:]
            values = [list(map(int, line.split(":")[0].split())) for line in samples if re.match(r"\s+\d+ +\d+.*:", line)]
            self.assertEqual(sum(row[0] for row in values), totals["maps"])


if __name__ == "__main__":
    harness.main()
