"""`maps --learn` on programs that write maps at known lines: what is learned is right, and no probe stays."""
import json
import pathlib
import shutil
import struct
import subprocess
import unittest

import harness
from test_maps import MODES, MapsTest, as_somebody_else, maps

SOURCE = harness.ROOT / "workloads/restless/main.go"
# Who writes which maps in restless, where the source says so.
WRITERS = {"main.(*growing).step": ("map[string]int", "g.m[keys[g.len]] = g.len"),
           "main.(*churning).step": ("map[int]int", "c.m[c.next] = c.next")}


def kept_maps(records):
    """Addresses of the maps that restless keeps and changes, every second one that it shares."""
    words = struct.iter_unpack("<4Q", records.read_bytes())
    return {f"{address:#x}" for i, (_, address, _, _) in enumerate(words) if i % 2 == 1}


def changed_bytes(pid):
    """How many bytes of the code of a process are not those of its file: breakpoints."""
    executable = pathlib.Path(f"/proc/{pid}/exe")
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, protection, offset, _, inode, *_ = line.split()
        if "x" not in protection or int(inode) != executable.stat().st_ino:
            continue
        start, end = (int(address, 16) for address in addresses.split("-"))
        with open(f"/proc/{pid}/mem", "rb") as memory, open(executable, "rb") as file:
            memory.seek(start)
            file.seek(int(offset, 16))
            there, expected = memory.read(end - start), file.read(end - start)
        pages = range(0, len(there), 4096)
        changed = [page for page in pages if there[page:page + 4096] != expected[page:page + 4096]]
        return sum(a != b for page in changed for a, b in zip(there[page:page + 4096], expected[page:page + 4096]))
    raise AssertionError(f"Process {pid} has no code.")


