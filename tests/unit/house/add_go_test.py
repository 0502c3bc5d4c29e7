"""The list of Go releases and the table of layouts name the same ones, and tools/add-go takes a release out and adds it again
without a trace.

With MAPSCOPE_MEASURE=1 (`tools/add-go` of the newest release, a minute and more) what is added again is measured again.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))
import go_releases  # noqa: E402 (its folder is known from here on)

SKIPPED = 77
TABLE = "userspace/binary/layout_table.inc"
COPIED = ("tools/go-layouts", "tools/add-go", "tools/go_releases.py", "tools/go_changes.py", "tools/go-releases.txt", "tools/go-toolchain",
          "tools/build-workloads", TABLE, "workloads")
GO_MINOR_MIN = 26  # of tools/go-layouts/go.mod


def go_minor():
    if not shutil.which("go"):
        return 0
    version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, env=os.environ | {"GOTOOLCHAIN": "local"}, cwd="/").stdout
    match = go_releases.VERSION.match(version.removeprefix("go"))
    return int(match["minor"]) if match else 0


class ListTest(unittest.TestCase):
    def test_the_list_is_in_order_and_each_release_is_there_once(self):
        comment, releases = go_releases.read()
        versions = [release.version for release in releases]
        self.assertEqual(versions, sorted(set(versions), key=go_releases.order))
        self.assertEqual(go_releases.LIST.read_text(), comment + "".join(map(str, releases)))
        for release in releases:
            self.assertLessEqual(release.uses, set(go_releases.USES))
            if release.uses - {go_releases.LAYOUTS}:  # what tests try has to be built
                self.assertIn(go_releases.WORKLOADS, release.uses)

    def test_the_table_has_what_the_list_says(self):
        with open(ROOT / TABLE, encoding="utf-8") as table:
            [measured] = [line.split()[1:] for line in table if line.startswith('R"table(toolchains ')]
        self.assertEqual(measured, go_releases.used_for(go_releases.LAYOUTS))

    def test_candidates_come_before_their_release(self):
        versions = ["1.26.11", "1.27beta1", "1.27rc2", "1.27rc10", "1.27.0", "1.27.4", "1.27.4-noswissmap", "1.28rc1"]
        self.assertEqual(sorted(reversed(versions), key=go_releases.order), versions)
        for version in ("", "1", "2.0", "go1.27.4", "1.27.4.1", "1.27-rc1x"):
            with self.assertRaises(ValueError):
                go_releases.order(version)


@unittest.skipIf(go_minor() < GO_MINOR_MIN, f"There is no go command of Go 1.{GO_MINOR_MIN} or newer.")
class ToolTest(unittest.TestCase):
    def setUp(self):
        self.tree = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="mapscope-add-go-")))
        for name in COPIED:
            source, copy = ROOT / name, self.tree / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy)

    def add_go(self, *arguments):
        return subprocess.run([self.tree / "tools/add-go", *arguments], capture_output=True, text=True)

    def texts(self):
        return [(self.tree / name).read_text() for name in ("tools/go-releases.txt", TABLE)]

    def removed(self):
        """All releases of the newest minor one, which are taken out."""
        newest = max(map(go_releases.minor, go_releases.used_for(go_releases.LAYOUTS)))
        versions = [release.version for release in go_releases.read()[1] if go_releases.minor(release.version) == newest]
        done = self.add_go("--remove", *versions)
        self.assertEqual(done.returncode, 0, done.stderr)
        return newest, versions

    def test_a_release_that_is_taken_out_leaves_nothing(self):
        newest, _ = self.removed()
        for text in self.texts():
            self.assertNotIn(f"1.{newest}.", text)
        remaining = go_releases.used_for(go_releases.LAYOUTS, self.tree / "tools/go-releases.txt")
        self.assertEqual(remaining, [version for version in go_releases.used_for(go_releases.LAYOUTS) if go_releases.minor(version) != newest])

    @unittest.skipUnless(os.environ.get("MAPSCOPE_MEASURE"), "MAPSCOPE_MEASURE is not set.")
    def test_a_release_that_is_added_again_is_what_it_was(self):
        before = self.texts()
        _, versions = self.removed()
        self.assertNotEqual(self.texts(), before)
        done = self.add_go("--no-build", *versions)
        self.assertIn(done.returncode, (0, 3), done.stdout + done.stderr)
        self.assertEqual(self.texts(), before)
        self.assertIn(f"Summary of Go {versions[-1]}", done.stdout)

    def test_what_is_no_release_changes_nothing(self):
        before = self.texts()
        for arguments in (["1.27"[:1]], ["1.27.4-noswissmap"], ["--remove", "1.99.9"], [], ["--check", "1.27.4"]):
            self.assertEqual(self.add_go(*arguments).returncode, 2, arguments)
        self.assertEqual(self.texts(), before)

    def test_the_table_survives_its_tool(self):
        done = subprocess.run(["go", "test", "./..."], cwd=ROOT / "tools/go-layouts", capture_output=True, text=True,
                              env=os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if len(result.skipped) == result.testsRun else 0)
