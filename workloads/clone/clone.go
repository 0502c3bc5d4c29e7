//go:build go1.21

// Copying a map by maps.Clone, of Go 1.21 on.

package main

import (
	"maps"

	"mapscope.dev/workloads/truth"
)

// One call of runtime.makemap (1.21 to 1.23), maps.NewMap (1.24) or maps.(*Map).Clone (1.25 on).
func copyOf(p *truth.Phase, source map[int]int) map[int]int {
	p.MadeHint()
	p.Cloned++
	return maps.Clone(source)
}
