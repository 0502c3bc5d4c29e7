// Each mistake is found, and nothing else.

package bpfmaplimit_test

import (
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"

	"mapscope.dev/mapscope-vet/bpfmaplimit"
)

func TestMistakesAreFoundAndNothingElse(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), bpfmaplimit.Analyzer,
		"defects", "sound", "setslimits", "givesaway", "perfbuffers", "resized")
}

func TestEachFindingNamesItsRule(t *testing.T) {
	found := make(map[string]int)
	for _, result := range analysistest.Run(t, analysistest.TestData(), bpfmaplimit.Analyzer, "defects") {
		countCategories(found, result.Diagnostics)
	}
	want := map[string]int{bpfmaplimit.NoLimit: 8, bpfmaplimit.Huge: 3, bpfmaplimit.WrongSize: 3}
	for rule, count := range want {
		if found[rule] != count {
			t.Errorf("%s: %d findings, want %d", rule, found[rule], count)
		}
	}
	if len(found) != len(want) {
		t.Errorf("rules %v, want those of %v", found, want)
	}
}

func countCategories(counts map[string]int, diagnostics []analysis.Diagnostic) {
	for _, diagnostic := range diagnostics {
		counts[diagnostic.Category]++
	}
}
