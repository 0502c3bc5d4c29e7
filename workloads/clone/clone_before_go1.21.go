//go:build !go1.21

// Copying a map by hand, before Go 1.21 had maps.Clone.

package main

import "mapscope.dev/workloads/truth"

func copyOf(p *truth.Phase, source map[int]int) map[int]int {
	m := hinted(len(source))
	p.MadeHint()
	w := truth.Watch(m)
	for key, value := range source {
		m[key] = value
		w.Wrote()
	}
	p.Ended(&w)
	return m
}
