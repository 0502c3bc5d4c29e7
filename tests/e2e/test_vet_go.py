"""`go vet -vettool=mapscope-vet` and `mapscope vet` on a module that uses cilium/ebpf: planted mistakes are found
on their lines, nothing is said of sound code, and what is said of limits is what the kernel does.

From the environment, beside what harness.py takes:

    MAPSCOPE_VET   the program mapscope-vet (without it or without Go: skipped)
"""
import json
import os
import re
import subprocess
import unittest
from unittest import mock

import harness

MODULE = harness.ROOT / "tests/fixtures/vet_go"
BUILD_TIMEOUT_SECONDS = 600  # the first time, the go command compiles what the module uses


def goroot():
    """Of the release that built the analyzer: another one writes what it may not read."""
    found = subprocess.run([harness.ROOT / "tools/mapscope-vet", "goroot"], capture_output=True, text=True, timeout=BUILD_TIMEOUT_SECONDS)
    if found.returncode != 0:
        raise unittest.SkipTest(found.stderr.strip())
    return found.stdout.strip()


def run(*command, cwd=MODULE):
    """A program in the module's directory. Settings of this machine must not change what it does."""
    environment = os.environ | {"GOFLAGS": "-buildvcs=false", "GOWORK": "off", "GOTOOLCHAIN": "local"}
    return subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True,
                          timeout=BUILD_TIMEOUT_SECONDS)


def analyzer():
    path = os.environ.get("MAPSCOPE_VET", "")
    if not os.access(path, os.X_OK):
        raise unittest.SkipTest("mapscope-vet was not built: it needs Go and its modules, see tools/mapscope-vet.")
    return path


def expected(package):
    """(file, line, rule) of each comment that says what has to be found."""
    return sorted((f"{package}/{path.name}", number, match[1])
                  for path in (MODULE / package).glob("*.go")
                  for number, line in enumerate(path.read_text().splitlines(), 1)
                  if (match := re.search(r"// finds: (\S+)", line)))


def findings_in(text):
    """(file, line, rule, message) of JSON trees, which stand between lines that the go command says of packages."""
    decoder, found = json.JSONDecoder(), []
    text = re.sub(r"^#.*$", "", text, flags=re.M)
    while text := text.lstrip():
        tree, end = decoder.raw_decode(text)
        text = text[end:]
        for analyzers in tree.values():
            for diagnostics in analyzers.values():
                for diagnostic in diagnostics:
                    path, line, _ = diagnostic["posn"].rsplit(":", 2)
                    found.append((os.path.relpath(path, MODULE), int(line), diagnostic["category"], diagnostic["message"]))
    return sorted(found)

ALIASES = {
    "go.mod": "module mapscope.dev/aliases\n\ngo 1.24\n",
    "sets/sets.go": "package sets\n\ntype Set[T comparable] = map[T]struct{}\n",
    "main.go": 'package main\n\nimport "mapscope.dev/aliases/sets"\n\nfunc main() { println(len(sets.Set[int]{})) }\n',
}


class VetGoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.analyzer = analyzer()
        cls.enterClassContext(mock.patch.dict(os.environ, PATH=f"{goroot()}/bin:{os.environ['PATH']}"))
        fetched = run("go", "list", "-deps", "./...")
        if fetched.returncode != 0:
            raise unittest.SkipTest(f"The modules that the test uses can't be fetched: {fetched.stderr.strip()}")

    def vet(self, package):
        """What `go vet -json` finds. The JSON is on standard output since Go 1.26, before on standard error."""
        done = run("go", "vet", "-json", f"-vettool={self.analyzer}", f"./{package}")
        self.assertEqual(done.returncode, 0, done.stderr)
        return findings_in(done.stdout + done.stderr)

    def test_go_vet_finds_each_planted_mistake_on_its_line(self):
        wanted = expected("planted")
        self.assertEqual(len({rule for _, _, rule in wanted}), 5)
        self.assertEqual([finding[:3] for finding in self.vet("planted")], wanted)

    def test_go_vet_says_it_to_people_and_fails(self):
        done = run("go", "vet", f"-vettool={self.analyzer}", "./planted")
        self.assertNotEqual(done.returncode, 0)
        lines = [int(number) for number in re.findall(r"^(?:vet: )?\S*planted\.go:(\d+):\d+: \S", done.stderr, re.M)]
        self.assertEqual(sorted(lines), [line for _, line, _ in expected("planted")])

    def test_nothing_is_said_of_sound_code(self):
        self.assertEqual(self.vet("sound"), [])
        done = run("go", "vet", f"-vettool={self.analyzer}", "./sound")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_it_starts_go_vet_itself(self):
        done = run(self.analyzer, "./planted")
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(re.findall(r"planted\.go:\d+:", done.stderr)), len(expected("planted")))
        self.assertEqual(run(self.analyzer, "./sound").returncode, 0)

    def test_generic_aliases_of_other_packages_are_read(self):
        with harness.scratch() as directory:
            for name, text in ALIASES.items():
                (directory / name).parent.mkdir(exist_ok=True)
                (directory / name).write_text(text)
            built = run("go", "build", "-o", os.devnull, ".", cwd=directory)
            if built.returncode != 0:
                self.skipTest(f"This Go release has no generic aliases: {built.stderr.strip()}")
            done = run("go", "vet", f"-vettool={self.analyzer}", "./...", cwd=directory)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_rule_can_be_left_out(self):
        done = run("go", "vet", "-json", f"-vettool={self.analyzer}", "-bpfmaplimit=false", "./planted")
        rules = {rule for _, _, rule, _ in findings_in(done.stdout + done.stderr)}
        self.assertEqual(rules, {"go-map-no-hint", "go-map-in-loop"})

    def test_limits_are_reported_where_the_kernel_refuses_their_absence(self):
        harness.require_root()
        with harness.scratch() as directory:
            built = run("go", "build", "-o", directory / "limits", "./limits")
            self.assertEqual(built.returncode, 0, built.stderr)
            kernel = run(directory / "limits").stdout
        answers = {int(line): words for line, *words in map(str.split, kernel.splitlines())}
        self.assertGreater(len(answers), 20, kernel)
        needed = {line for line, (refused, accepted) in answers.items() if (refused, accepted) == ("true", "true")}
        # Accepted in no way: a type that this kernel does not have.
        told = {line for line, (_, accepted) in answers.items() if accepted == "true"}
        reported = {line for _, line, rule, _ in self.vet("limits") if rule == "go-bpf-no-limit"}
        self.assertGreater(len(needed), 10)
        self.assertLessEqual(reported & told, needed, "reported, but the kernel makes such a map")
        source = (MODULE / "limits/main.go").read_text().splitlines()
        for line in needed - reported:
            # The library gives it the number of CPUs, but not in this version.
            self.assertIn("ebpf.CPUMap", source[line - 1], "the kernel refuses it, and nothing is reported")

    def test_mapscope_vet_drives_it(self):
        if "vet" not in subprocess.run([harness.mapscope(), "--help"], capture_output=True, text=True).stdout:
            self.skipTest("This mapscope has no vet.")
        done = run(harness.mapscope(), "vet", "--json", "--go-analyzer", self.analyzer, "./planted", "./sound")
        self.assertEqual(done.returncode, harness.FOUND, done.stderr)
        found = [(finding["file"], finding["line"], finding["rule"]) for finding in json.loads(done.stdout)["findings"]]
        self.assertEqual(sorted(found), expected("planted"))
        sound = run(harness.mapscope(), "vet", "--go-analyzer", self.analyzer, "./sound")
        self.assertEqual(sound.returncode, harness.CLEAN, sound.stderr)


if __name__ == "__main__":
    harness.main()
