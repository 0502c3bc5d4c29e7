"""The daemon among programs that lie, die, come by the hundred and become others: it lives, leaks
nothing, and serves the one program that is as it should be."""
import contextlib
import os
import pathlib
import random
import shutil
import subprocess

import daemons
import harness

RULES = """
census: {interval: 1s, shortest: 1s, longest: 2s, cpu_share: 50%}
limits: {cpu_share: 100%}
verify: {at_start: 3s, every: 0s}
default_rules: false
rules:
  - {name: waste, kind: map-waste, min_reclaimable_bytes: 1MiB, min_share: 50%}
  - {name: misuse, kind: map-misuse}
  - {name: storm, kind: map-rehash-storm}
  - {name: file-io, kind: file-io}
"""


def damaged(source, path, generator):
    """A copy with some bytes changed, more of them where the tables of the linker and the runtime are."""
    content = bytearray(pathlib.Path(source).read_bytes())
    for _ in range(generator.choice([1, 5, 50])):
        position = generator.randrange(generator.choice([64, 4096, len(content)]))
        content[position] = generator.randrange(256)
    path.write_bytes(content)
    path.chmod(0o755)
    return path


def children_of(pid):
    return set().union(*(pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()
                         for task in os.listdir(f"/proc/{pid}/task")))


class FaultsTest(harness.EndToEndTest):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.directory = self.stack.enter_context(harness.scratch())
        # Programs of other tests are none of its business.
        watched = f'watch: {{include: [{{exe: ["{self.directory}/*", "{daemons.sick()}"]}}]}}\n'
        config = daemons.configuration(self.directory, watched + RULES + daemons.alerts_section(self.directory))
        self.daemon = self.stack.enter_context(daemons.running(self.directory, config))
        # What it needs for one program, it has from here on.
        self.sound = self.stack.enter_context(daemons.patient("waste"))
        harness.wait_for(lambda: (row := self.daemon.watched(self.sound.pid)) and row["state"] == "watched", "it is watched")

    def assert_serves(self):
        """It fires for the sound program, and for nothing else."""
        self.sound.tell("fall")

        def fires():
            self.assertIsNone(self.daemon.process.poll(), self.daemon.log()[-3000:])
            return [alert["process"]["pid"] for alert in self.daemon.firing() if alert["rule"] == "waste"] == [self.sound.pid]
        harness.wait_for(fires, "the sound program is judged")
        self.sound.tell("recover")
        harness.wait_for(lambda: not [alert for alert in self.daemon.firing() if alert["rule"] == "waste"], "and is well again")

    def assert_holds_no_more_than(self, descriptors):
        # Probes, pidfds and parsers of programs that are gone go within some seconds; a connection may be open.
        with contextlib.suppress(AssertionError):
            harness.wait_for(lambda: self.daemon.descriptors() <= descriptors + 2, "descriptors go", 60)
        self.assertLessEqual(self.daemon.descriptors(), descriptors + 2,
                             [os.readlink(entry.path) for entry in os.scandir(f"/proc/{self.daemon.process.pid}/fd") if os.path.lexists(entry.path)])

    def test_executables_that_lie(self):
        before = self.daemon.descriptors()
        generator = random.Random(20260101)
        source = harness.workload("sick")
        with contextlib.ExitStack() as programs:
            for number in range(30):
                path = damaged(source, self.directory / f"damaged-{number}", generator)
                with contextlib.suppress(OSError):  # the kernel does not take it
                    programs.enter_context(harness.started([path, "-illness", "waste"], stdin=subprocess.PIPE,
                                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            self.assert_serves()
        self.assert_serves()
        self.assert_holds_no_more_than(before)

    def test_programs_that_come_and_go(self):
        before = self.daemon.descriptors()
        subprocess.run(["sh", "-c", "for i in $(seq 1000); do /bin/true; done"], check=True)
        quiet, becomes = (shutil.copy(harness.workload(name), self.directory) for name in ("quiet", "exec"))
        for _ in range(10):
            with contextlib.ExitStack() as programs:
                for _ in range(8):
                    programs.enter_context(harness.started([quiet], stdout=subprocess.DEVNULL))
                    programs.enter_context(harness.started([becomes, "--", quiet], stdout=subprocess.DEVNULL))
        self.assert_serves()
        harness.wait_for(lambda: {row["pid"] for row in self.daemon.ask("/api/v1/processes")["processes"]
                                  if row["exe"] in (str(quiet), str(becomes))} == set(), "those that ended are forgotten")
        self.assert_holds_no_more_than(before)
        self.assertFalse([child for child in children_of(self.daemon.process.pid)
                          if pathlib.Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"], "no child is left unreaped")

    def test_program_that_is_stopped_and_killed_while_it_is_looked_at(self):
        before = self.daemon.descriptors()
        for _ in range(10):
            with daemons.patient("storm") as one:
                one.tell("fall")
                one.process.send_signal(daemons.signal.SIGSTOP)
                one.process.send_signal(daemons.signal.SIGCONT)
                harness.wait_for(lambda: self.daemon.watched(one.pid), "it is found")
        self.assert_serves()
        self.assert_holds_no_more_than(before)


if __name__ == "__main__":
    harness.main()
