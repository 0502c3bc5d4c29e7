"""`trace --all-go`: every Go program of this host, those that run and those that start. It runs alone: what
others start would be watched too, and their tests look for breakpoints."""
import contextlib

import harness
from test_trace import CountedTest


class AllGoTest(CountedTest):
    def run_on(self, target):
        """Lets a waiting program go on to its end, and returns what it counted."""
        return harness.truth_in(target.communicate("\n", timeout=harness.TIMEOUT_SECONDS)[0])

    def end_of(self, tracer, path):
        """Events of a trace that is told to end, how many it lost, and its last line."""
        exit_code, _ = harness.interrupt(tracer)
        events, end = harness.parse_trace(path.read_text())
        lost = sum(end["events"]["lost"].values())
        self.assertEqual(exit_code, harness.INCONCLUSIVE if lost else harness.CLEAN)
        return events, lost, end

    def test_every_go_program_of_this_host(self):
        command = [harness.workload("growth"), "-n", "20000"]
        with harness.waiting(command) as first, harness.waiting(command) as second, harness.tracing("--all-go", "--all") as (tracer, path):
            probed = harness.text_of(first.pid)
            targets, truths = [first, second], [self.run_on(first), self.run_on(second)]
            # How soon it is watched depends on what else starts here at this time.
            with harness.waiting(command) as late:
                harness.wait_for_probes(late.pid, probed)
                targets.append(late)
                truths.append(self.run_on(late))
            events, lost, _ = self.end_of(tracer, path)
        for truth in truths:
            self.assert_counted(events, truth, lost)
        exits = {event["pid"]: event["exit_status"] for event in events if event["event"] == "process_exit"}
        missing = [target.pid for target in targets if target.pid not in exits]
        self.assertLessEqual(len(missing), lost)
        self.assertEqual({exits[target.pid] for target in targets if target.pid not in missing}, {0})

    def test_program_whose_start_was_lost(self):
        """The buffer is full when it starts, so that no record tells of it."""
        command = [harness.workload("growth"), "-n", "20000"]
        probed = harness.probed_text(command[0])
        with harness.waiting([harness.workload("storm"), "-rounds", "3000"]) as storm, \
                harness.tracing("--all-go", "--all", "--buffer", "1") as (tracer, path), contextlib.ExitStack() as until_then:
            with harness.stopped(tracer):
                self.run_on(storm)
                target = until_then.enter_context(harness.waiting(command))
            harness.wait_for_probes(target.pid, probed)
            truth = self.run_on(target)
            events, _, end = self.end_of(tracer, path)
        self.assertGreater(end["events"]["by_kind"]["process_exec"]["lost"], 0)
        self.assertEqual(self.counted(events, target.pid), {key: truth[key] for key in harness.COUNTED})


if __name__ == "__main__":
    harness.main()
