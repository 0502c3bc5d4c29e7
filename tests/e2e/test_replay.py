"""A recording says the same again, to the byte: of every workload, in every form of output."""
import harness
from test_golden import PROGRAMS

# Of one program, every form; of all others, the one that tells most.
FORMS = [["--json"], [], ["--json", "--stack"], ["-C"], ["-c", "--json"], ["--stack", "--time", "clock"], ["--time", "delta"],
         ["--format", "perfetto"], ["--only", "grown,mmap", "--min-bytes", "4KiB"]]
MISUSES = [["concurrent"], ["concurrent", "-read"], ["nilwrite"]]


class ReplayTest(harness.EndToEndTest):
    def check(self, command, form, *depth):
        with harness.scratch() as directory:
            live = harness.run_mapscope("trace", *depth, *form, "--record", directory / "recording", "-o", directory / "live", "--", *command)
            self.assertNotIn(live.returncode, (harness.USAGE, harness.DENIED), live.stderr)
            again = harness.run_mapscope("replay", directory / "recording", *form, "-o", directory / "again")
            self.assertEqual(again.returncode, live.returncode, again.stderr)
            self.assertTrue((directory / "live").read_bytes())
            self.assertEqual((directory / "again").read_bytes().decode(), (directory / "live").read_bytes().decode())

    def test_every_workload(self):
        for version in harness.go_versions():
            for name, arguments in harness.few(PROGRAMS.items()):
                with self.subTest(go=version, program=name):
                    self.check([harness.workload(name.partition("-")[0], version), *arguments], FORMS[0], "--all")

    def test_every_form(self):
        for version in harness.go_versions():
            for form in harness.few(FORMS):
                for depth in ([], ["--exact"]):
                    with self.subTest(go=version, form=form, depth=depth):
                        self.check([harness.workload("storm", version), "-rounds", "5"], form, *depth)

    def test_misuse(self):
        for version in harness.go_versions():
            for name, *arguments in harness.few(MISUSES):
                for form in ([], ["--json"]):
                    with self.subTest(go=version, program=[name, *arguments], form=form):
                        self.check([harness.workload(name, version), *arguments], form)

    def test_verdict(self):
        programs = [["quiet"], ["growth", "-n", "100000"], ["stack"], ["exec", "--", harness.workload("create")]]
        for version in harness.go_versions():
            for name, *arguments in harness.few(programs):
                for form in ([], ["--json"]):
                    with self.subTest(go=version, program=name, form=form), harness.scratch() as directory:
                        live = harness.run_mapscope("verify", *form, "-o", directory / "live", "--record", directory / "recording", "--",
                                                    harness.workload(name, version), *arguments)
                        again = harness.run_mapscope("replay", directory / "recording", "--verify", *form, "-o", directory / "again")
                        self.assertEqual(again.returncode, live.returncode, again.stderr)
                        self.assertEqual((directory / "again").read_text(), (directory / "live").read_text())

    def test_record_keeps_what_trace_and_verify_tell(self):
        for version in harness.go_versions():
            with self.subTest(go=version), harness.scratch() as directory:
                done = harness.run_mapscope("record", directory / "recording", "--", harness.workload("storm", version), "-rounds", "5")
                self.assertEqual(done.returncode, harness.CLEAN, done.stderr)
                truth = harness.truth_in(done.stdout.decode())
                events, end = harness.parse_trace(harness.run_mapscope("replay", directory / "recording", "--json").stdout.decode())
                for site in truth["sites"]:
                    grown = [event for event in events if event["event"] in ("map_grown", "map_split") and event["site"]["function"] == site["function"]]
                    self.assertEqual(len(grown), site["grown"] + site["split"])
                verdict = harness.run_mapscope("replay", directory / "recording", "--verify")
                self.assertEqual(verdict.returncode, harness.CLEAN, verdict.stdout)
                self.assertEqual(end["events"]["lost"]["ring_full"], 0)


if __name__ == "__main__":
    harness.main()
