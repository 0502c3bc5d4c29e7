"""`trace` says what it lost and what it could not write, and leaves nothing behind."""
import os
import signal
import subprocess
import time

import harness

ROUNDS = 3000  # of storm: more operations than the smallest buffer holds


class LossTest(harness.EndToEndTest):
    def lose(self, version):
        """A run whose buffer was full for a while: exit status, text, and the program's truth."""
        with harness.waiting([harness.workload("storm", version), "-rounds", str(ROUNDS)]) as target, \
                harness.tracing("-p", target.pid, "--all", "--only", "created,grown,split", "--buffer", "1") as (tracer, path):
            with harness.stopped(tracer):
                output, _ = target.communicate("\n", timeout=harness.TIMEOUT_SECONDS)
            tracer.wait(timeout=harness.TIMEOUT_SECONDS)
            return tracer.returncode, path.read_text(), harness.truth_in(output)

    def test_what_is_told_and_what_is_lost_is_what_happened(self):
        for version in harness.go_versions():
            with self.subTest(go=version):
                exit_code, text, truth = self.lose(version)
                self.assertEqual(exit_code, harness.INCONCLUSIVE)
                events, end = harness.parse_trace(text)
                happened = sum(truth[key] for key in harness.COUNTED)
                operations = end["events"]["by_kind"]["map_operation"]
                self.assertEqual(operations["sent"] + operations["lost"], happened)
                self.assertGreater(operations["lost"], 0)
                self.assertEqual(len([event for event in events if event["event"] in ("map_created", "map_grown", "map_split")]),
                                 operations["sent"])
                self.assertGreaterEqual(end["events"]["lost"]["ring_full"], operations["lost"])


