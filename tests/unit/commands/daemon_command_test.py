"""`mapscope daemon` with options that run nothing: what is checked, printed and refused."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXECUTABLE = None


def daemon(*options):
    return subprocess.run([EXECUTABLE, "daemon", *options], capture_output=True, text=True)


class DaemonCommandTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name, "c.yaml")

    def test_a_file_that_is_fine_is_called_so(self):
        done = daemon("--check", "--config", ROOT / "packaging/mapscope.yaml")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"mapscope.yaml is fine: 16 rules, 0 sinks\n$")

    def test_all_that_is_wrong_is_said_and_nothing_runs(self):
        self.path.write_text("log: {level: loud}\nserve: {adress: ''}\n")
        for options in ([], ["--check"], ["--once"], ["--print-config"]):
            done = daemon("--config", self.path, *options)
            self.assertEqual(done.returncode, 2, options)
            self.assertEqual([line.split(": ")[0] for line in done.stderr.splitlines()],
                             [f"{self.path}:1:14", f"{self.path}:2:9"], done.stderr)
            self.assertIn('did you mean "address"?', done.stderr)
            self.assertEqual(done.stdout, "")

    def test_what_is_printed_is_fine_and_prints_the_same(self):
        printed = daemon("--print-config", "--config", ROOT / "packaging/mapscope.yaml")
        self.assertEqual(printed.returncode, 0, printed.stderr)
        self.path.write_text(printed.stdout)
        self.assertEqual(daemon("--check", "--config", self.path).returncode, 0)
        self.assertEqual(daemon("--print-config", "--config", self.path).stdout, printed.stdout)

    def test_a_file_that_is_not_there_is_a_usage_error(self):
        done = daemon("--check", "--config", self.path)
        self.assertEqual(done.returncode, 2)
        self.assertIn(str(self.path), done.stderr)

    def test_options_exclude_each_other(self):
        for options in (["--check", "--once"], ["--check", "--print-config"], ["--once", "--print-config"]):
            self.assertEqual(daemon(*options).returncode, 2, options)


if __name__ == "__main__":
    EXECUTABLE = sys.argv.pop(1)
    unittest.main()
