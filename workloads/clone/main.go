// clone copies maps with maps.Clone, and by hand where the Go version has no such function.
package main

import "mapscope.dev/workloads/truth"

var kept map[int]int

//go:noinline
func hinted(n int) map[int]int { return make(map[int]int, n) }

func main() {
	k := truth.Int("k", 50)
	truth.Run(func(p *truth.Phase) {
		for _, n := range []int{4, 100, 3000} {
			source := hinted(n)
			p.MadeHint()
			w := truth.Watch(source)
			for i := 0; i < n; i++ {
				source[i] = i
				w.Wrote()
			}
			p.Ended(&w)
			for i := 0; i < k; i++ {
				kept = copyOf(p, source)
			}
		}
	})
}
