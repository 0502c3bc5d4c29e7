// deletes is a sliding window: each write deletes an old key, so the map stays small and wears out.
package main

import "mapscope.dev/workloads/truth"

var kept map[int]int

//go:noinline
func empty() map[int]int { return make(map[int]int) }

func main() {
	n := truth.Int("n", 200000)
	window := truth.Int("window", 3000)
	truth.Run(func(p *truth.Phase) {
		m := empty()
		p.Made()
		w := truth.Watch(m)
		for i := 0; i < n; i++ {
			m[i] = i
			w.Wrote()
			delete(m, i-window)
		}
		p.Ended(&w)
		kept = m
	})
}
