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

    def test_words_that_cannot_mean_a_helper_do_not_keep_it_away(self):
        for body in ("b(X x) { return x.one(); }", "b(X *x) { return x->one(1'000'000); }", "b() { return std::ranges::one(); } // one",
                     'b() { return f("one", R"(one\none)"); }', "b() { return '\"' /* one */; }"):
            with self.subTest(body=body):
                self.assertEqual(groups_of(HELPER % ("one", "a", "one"), f"int {body}\n"), ["g0", "g0"])

    def test_words_near_literals_are_seen(self):
        for body in ("b() { return 1'0 + one() + 1'0; }", "b() { return f(\"'\") + one() + f(\"'\"); }", 'b() { return \'"\' + one() + \'"\'; }',
                     'b() { return R"(")" + one() + R"(")"; }', 'b() { return f("//") + one(); }'):
            with self.subTest(body=body):
                self.assertEqual(groups_of(HELPER % ("one", "a", "one"), f"int {body}\n"), ["g0", "g1"])

    def test_a_macro_is_kept_from_every_word(self):
        self.assertEqual(groups_of("#define one 1\n", "int b(X x) { return x.one; }\n"), ["g0", "g1"])

    def test_what_two_files_use_of_a_header_is_no_name_of_theirs(self):
        one, two = ("namespace {\n\nusing testing::Program;\nint %s(Program &p) { return p.one; }\n\n} // namespace\n" % name for name in "ab")
        self.assertEqual(groups_of(one, two), ["g0", "g0"])

    def test_a_helper_is_kept_from_files_whose_headers_declare_its_name(self):
        rule = "namespace mapscope {\nnamespace {\n\nstruct Rule {\n  int value;\n};\n\n} // namespace\n} // namespace mapscope\n"
        self.assertEqual(groups_of(rule, '#include "flow/rule.h"\n'), ["g0", "g1"])

    def test_groups_have_an_end(self):
        self.assertEqual(groups_of(*["\n" * 2000] * 2), ["g0", "g1"])


if __name__ == "__main__":
    unittest.main()
