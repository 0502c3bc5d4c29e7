"""tools/join-sources lets a compiler see only such files together as mean the same as they do alone."""
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
HELPER = "namespace mapscope {\nnamespace {\n\nint %s() { return 1; }\n\n} // namespace\n\nint %s() { return %s(); }\n} // namespace mapscope\n"


def groups_of(*texts):
    with tempfile.TemporaryDirectory(prefix="mapscope-join-") as directory:
        paths = [pathlib.Path(directory) / f"{number}.cpp" for number in range(len(texts))]
        for path, text in zip(paths, texts):
            path.write_text(text)
        done = subprocess.run([ROOT / "tools/join-sources", *paths], check=True, capture_output=True, text=True)
    return done.stdout.split(";")


class JoinSourcesTest(unittest.TestCase):
    def test_files_without_a_name_in_common_are_joined(self):
        self.assertEqual(groups_of(HELPER % ("one", "a", "one"), HELPER % ("two", "b", "two")), ["g0", "g0"])

    def test_two_helpers_of_one_name_are_kept_apart(self):
        self.assertEqual(groups_of(HELPER % ("one", "a", "one"), HELPER % ("one", "b", "one")), ["g0", "g1"])

    def test_a_helper_is_kept_from_files_that_use_its_name_otherwise(self):
        self.assertEqual(groups_of(HELPER % ("one", "a", "one"), "int b(int one) { return one; }\n"), ["g0", "g1"])
        self.assertEqual(groups_of("int b(int one) { return one; }\n", HELPER % ("one", "a", "one")), ["g0", "g1"])

    def test_a_helper_is_kept_from_files_whose_headers_declare_its_name(self):
        rule = "namespace mapscope {\nnamespace {\n\nstruct Rule {\n  int value;\n};\n\n} // namespace\n} // namespace mapscope\n"
        self.assertEqual(groups_of(rule, '#include "flow/rule.h"\n'), ["g0", "g1"])

    def test_groups_have_an_end(self):
        self.assertEqual(groups_of(*["\n" * 2000] * 2), ["g0", "g1"])


if __name__ == "__main__":
    unittest.main()