class LearnTest(MapsTest):
    def restless(self, directory, mode="plain", static=0, rest="200us"):
        # A copy: breakpoints are in every process of one file, and tests that run beside this one watch others.
        program = shutil.copy(harness.workload("restless", mode=mode), directory)
        return harness.started([program, "-static", static, "-rest", rest, "-share", directory / "records"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def learning(self, pid, *options):
        """A mapscope that learns for long, with its program loaded."""
        return harness.started([harness.mapscope(), "maps", "--json", "-p", pid, "--learn", "60s", *options],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def await_start(self, process):
        harness.wait_for(lambda: process.poll() is not None or harness.bpf_objects(process), "mapscope learns")
        self.assertIsNone(process.poll(), "it ended before")

    def written_maps(self, report):
        """Maps by address, all of which are held against the source."""
        lines = SOURCE.read_text().splitlines()
        written = {row["address"]: row for row in report["maps"] if row["written_at"]}
        for row in written.values():
            for place in row["written_at"]:
                kind, text = WRITERS[place["function"]]
                self.assertEqual(lines[place["line"] - 1].strip(), text)
                self.assertEqual((row["type"], row["type_certainty"]), (kind, "exact"))
                self.assertGreater(place["writes"], 0)
        return written

    def test_types_and_lines_are_those_of_the_source(self):
        for mode in harness.few(harness.modes(MODES)):
            with self.subTest(mode=mode), harness.scratch() as directory, self.restless(directory, mode, rest="0s") as program:
                self.assertEqual(program.stdout.readline(), "ready\n")
                kept = kept_maps(directory / "records")
                for _ in range(20):  # on a busy machine a goroutine may not run at all while probes are there
                    report = self.json_of("-p", program.pid, "--learn", "1500ms")
                    self.assertEqual(changed_bytes(program.pid), 0)
                    written = self.written_maps(report)
                    self.assertLessEqual({address for address, row in written.items() if row["type"] == "map[int]int"}, kept)
                    self.assertGreaterEqual(report["learned"]["flashes"], 1)
                    self.assertIsNone(report["learned"]["stopped_by"])
                    shown = kept & {row["address"] for row in report["maps"]}  # some change too fast for a census
                    if shown and shown <= set(written):
                        break
                self.assertGreater(len(shown), 0)
                self.assertLessEqual(shown, set(written))

    def test_a_map_that_nobody_writes_is_written_nowhere(self):
        with harness.scratch() as directory, self.restless(directory, static=500) as program:
            program.stdout.readline()
            report = self.json_of("-p", program.pid, "--learn", "500ms")
            records = (directory / "records").read_bytes()
            static = {f"{address:#x}" for _, address, _, _ in struct.iter_unpack("<4Q", records[:500 * 32])}
            self.assertEqual({row["address"] for row in report["maps"] if row["written_at"]} & static, set())

    def test_a_signal_ends_the_learning_and_the_report_comes(self):
        with harness.scratch() as directory, self.restless(directory) as program:
            program.stdout.readline()
            with self.learning(program.pid) as learner:
                self.await_start(learner)
                learner.send_signal(2)
                output, messages = learner.communicate(timeout=harness.TIMEOUT_SECONDS)
            self.assertEqual(learner.returncode, harness.CLEAN, messages)
            self.assertIn("signal", json.loads(output)["learned"]["stopped_by"])
            self.assertEqual(changed_bytes(program.pid), 0)
            self.assertIsNone(program.poll())

    def test_no_probe_outlives_a_learner_that_is_killed(self):
        """A kernel that is taking probes away for a process as that is killed may leave breakpoints behind, which nobody
        is told of (docs/reliability.md). Whoever learns next takes them away."""
        with harness.scratch() as directory, self.restless(directory) as program:
            program.stdout.readline()
            with self.learning(program.pid) as learner:
                harness.wait_for(lambda: learner.poll() is not None or changed_bytes(program.pid), "probes are there")
                learner.kill()
                learner.wait()
            try:
                harness.wait_for(lambda: not changed_bytes(program.pid), "its probes are gone", seconds=5)
            except AssertionError:
                self.json_of("-p", program.pid, "--learn", "300ms")
            harness.wait_for(lambda: not changed_bytes(program.pid), "its probes are gone, or the next learner took them away")
            self.assertIsNone(program.poll())

    def test_the_end_of_the_program_is_the_end(self):
        with harness.scratch() as directory, self.restless(directory) as program:
            program.stdout.readline()
            with self.learning(program.pid) as learner:
                self.await_start(learner)
                program.kill()
                program.wait()
                _, messages = learner.communicate(timeout=harness.TIMEOUT_SECONDS)
            self.assertEqual(learner.returncode, harness.GONE, messages)

    def test_what_was_learned_before_an_exec_is_not_told_of_the_program_after_it(self):
        with harness.scratch() as directory:
            command = [harness.workload("exec"), "-wait", "--", harness.workload("restless"), "-rest", "200us", "-share", directory / "records"]
            with harness.started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
                self.assertEqual(program.stdout.readline(), "ready\n")
                with self.learning(program.pid) as learner:
                    self.await_start(learner)
                    program.stdin.write("\n")
                    program.stdin.flush()
                    output, messages = learner.communicate(timeout=harness.TIMEOUT_SECONDS)
                self.assertEqual(learner.returncode, harness.CLEAN, messages)
                report = json.loads(output)
                self.assertIn("executed another program", report["learned"]["stopped_by"])
                self.assertIn("restless", report["process"]["exe"])
                self.assertEqual([row for row in report["maps"] if row["written_at"]], [])

    @unittest.skipUnless(pathlib.Path("/usr/bin/setpriv").exists(), "setpriv is not installed (util-linux).")
    def test_without_the_right_to_load_programs_it_is_refused(self):
        with harness.scratch() as directory, self.restless(directory) as program:
            program.stdout.readline()
            done = subprocess.run(as_somebody_else(harness.mapscope(), "maps", "-p", program.pid, "--learn", "1s",
                                                   capabilities="-all,+sys_ptrace,+dac_read_search"), capture_output=True)
            self.assert_status(done, harness.DENIED)
            self.assertIn("CAP_BPF", done.stderr.decode())
            self.assertEqual(done.stdout, b"")


if __name__ == "__main__":
    harness.main()
