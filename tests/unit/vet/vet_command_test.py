"""`mapscope vet`: what it looks at, what it prints, and how it ends."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

EXECUTABLE, OBJECTS = None, None


def vet(*arguments, directory=None, **environment):
    return subprocess.run([EXECUTABLE, "vet", *map(str, arguments)], capture_output=True, text=True, cwd=directory,
                          env={**os.environ, **environment}, timeout=300)


class VetCommandTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def test_a_sound_object_is_called_so(self):
        done = vet(OBJECTS / "sound.bpf.o")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertRegex(done.stderr, r"^mapscope: 0 findings in 1 BPF object with \d+ maps\n$")

    def test_findings_are_lines_as_compilers_write_them(self):
        path = OBJECTS / "defects.bpf.o"
        done = vet(path)
        self.assertEqual(done.returncode, 1, done.stderr)
        for line in done.stdout.splitlines():
            self.assertRegex(line, rf"^{re.escape(str(path))}:0:0: (note|warning|error): map \S+: .+ \[bpf-[a-z-]+\]$|^    \S")

    def test_the_level_that_fails_is_chosen(self):
        path = OBJECTS / "legacy.bpf.o"
        for level, status in (("error", 1), ("never", 0)):
            self.assertEqual(vet(path, "--fail-on", level).returncode, status, level)
        rules = ["--disable", "bpf-no-btf,bpf-wrong-size"]
        self.assertEqual(vet(*rules, path).returncode, 0)
        self.assertEqual(vet("--max-bytes", "1TiB", "--cpus", 1, path, *rules).returncode, 0)
        self.assertEqual(vet(path, "--disable", "bpf-nothing").returncode, 2)
        self.assertEqual(vet(path, "--fail-on", "sometimes").returncode, 2)
        self.assertEqual(vet().returncode, 2)

    def test_both_documents_have_every_finding(self):
        path = OBJECTS / "defects.bpf.o"
        document = json.loads(vet(path, "--json").stdout)
        self.assertEqual(document["schema"], "mapscope.vet/1")
        self.assertEqual(document["looked_at"]["objects"], 1)
        sarif = json.loads(vet(path, "--sarif").stdout)
        results = sarif["runs"][0]["results"]
        self.assertEqual([result["ruleId"] for result in results],
                         [finding["rule"] for finding in document["findings"]])
        self.assertEqual(sum(document["counts"].values()), len(results))
        self.assertGreater(len(results), 20)

    def test_a_directory_is_searched_for_objects(self):
        (self.directory / "deep/er").mkdir(parents=True)
        shutil.copy(OBJECTS / "big_endian.bpf.o", self.directory / "deep/twin_bpfeb.o")
        shutil.copy(OBJECTS / "legacy.bpf.o", self.directory / "deep/er/some.o")
        shutil.copy(EXECUTABLE, self.directory / "host.o")  # no object for BPF: not asked for
        done = vet(".", directory=self.directory)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("./deep/er/some.o:0:0: ", done.stdout)
        self.assertIn("in 1 BPF object with 2 maps; 1 big-endian object left out", done.stderr)

    def test_what_cannot_be_judged_is_named_and_the_others_go_on(self):
        broken = self.directory / "broken.bpf.o"
        broken.write_bytes((OBJECTS / "sound.bpf.o").read_bytes()[:900])
        text = self.directory / "text"
        text.write_text("hello")
        done = vet(self.directory / "absent.o", broken, text, OBJECTS / "big_endian.bpf.o", OBJECTS / "sound.bpf.o")
        self.assertEqual(done.returncode, 3, done.stdout)
        for words in ("absent.o: opening it: No such file", "broken.bpf.o: ", "text: not an ELF file",
                      "big_endian.bpf.o: a big-endian object", "in 1 BPF object"):
            self.assertIn(words, done.stderr)
        # A finding in the rest is worth more.
        self.assertEqual(vet(broken, OBJECTS / "defects.bpf.o").returncode, 1)

    def test_a_directory_with_nothing_to_judge_is_named(self):
        done = vet(self.directory)
        self.assertEqual(done.returncode, 3)
        self.assertIn("no BPF object and no Go module in it", done.stderr)

    def test_a_pipe_does_not_hold_it(self):
        os.mkfifo(self.directory / "pipe.bpf.o")
        done = vet(self.directory / "pipe.bpf.o")
        self.assertEqual(done.returncode, 3)
        self.assertIn("no regular file", done.stderr)

    def test_go_sources_are_not_left_out_silently(self):
        (self.directory / "go.mod").write_text("module example.com/app\n")
        (self.directory / "a.go").write_text("package app\n")
        analyzer = self.directory / "analyzer"
        analyzer.write_text("#!/bin/sh\n")
        analyzer.chmod(0o755)
        done = vet(self.directory, "--go-analyzer", analyzer, PATH="/nowhere")
        self.assertEqual(done.returncode, 3)
        self.assertIn("Go sources need the go command in PATH", done.stderr)
        done = vet(self.directory, "--go-analyzer", self.directory / "absent")
        self.assertEqual(done.returncode, 3)
        self.assertIn("is no program", done.stderr)
        self.assertEqual(vet(self.directory, "--no-go").returncode, 0)


if __name__ == "__main__":
    EXECUTABLE, OBJECTS = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1])
