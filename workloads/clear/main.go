// clear fills and clears maps over and over.
package main

import "mapscope.dev/workloads/truth"

var kept map[int]int

//go:noinline
func empty() map[int]int { return make(map[int]int) }

func main() {
	n := truth.Int("n", 5000)
	rounds := truth.Int("rounds", 20)
	truth.Run(func(p *truth.Phase) {
		m := empty()
		p.Made()
		w := truth.Watch(m)
		for round := 0; round < rounds; round++ {
			for i := 0; i < n; i++ {
				m[i] = i
				w.Wrote()
			}
			clearAll(m)
			p.Cleared++
		}
		p.Ended(&w)
		kept = m
	})
}
