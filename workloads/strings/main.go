// strings grows a map with string keys and string values.
package main

import (
	"strconv"

	"mapscope.dev/workloads/truth"
)

var kept map[string]string

//go:noinline
func empty() map[string]string { return map[string]string{} }

func main() {
	n := truth.Int("n", 200000)
	meets := truth.Switch("meet")
	truth.Run(func(p *truth.Phase) {
		m := empty()
		p.Made()
		if meets {
			p.Meet(m)
		}
		w := truth.Watch(m)
		for i := 0; i < n; i++ {
			key := "key-" + strconv.Itoa(i)
			m[key] = key
			w.Wrote()
		}
		p.Ended(&w)
		kept = m
	})
}
