//go:build (!go1.21 && race) || (go1.24 && !goexperiment.swissmap)

// Classic maps that show what clearAll did. With the race detector the compiler does not know its
// loop, so that each deletion leaves its trace; those of Go 1.24 and 1.25 count how often they were
// cleared. Go source: cmd/compile/internal/walk/range.go, isMapClear; runtime/map_noswiss.go, hmap.

package main

const clearedCause = "emptied"
