// zerocap makes maps of no capacity and writes them once or twice.
package main

import "mapscope.dev/workloads/truth"

var kept map[int]int

//go:noinline
func zero() map[int]int { return make(map[int]int, 0) }

func main() {
	k := truth.Int("k", 1000)
	truth.Run(func(p *truth.Phase) {
		for i := 0; i < k; i++ {
			m := zero()
			p.Made()
			w := truth.Watch(m)
			m[i] = i // allocates the first bucket or group, which is no growth
			w.Wrote()
			m[i+1] = i
			w.Wrote()
			p.Ended(&w)
			kept = m
		}
	})
}
