// growth grows maps from nothing to -n entries, and one of them from a hint that is too small.
package main

import "mapscope.dev/workloads/truth"

var kept map[int]int

//go:noinline
func without() map[int]int { return make(map[int]int) }

//go:noinline
func hinted(n int) map[int]int { return make(map[int]int, n) }

func fill(p *truth.Phase, m map[int]int, n int) {
	w := truth.Watch(m)
	for i := 0; i < n; i++ {
		m[i] = i
		w.Wrote()
	}
	p.Ended(&w)
	kept = m
}

func main() {
	n := truth.Int("n", 1000000)
	k := truth.Int("k", 1)
	truth.Run(func(p *truth.Phase) {
		for i := 0; i < k; i++ {
			fill(p, without(), n)
			p.Made()
			fill(p, hinted(n/16), n)
			p.MadeHint()
			fill(p, hinted(n), n)
			p.MadeHint()
		}
	})
}
