"""docs/support.md is what tools/support-table makes of the results of runs, and no cell of it is blank or unexplained."""
import copy
import importlib.machinery
import importlib.util
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools"))

import support_results  # noqa: E402


def load_tool():
    loader = importlib.machinery.SourceFileLoader("support_table", str(ROOT / "tools/support-table"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


TOOL = load_tool()
RESULTS = {
    "schema": "mapscope.support/1", "kind": "go", "command": "make matrix", "host": "Linux 6.18, x86-64", "mapscope": "abc", "date": "2026-11-22",
    "columns": [{"id": "plain", "title": "plain", "about": "One."}, {"id": "race", "title": "race", "about": "Two."}],
    "rows": [{"id": version, "title": f"Go {version}", "cells": {
        "plain": {"state": "supported", "why": "", "checks": {"verify": "passed: 2 created"}},
        "race": {"state": "refused", "why": "It says that it can't.", "checks": {}}}} for version in ("1.9.2", "1.10")],
}


class DocumentTest(unittest.TestCase):
    def test_the_document_is_what_the_results_say(self):
        results, problems = TOOL.read(support_results.FOLDER)
        self.assertEqual(problems, [])
        self.assertEqual((ROOT / "docs/support.md").read_text(), TOOL.document(results), "run tools/support-table")

    def test_a_sentence_is_told_once_with_its_cells(self):
        text = TOOL.document({"go": RESULTS})
        self.assertEqual(text.count("It says that it can't."), 1)
        self.assertIn("- **no** race: all. It says that it can't.", text)
        self.assertIn("| Go 1.10 | ✓ | no |", text)


class ValidityTest(unittest.TestCase):
    def problems_after(self, change):
        results = copy.deepcopy(RESULTS)
        change(results)
        return support_results.problems(results, "go")

    def assert_refused(self, change):
        self.assertTrue(self.problems_after(change))

    def test_what_runs_write_is_accepted(self):
        self.assertEqual(self.problems_after(lambda results: None), [])

    def test_no_cell_is_blank(self):
        self.assert_refused(lambda results: results["rows"][1]["cells"].pop("race"))
        self.assert_refused(lambda results: results["rows"][1]["cells"]["race"].update(state=""))

    def test_what_is_not_supported_has_a_sentence(self):
        for why in ("", " ", "no sentence", "."):
            self.assert_refused(lambda results, why=why: results["rows"][0]["cells"]["race"].update(why=why))

    def test_what_is_supported_has_passed_its_checks(self):
        self.assert_refused(lambda results: results["rows"][0]["cells"]["plain"].update(checks={}))
        self.assert_refused(lambda results: results["rows"][0]["cells"]["plain"]["checks"].update(maps="failed: 1 is wrong"))

    def test_nothing_is_told_of_one_machine(self):
        self.assert_refused(lambda results: results["rows"][0]["cells"]["race"].update(why="There is no " + "/ro" "ot/go/bin/go."))


class MergeTest(unittest.TestCase):
    def test_a_run_replaces_its_rows_and_keeps_the_others(self):
        new = copy.deepcopy(RESULTS)
        new["rows"] = [new["rows"][0]]
        new["rows"][0]["cells"]["race"] = {"state": "supported", "why": "", "checks": {"verify": "passed"}}
        merged = support_results.merge(RESULTS, new)
        self.assertEqual([row["id"] for row in merged["rows"]], ["1.9.2", "1.10"])
        self.assertEqual([row["cells"]["race"]["state"] for row in merged["rows"]], ["supported", "refused"])

    def test_a_new_column_is_not_run_in_the_other_rows(self):
        new = copy.deepcopy(RESULTS)
        new["columns"].append({"id": "cgo", "title": "cgo", "about": "Three."})
        new["rows"] = [new["rows"][1]]
        new["rows"][0]["cells"]["cgo"] = {"state": "none", "why": "There is no C.", "checks": {}}
        merged = support_results.merge(RESULTS, new)
        self.assertEqual([row["cells"]["cgo"]["state"] for row in merged["rows"]], ["not_run", "none"])
        self.assertEqual(support_results.problems(merged, "go"), [])


if __name__ == "__main__":
    unittest.main()