class OutputTest(harness.EndToEndTest):
    def test_reader_that_goes_away(self):
        program = [harness.workload("storm"), "-rounds", "1000000"]
        with harness.started(program) as target:
            tracer = subprocess.Popen([harness.mapscope(), "trace", "-p", str(target.pid)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            with tracer:
                self.assertTrue(tracer.stdout.readline())
                tracer.stdout.close()
                begin = time.monotonic()
                self.assertEqual(tracer.wait(harness.TIMEOUT_SECONDS), harness.CLEAN)
                self.assertLess(time.monotonic() - begin, 5)
            self.assertIsNone(target.poll(), "the target was harmed")

    def test_device_that_is_full(self):
        done = harness.run_mapscope("trace", "-o", "/dev/full", "--", harness.workload("storm"))
        self.assertEqual(done.returncode, harness.INCONCLUSIVE)
        self.assertIn(b"No space left", done.stderr)
        self.assertGreater(harness.truth_in(done.stdout.decode())["grown"], 0)  # and the program ran on

    def test_recording_on_a_device_that_is_full(self):
        for command in (["record", "/dev/full"], ["trace", "--record", "/dev/full"]):
            with self.subTest(command=command):
                done = harness.run_mapscope(*command, "--", harness.workload("storm"))
                self.assertEqual(done.returncode, harness.INCONCLUSIVE)
                self.assertIn(b"No space left", done.stderr)

    def test_run_that_did_not_begin_leaves_no_recording(self):
        with harness.scratch() as directory:
            file = directory / "run.rec"
            for command in (["record", file, "-p", "4194305"], ["trace", "--record", file, "-p", "4194305"],
                            ["verify", "--record", file, "-p", "4194305"]):
                with self.subTest(command=command):
                    done = harness.run_mapscope(*command)
                    self.assertEqual(done.returncode, harness.GONE, done.stderr)
                    self.assertFalse(file.exists())

    def test_file_that_cannot_be_written_costs_no_run(self):
        for command in (["trace", "-o", "/no/such/file"], ["trace", "--record", "/no/such/file"], ["record", "/no/such/file"]):
            with self.subTest(command=command):
                done = harness.run_mapscope(*command, "--", harness.workload("create"))
                self.assertEqual(done.returncode, harness.INCONCLUSIVE, done.stderr)
                self.assertIn(b"/no/such/file", done.stderr)
                self.assertEqual(done.stdout, b"", "the command was run all the same")

    def test_wrong_usage(self):
        command = ["--", "/bin/true"]
        for arguments in (["trace"], ["trace", "--all", "--exact", *command], ["trace", "--only", "nothing", *command],
                          ["trace", "--min-bytes", "many", *command], ["trace", "--map", "here", *command], ["trace", "--time", "tea", *command],
                          ["trace", "--format", "xml", *command], ["trace", "--format", "perfetto", "-c", *command],
                          ["trace", "--all-go", *command], ["record", *command], ["record", "file", "--rare", "--exact", *command],
                          ["replay"], ["replay", "a", "b"], ["trace", "--no-such-option", *command]):
            with self.subTest(arguments=arguments):
                done = harness.run_mapscope(*arguments)
                self.assertEqual(done.returncode, harness.USAGE, done.stderr)
                self.assertTrue(done.stderr.strip())
                self.assertEqual(done.stdout, b"")

    def test_what_is_no_recording(self):
        with harness.scratch() as directory:
            (directory / "text").write_text("Lorem ipsum dolor sit amet.\n" * 100)
            (directory / "empty").touch()
            for name, status in (("text", harness.INCONCLUSIVE), ("empty", harness.INCONCLUSIVE), ("missing", harness.INCONCLUSIVE)):
                with self.subTest(file=name):
                    done = harness.run_mapscope("replay", directory / name)
                    self.assertEqual(done.returncode, status, done.stderr)
                    self.assertIn(name.encode(), done.stderr)

    def test_recording_that_breaks_off(self):
        with harness.scratch() as directory:
            whole, torn = directory / "whole", directory / "torn"
            harness.run_mapscope("record", whole, "--", harness.workload("storm"), "-rounds", "200")
            told = harness.run_mapscope("replay", whole).stdout
            torn.write_bytes(whole.read_bytes()[:whole.stat().st_size * 2 // 3])
            done = harness.run_mapscope("replay", torn)
            self.assertEqual(done.returncode, harness.INCONCLUSIVE, done.stderr)
            self.assertIn(b"torn", done.stderr)
            self.assertTrue(told.startswith(done.stdout[:100]))


class EndingTest(harness.EndToEndTest):
    """However a trace ends: soon, with nothing of it left in the kernel, and the target as before."""

    def test_interrupt_terminate_and_kill(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number.name), harness.waiting([harness.workload("storm")]) as target, \
                    harness.tracing("-p", target.pid, "--exact") as (tracer, path):
                objects = harness.bpf_objects(tracer)
                self.assertTrue(objects, "mapscope holds no BPF program")
                exit_code, seconds = harness.interrupt(tracer, number)
                if number != signal.SIGKILL:
                    self.assertEqual(exit_code, harness.CLEAN)
                    self.assertLess(seconds, 5)
                    self.assertEqual(harness.parse_trace(path.read_text())[1]["event"], "end")
                harness.wait_for(lambda: not objects & harness.bpf_objects_of_this_machine(), "BPF programs and links go away", 10)
                target.communicate("\n", timeout=harness.TIMEOUT_SECONDS)
                self.assertEqual(target.returncode, 0, "the target was harmed")

    def test_duration_ends_in_time(self):
        with harness.waiting([harness.workload("storm")]) as target:
            begin = time.monotonic()
            done = harness.run_mapscope("trace", "-p", target.pid, "--duration", "1")
            self.assertLess(time.monotonic() - begin, 6)
            self.assertEqual(done.returncode, harness.CLEAN, done.stderr)

    def test_pid_that_does_not_exist(self):
        with open("/proc/sys/kernel/pid_max") as file:
            unused = int(file.read()) - 1
        done = harness.run_mapscope("trace", "-p", unused)
        self.assertEqual(done.returncode, harness.GONE, done.stderr)
        self.assertIn(str(unused).encode(), done.stderr)

    def test_interrupted_command_is_not_left_running(self):
        with harness.started([harness.mapscope(), "trace", "-o", "/dev/null", "--", harness.workload("storm"), "-wait"], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as tracer:
            self.assertEqual(tracer.stdout.readline(), "ready\n")
            with open(f"/proc/{tracer.pid}/task/{tracer.pid}/children") as file:
                children = file.read().split()
            self.assertTrue(children)
            os.killpg(tracer.pid, signal.SIGINT)  # as a terminal does: to both
            tracer.wait(timeout=5)
            for child in children:
                harness.wait_for(lambda: not os.path.exists(f"/proc/{child}"), f"process {child} ends", 5)


if __name__ == "__main__":
    harness.main()
