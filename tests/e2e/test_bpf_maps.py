"""`bpf-maps` against a program that made one map of every type and knows what is in them, and beside bpftool."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import unittest

import harness

NOBODY = 65534
OWN_MEMORY_MAX = 8 << 20  # of all our maps at default settings; stands in docs/bpf-maps.md


class Maker:
    """The program that holds the maps, obeys lines, and knows the truth."""

    def __init__(self, process):
        self.process = process
        self.maps, self.refused = [], []
        for line in iter(process.stdout.readline, ""):
            said = json.loads(line)
            if said.get("ready"):
                return
            (self.refused if "refused" in said else self.maps).append(said)
        raise AssertionError("every_bpf_map ended before it was ready.")

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def do(self, *words):
        self.tell(*words)
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise AssertionError(f"{words}: {answer['error']}")
        return answer


@contextlib.contextmanager
def made(*options):
    path = os.environ.get("MAPSCOPE_EVERY_BPF_MAP")
    if not path or not pathlib.Path(path).exists():
        raise unittest.SkipTest("MAPSCOPE_EVERY_BPF_MAP does not name the program that makes maps.")
    with harness.started([path, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Maker(process)


def bpf_maps(*options, **how):
    return harness.run_mapscope("bpf-maps", *options, **how)


def bpftool(*words):
    if not shutil.which("bpftool"):
        raise unittest.SkipTest("bpftool is not installed.")
    done = subprocess.run(["bpftool", "-j", "map", "show", *words], capture_output=True, timeout=harness.TIMEOUT_SECONDS)
    return json.loads(done.stdout)


def bpftool_maps():
    return {row["id"]: row for row in bpftool()}


def bpftool_map(map_id):
    return bpftool("id", str(map_id))


class BpfMapsTest(harness.EndToEndTest):
    def assert_status(self, done, expected):
        self.assertEqual(done.returncode, expected, f"\n{done.args}\nmapscope said: {done.stderr.decode()}\n{done.stdout.decode()[:2000]}")

    def json_of(self, *options):
        done = bpf_maps("--json", *options)
        self.assert_status(done, harness.CLEAN)
        return json.loads(done.stdout)

    def rows_of(self, *options):
        report = self.json_of("--top", 0, "--budget", "20s", *options)
        self.assertEqual(report["schema"], "mapscope.bpf_maps/1")
        return {row["id"]: row for row in report["maps"]}

    def assert_figure(self, row, key, truth):
        """What is told is the truth, within its error; else it is null. Without a truth nobody knows."""
        told = row[key]
        if told is None or truth is None:
            return
        method = row["entries_method"] if key == "entries" else row["fill_method"]
        self.assertIn(method, ("counted", "walked", "sampled"), row)
        error = row["error"] if method == "sampled" else 0
        self.assertLessEqual(abs(told - truth), error, row)

    def test_every_type_is_told_truly_or_not_at_all(self):
        for level in ("empty", "some", "full"):
            with self.subTest(level=level), made("--level", level) as maker:
                rows, with_values = self.rows_of("--name", "ms_*"), self.rows_of("--name", "ms_*", "--values")
                for truth in maker.maps:
                    with self.subTest(level=level, type=truth["type"]):
                        row = rows[truth["id"]]
                        for key in ("name", "type", "type_number", "key_bytes", "value_bytes", "max_entries"):
                            self.assertEqual(row[key], truth[key], key)
                        self.assertEqual(row["flags"] & truth["flags"], truth["flags"])  # the kernel adds some
                        if row["entries"] is None:
                            self.assertEqual(row["entries_method"], "unknown")
                        if truth["set_values"] is None:
                            self.assert_figure(row, "entries", truth["entries"])
                            self.assert_figure(row, "used_bytes", truth["used_bytes"])
                        else:
                            self.assert_figure(with_values[truth["id"]], "entries", truth["set_values"])
                        if row["entries"] is None and row["used_bytes"] is None:
                            self.assertTrue(row["entries_note"] or row["problem"], f"nothing says why: {row}")

    def test_hash_types_are_always_known(self):
        with made("--level", "some") as maker:
            rows = self.rows_of("--name", "ms_*")
            for truth in maker.maps:
                if truth["type"] in ("hash", "percpu_hash", "lru_hash", "lru_percpu_hash", "hash_of_maps"):
                    self.assertEqual(rows[truth["id"]]["entries"], truth["entries"], truth["type"])
                    self.assertIsNotNone(rows[truth["id"]]["fill"])

    def test_nothing_that_bpftool_shows_is_missing_or_other(self):
        with made("--level", "some") as maker:
            before = bpftool_maps()
            rows = self.rows_of()
            after = bpftool_maps()
            stayed = {key: row for key, row in before.items() if key in after}
            self.assertEqual([key for key in stayed if key not in rows], [])
            self.assertLessEqual({truth["id"] for truth in maker.maps}, stayed.keys())
            names = {"bytes_key": "key_bytes", "bytes_value": "value_bytes", "max_entries": "max_entries", "flags": "flags",
                     "name": "name", "type": "type"}
            for key, shown in stayed.items():
                row = rows[key]
                for theirs, ours in names.items():
                    if theirs in shown and not (theirs == "type" and isinstance(shown[theirs], int)):
                        self.assertEqual(row[ours], shown[theirs], f"{theirs} of {shown}")
                if row["frozen"] is not None:
                    self.assertEqual(row["frozen"], bool(shown["frozen"]), shown)
                # Of maps that stood still, the kernel accounts the same twice.
                if row["memory_bytes"] is not None and shown.get("bytes_memlock") == after[key].get("bytes_memlock"):
                    self.assertEqual(row["memory_bytes"], shown["bytes_memlock"], shown)
            # In a list, bpftool 7.1 shows the BTF of the map before for a map without.
            for truth in maker.maps:
                self.assertEqual(rows[truth["id"]]["btf_id"], bpftool_map(truth["id"]).get("btf_id"), truth)

    def test_whose_they_are(self):
        with made("--only", "hash") as maker:
            row = self.rows_of("--name", "ms_*")[maker.maps[0]["id"]]
            self.assertIn(maker.process.pid, [holder["pid"] for holder in row["holders"]])
            self.assertFalse(row["own"])

    def test_our_own_maps_are_marked_and_small(self):
        with harness.started([harness.mapscope(), "bpf-maps", "--json", "--top", "0", "--rates", "100ms"], stdout=subprocess.PIPE) as process:
            report = json.loads(process.stdout.read())
        held = [row["memory_bytes"] for row in report["maps"] if [one["pid"] for one in row["holders"]] == [process.pid]]
        self.assertTrue(held)
        self.assertLess(sum(held), OWN_MEMORY_MAX)
        own = [row["memory_bytes"] or 0 for row in report["maps"] if row["own"]]
        self.assertEqual((report["totals"]["own_maps"], report["totals"]["own_memory_bytes"]), (len(own), sum(own)))

    def test_chooses_and_sorts(self):
        with made("--level", "some") as maker:
            hashes = self.rows_of("--name", "ms_*", "--type", "hash,lru_hash")
            self.assertLessEqual({row["type"] for row in hashes.values()}, {"hash", "lru_hash"})
            by_id = self.json_of("--name", "ms_*", "--sort", "id", "--top", 3)
            ids = [row["id"] for row in by_id["maps"]]
            self.assertEqual((ids, len(ids)), (sorted(ids), 3))
            self.assertGreaterEqual(by_id["selected"], len(maker.maps))
            fills = [row["fill"] for row in self.json_of("--name", "ms_*", "--top", 0)["maps"] if row["fill"] is not None]
            self.assertEqual(fills, sorted(fills, reverse=True))

    def test_a_table_for_people(self):
        with made("--none") as maker:
            made_map = maker.do("new", "hash", "e2e_table", 1000)
            maker.do("fill", made_map["id"], 0.95)
            done = bpf_maps("--name", "e2e_table")
            self.assert_status(done, harness.CLEAN)
            text = done.stdout.decode()
            self.assertRegex(text, rf"950/1,000 [cw]  95% #######\. .* {made_map['id']}  hash\n  e2e_table")
            self.assertIn("E2BIG", text)

    def test_keys_are_bounded_and_say_what_is_missing(self):
        with made("--none") as maker:
            flows = maker.do("btf", "e2e_flows", 100)
            maker.do("fill", flows["id"], 0.5)
            done = bpf_maps("--keys", flows["id"])
            self.assert_status(done, harness.CLEAN)
            lines = done.stdout.decode().splitlines()
            self.assertEqual((len(lines), lines[-1]), (51, "# all 50 keys"))
            self.assertEqual(len(set(lines)), 51)
            self.assertTrue(all(".address" in line for line in lines[:-1]), lines[:3])
            some = self.json_of("--keys", flows["id"], "--limit", 7, "--values")
            self.assertEqual((some["schema"], len(some["keys"]), some["count"], some["complete"]),
                             ("mapscope.bpf_keys/1", 7, 7, False))
            self.assertIn("--limit 7", some["stopped"])
            self.assertEqual(len(some["keys"][0]["key_hex"]), 2 * flows["key_bytes"])
            self.assertIn("value", some["keys"][0])
            self.assertTrue(self.json_of("--keys", flows["id"], "--limit", 50)["complete"])

    def test_maps_without_keys_are_an_error(self):
        with made("--only", "queue") as maker:
            if not maker.maps:
                raise unittest.SkipTest("The kernel takes no queue.")
            done = bpf_maps("--keys", maker.maps[0]["id"])
            self.assert_status(done, harness.INCONCLUSIVE)
            self.assertNotEqual(done.stderr, b"")

    def test_one_map_in_words(self):
        with made("--none") as maker:
            made_map = maker.do("new", "hash", "e2e_words", 64)
            maker.do("fill", made_map["id"], 0.5)
            done = bpf_maps("--explain", made_map["id"], "--rates", "50ms")
            self.assert_status(done, harness.CLEAN)
            text = done.stdout.decode()
            self.assertIn(f"map {made_map['id']} e2e_words, hash\n", text)
            self.assertIn("32/64 (50.0 %)", text)
            self.assertIn(f"pid {maker.process.pid} ", text)
            self.assertIn("rates        in a window of", text)
            document = self.json_of("--explain", made_map["id"], "--rates", "0")
            self.assertEqual((document["schema"], document["map"]["entries"]), ("mapscope.bpf_map/1", 32))
            self.assertIsNone(document["map"]["rates"])
        for option in ("--explain", "--keys"):
            done = bpf_maps(option, made_map["id"])
            self.assert_status(done, harness.INCONCLUSIVE)
            self.assertIn(f"there is no map {made_map['id']}", done.stderr.decode())

    def test_the_hot_key_is_named(self):
        with made("--none") as maker:
            made_map = maker.do("new", "hash", "e2e_hot", 64)
            maker.do("fill", made_map["id"], 1)
            maker.tell("lookup", made_map["id"], 5_000, 600, 0.9)  # until it is killed
            row = self.json_of("--explain", made_map["id"], "--rates", "1s")["map"]
            lookups = row["rates"]["system_lookups"]
            if lookups["method"] == "unknown":
                raise unittest.SkipTest(f"This kernel counts no calls of bpf(2): {lookups['note']}")
            self.assertGreater(lookups["per_second"], 0)
            self.assertEqual(row["keys"]["of"], "lookups through bpf(2)")
            self.assertGreater(row["keys"]["top"][0]["count"], row["keys"]["sampled"] / 2)
            maker.process.kill()

    def test_growth_tells_when_a_map_is_full(self):
        with made("--none") as maker:
            made_map = maker.do("new", "hash", "e2e_growth", 1000)
            command = [harness.mapscope(), "bpf-maps", "--json", "--watch", "0.05", "--rates", "0", "--name", "e2e_growth"]
            with harness.started(command, stdout=subprocess.PIPE, text=True) as watching:
                for step in range(1, 40):
                    row = json.loads(watching.stdout.readline())["maps"][0]
                    if row["time_to_full"] and row["time_to_full"]["seconds"]:
                        break
                    maker.do("fill", made_map["id"], step / 100)
                growth = row["time_to_full"]
                self.assertGreater(growth["entries_per_second"], 0, row)
                self.assertGreater(growth["seconds"], 0, row)
                self.assertLessEqual(growth["lower"], growth["seconds"])
                watching.send_signal(signal.SIGINT)
                watching.stdout.read()
                self.assertEqual(watching.wait(harness.TIMEOUT_SECONDS), harness.CLEAN)

    def test_who_may_not_is_told_what_it_takes(self):
        if not shutil.which("setpriv"):
            raise unittest.SkipTest("setpriv is not installed (util-linux).")
        with harness.scratch() as directory:
            directory.chmod(0o755)
            program = shutil.copy(harness.mapscope(), directory / "mapscope")
            done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all", program,
                                   "bpf-maps"], capture_output=True, timeout=harness.TIMEOUT_SECONDS)
        self.assert_status(done, harness.DENIED)
        self.assertIn("CAP_SYS_ADMIN", done.stderr.decode())

    def test_what_makes_no_sense_is_refused(self):
        for options in (["--sort", "beauty"], ["--keys", "1", "--explain", "1"], ["--watch", "0"], ["--rates", "often"],
                        ["--budget", "1 minute"]):
            self.assert_status(bpf_maps(*options), harness.USAGE)


if __name__ == "__main__":
    harness.main()
