// Each map that could have been made with its size is found, nothing else, and the fix is right.

package mapsizehint_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"mapscope.dev/mapscope-vet/mapsizehint"
)

func TestMissingHintsAreFoundAndFixed(t *testing.T) {
	analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), mapsizehint.Analyzer, "unsized")
}

func TestWhatIsSizedOrUnknownIsLeftAlone(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), mapsizehint.Analyzer, "sound")
}
