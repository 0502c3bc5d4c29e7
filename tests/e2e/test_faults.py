"""`verify` says what is wrong, in a sentence and an exit status, whatever it is given; and it leaves
nothing behind, however it ends.
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import harness

NOBODY = 65534
SECONDS_TO_END = 5  # after a signal; mapscope itself promises less


class FaultTest(harness.EndToEndTest):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="mapscope-e2e-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.directory.chmod(0o755)

    def file(self, name, content, mode=0o755):
        path = self.directory / name
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def verify_pid(self, pid, *options):
        done = subprocess.run([harness.mapscope(), "verify", *options, "-p", str(pid)], capture_output=True, text=True,
                              timeout=harness.TIMEOUT_SECONDS)
        return harness.Run(done.returncode, None, done.stderr, done.stdout)

    def assert_sentence(self, run, *words):
        """The message names what was tried, and is no dump of something."""
        self.assertRegex(run.messages, r"^mapscope: ")
        for word in words:
            self.assertRegex(run.messages, word)
        self.assertNotRegex(run.messages, r"terminate called|AddressSanitizer|runtime error|core dumped")


class UnsuitableTargetTest(FaultTest):
    def assert_cannot_tell(self, command, *words):
        run = harness.verify(command)
        self.assert_exit(run, harness.INCONCLUSIVE)
        self.assert_sentence(run, *words)

    def test_program_that_is_not_go(self):
        self.assert_cannot_tell(["/bin/true"], "/true", r"\bGo\b")

    def test_process_that_is_not_go(self):
        with harness.started(["/bin/sleep", "60"]) as target:
            run = self.verify_pid(target.pid)
            self.assert_exit(run, harness.INCONCLUSIVE)
            self.assert_sentence(run, r"\bGo\b")
            self.assertIsNone(target.poll(), "the target was harmed")

    def test_command_that_does_not_exist(self):
        run = harness.verify([self.directory / "nothing"])
        self.assertIn(run.exit_code, (harness.USAGE, harness.INCONCLUSIVE))
        self.assert_sentence(run, "nothing", "No such file")

    def test_truncated_executable(self):
        whole = harness.workload("create").read_bytes()
        for part in (20, 200, 5000, len(whole) // 2, len(whole) * 9 // 10):
            with self.subTest(bytes=part):
                self.assert_cannot_tell([self.file("truncated", whole[:part])], "truncated")

    def test_text_file(self):
        self.assert_cannot_tell([self.file("text", b"Lorem ipsum dolor sit amet.\n" * 100)], "text")

    def test_empty_file(self):
        self.assert_cannot_tell([self.file("empty", b"")], "empty")

    def test_directory(self):
        run = harness.verify([self.directory])
        self.assertIn(run.exit_code, (harness.USAGE, harness.INCONCLUSIVE, harness.DENIED))
        self.assert_sentence(run, re.escape(str(self.directory)))

    def test_script_is_never_called_clean_unseen(self):
        script = self.file("script", f"#!/bin/sh\nexec {harness.workload('create')}\n".encode())
        run = harness.verify([script])
        if run.exit_code == harness.CLEAN:
            for key in harness.COUNTED:
                self.assertGreaterEqual(run.operations[key], run.truth[key])
        else:
            self.assert_exit(run, harness.INCONCLUSIVE)
            self.assert_sentence(run, "script")

    def test_program_that_becomes_another(self):
        second = [harness.workload("growth"), "-n", "50000"]
        for options in ([], ["-thread"]):
            with self.subTest(options=options):
                run = harness.verify([harness.workload("exec"), *options, "--", *second])
                if run.exit_code == harness.CLEAN:
                    first, last = (harness.truth_in(line) for line in run.output.splitlines())
                    for key in harness.COUNTED:
                        self.assertGreaterEqual(run.operations[key], first[key] + last[key])
                else:
                    self.assert_exit(run, harness.INCONCLUSIVE)
                    self.assertRegex(" ".join(run.report["reasons"]), "exec|another program|became")


    def test_children_are_left_alone_unless_they_are_wanted(self):
        child = [harness.workload("quiet")]
        run = harness.verify([harness.workload("exec"), "-child", "--", *child])
        self.assert_exit(run, harness.CLEAN)
        self.assertLess(run.report["system_calls"]["outside"]["file"], 1000)

    def test_children_are_followed_where_they_are_wanted(self):
        child = [harness.workload("quiet"), "-n", "50000"]  # some seconds
        run = harness.verify([harness.workload("exec"), "-child", "--", *child], "--follow")
        # Its probes come some milliseconds after its exec: seen, and honest about the gap.
        self.assert_exit(run, harness.INCONCLUSIVE)
        self.assertRegex(" ".join(run.report["reasons"]), r"quiet \(process \d+\) ran for \d+ ms before its probes were placed")
        self.assertGreater(run.operations["grown"], 0)
        self.assertGreater(run.report["system_calls"]["outside"]["file"], 1000)
        self.assertEqual(run.report["violations"], [])


class UsageTest(FaultTest):
    def test_wrong_usage(self):
        for arguments in ([], ["-p", "0"], ["-p", "1", "--", "/bin/true"], ["--light", "--exact", "--", "/bin/true"],
                          ["--duration", "soon", "--", "/bin/true"], ["--no-such-option"]):
            with self.subTest(arguments=arguments):
                done = subprocess.run([harness.mapscope(), "verify", *arguments], capture_output=True, text=True)
                self.assertEqual(done.returncode, harness.USAGE, done.stderr)
                self.assertTrue(done.stderr.strip())

    def test_report_that_cannot_be_written_costs_no_run(self):
        done = subprocess.run([harness.mapscope(), "verify", "-o", self.directory / "no/such/file", "--", harness.workload("create")],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, harness.INCONCLUSIVE, done.stderr)
        self.assertIn("no/such/file", done.stderr)
        self.assertEqual(done.stdout, "", "the command was run all the same")


class VanishingTargetTest(FaultTest):
    def test_pid_that_does_not_exist(self):
        unused = int(pathlib.Path("/proc/sys/kernel/pid_max").read_text()) - 1
        run = self.verify_pid(unused)
        self.assert_exit(run, harness.GONE)
        self.assert_sentence(run, str(unused))

    def test_process_that_has_ended(self):
        with harness.started(["/bin/true"]) as target:
            os.waitid(os.P_PID, target.pid, os.WEXITED | os.WNOWAIT)  # stays a zombie
            run = self.verify_pid(target.pid)
            self.assert_exit(run, harness.GONE)
            self.assert_sentence(run, str(target.pid))

    def test_target_that_exits_at_once(self):
        run = harness.verify([harness.workload("create"), "-idle"])
        self.assertIn(run.exit_code, (harness.CLEAN, harness.INCONCLUSIVE))
        self.assertEqual(run.report["verdict"] == "clean", run.exit_code == harness.CLEAN)

    def test_target_that_is_killed(self):
        with harness.waiting([harness.workload("growth")]) as target, harness.watching(target.pid) as (tracer, report):
            target.kill()
            tracer.wait(timeout=harness.TIMEOUT_SECONDS)
            self.assertIn(tracer.returncode, (harness.CLEAN, harness.INCONCLUSIVE, harness.GONE))

    def test_executable_that_is_deleted_while_it_runs(self):
        self.check_changed_executable(lambda path: path.unlink())

    def test_executable_that_is_replaced_while_it_runs(self):
        other = shutil.copy2(harness.workload("create", harness.go_versions()[0]), self.directory / "other")
        self.check_changed_executable(lambda path: os.replace(other, path))

    def check_changed_executable(self, change):
        path = pathlib.Path(shutil.copy2(harness.workload("growth"), self.directory / "program"))
        with harness.waiting([path, "-n", "50000"]) as target:
            change(path)
            run = harness.verify_waiting(target)
            self.assert_exit(run, harness.CLEAN)
            self.assert_agrees_with_truth(run)


class BoundaryTest(FaultTest):
    def test_target_in_another_pid_namespace(self):
        command = ["unshare", "--pid", "--fork", "--kill-child", harness.workload("growth"), "-n", "50000"]
        with harness.waiting(command) as unshare:
            children = pathlib.Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text().split()
            run = harness.verify_waiting(unshare, pid=int(children[0]))
            self.assertEqual(run.truth["pid"], 1)
            self.assert_exit(run, harness.CLEAN)
            self.assert_agrees_with_truth(run)

    def test_mapscope_in_another_pid_namespace(self):
        possible = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
        if possible.returncode != 0:  # in a chroot, say
            self.skipTest(f"No mount namespace can be made here: {possible.stderr.strip()}")
        report = self.directory / "report.json"
        done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
                               *harness.verify_command(report), "--", harness.workload("create")],
                              capture_output=True, text=True, timeout=harness.TIMEOUT_SECONDS)
        run = harness.Run(done.returncode, harness.read_report(report) if report.exists() else None, done.stderr, done.stdout)
        if run.exit_code == harness.CLEAN:
            for key in harness.COUNTED:
                self.assertGreaterEqual(run.operations[key], run.truth[key])
        else:
            self.assert_exit(run, harness.INCONCLUSIVE)
            self.assert_sentence(run, "namespace")

    def test_user_without_privilege(self):
        executable = shutil.copy2(harness.mapscope(), self.directory / "mapscope")
        with harness.waiting([harness.workload("growth"), "-n", "1000"]) as target:
            done = subprocess.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", executable, "verify",
                                   "-p", str(target.pid)], capture_output=True, text=True, timeout=harness.TIMEOUT_SECONDS)
            run = harness.Run(done.returncode, None, done.stderr, done.stdout)
            self.assert_exit(run, harness.DENIED)
            self.assert_sentence(run, "root|CAP_")
            target.communicate("\n", timeout=harness.TIMEOUT_SECONDS)
            self.assertEqual(target.returncode, 0)


class EndingTest(FaultTest):
    """However mapscope ends: soon, with nothing of it left in the kernel, and the target as before."""

    @contextlib.contextmanager
    def watched(self):
        with harness.waiting([harness.workload("growth"), "-n", "200000"]) as target, \
                harness.watching(target.pid) as (tracer, report):
            self.objects = harness.bpf_objects(tracer)
            self.assertTrue(self.objects, "mapscope holds no BPF program")
            yield target, tracer, report

    def assert_nothing_is_left(self, target):
        harness.wait_for(lambda: not self.objects & harness.bpf_objects_of_this_machine(), "BPF programs and links go away", 10)
        output, _ = target.communicate("\n", timeout=harness.TIMEOUT_SECONDS)
        self.assertEqual(target.returncode, 0, "the target was harmed")
        self.assertGreater(harness.truth_in(output)["grown"], 0)

    def test_interrupt_and_terminate(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number.name), self.watched() as (target, tracer, report):
                exit_code, seconds = harness.interrupt(tracer, number)
                self.assertLess(seconds, SECONDS_TO_END)
                self.assertIn(exit_code, (harness.CLEAN, harness.INCONCLUSIVE))
                self.assertEqual(harness.read_report(report)["schema"], "mapscope.verify/1")
                self.assert_nothing_is_left(target)

    def test_kill(self):
        with self.watched() as (target, tracer, _):
            harness.interrupt(tracer, signal.SIGKILL)
            self.assert_nothing_is_left(target)

    def test_kill_while_the_target_grows_maps(self):
        with self.watched() as (target, tracer, _):
            target.stdin.write("\n")
            target.stdin.flush()
            time.sleep(0.05)
            harness.interrupt(tracer, signal.SIGKILL)
            output, _ = target.communicate(timeout=harness.TIMEOUT_SECONDS)
            self.assertEqual(target.returncode, 0, "the target was harmed")
            self.assertGreater(harness.truth_in(output)["grown"], 0)

    def test_duration_ends_in_time(self):
        with harness.waiting([harness.workload("growth")]) as target:
            begin = time.monotonic()
            run = self.verify_pid(target.pid, "--duration", "1")
            self.assertLess(time.monotonic() - begin, 1 + SECONDS_TO_END)
            self.assert_exit(run, harness.INCONCLUSIVE)  # nothing was observed, so nothing is proved
            self.assertIsNone(target.poll(), "the target was harmed")

    def test_interrupted_command_is_not_left_running(self):
        command = [*harness.verify_command(self.directory / "report.json"), "--", harness.workload("growth"), "-wait"]
        with harness.started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             start_new_session=True) as tracer:
            self.assertEqual(tracer.stdout.readline(), "ready\n")
            children = pathlib.Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split()
            os.killpg(tracer.pid, signal.SIGINT)  # as a terminal does: to both
            tracer.wait(timeout=SECONDS_TO_END)
            self.assertTrue(children)
            for child in children:
                harness.wait_for(lambda: not pathlib.Path(f"/proc/{child}").exists(), f"process {child} ends", SECONDS_TO_END)




if __name__ == "__main__":
    harness.main()
