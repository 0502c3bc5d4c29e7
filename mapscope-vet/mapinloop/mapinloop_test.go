// Each map that could be cleared is found, and none that is needed.

package mapinloop_test

import (
	"path/filepath"
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"mapscope.dev/mapscope-vet/mapinloop"
)

// Modules, since their go.mod says which Go version they are for.
func module(name string) string { return filepath.Join(analysistest.TestData(), name) }

func TestMapsThatCouldBeClearedAreFound(t *testing.T) {
	analysistest.Run(t, module("new"), mapinloop.Analyzer, "./reusable")
}

func TestMapsThatAreNeededAreLeftAlone(t *testing.T) {
	analysistest.Run(t, module("new"), mapinloop.Analyzer, "./sound")
}

func TestNothingIsSaidWhereTheLanguageHasNoClear(t *testing.T) {
	analysistest.Run(t, module("old"), mapinloop.Analyzer, "./beforeclear")
}
