// concurrent writes one map from two goroutines until the runtime ends the program for it.
package main

import (
	"runtime"
	"time"

	"mapscope.dev/workloads/truth"
)

var shared map[int]int

//go:noinline
func hinted(n int) map[int]int { return make(map[int]int, n) }

func write() {
	for i := 0; ; i++ {
		shared[i&1023] = i // these keys are there: the map never grows
	}
}

func main() {
	seconds := truth.Int("seconds", 20)
	truth.Run(func(p *truth.Phase) {
		runtime.GOMAXPROCS(2)
		shared = hinted(4096)
		p.MadeHint()
		w := truth.Watch(shared)
		for i := 0; i < 1024; i++ {
			shared[i] = i
			w.Wrote()
		}
		p.Ended(&w)
		p.Say()
		go write()
		go write()
		time.Sleep(time.Duration(seconds) * time.Second)
		truth.Fail("the runtime did not notice the concurrent writes.")
	})
}
