// nilwrite writes to a nil map and recovers from the panic, -k times.
package main

import "mapscope.dev/workloads/truth"

var never map[string]int

//go:noinline
func write() (message string) {
	defer func() { message = recover().(error).Error() }()
	never["key"] = 1
	return ""
}

func main() {
	k := truth.Int("k", 3)
	truth.Run(func(p *truth.Phase) {
		for i := 0; i < k; i++ {
			if got := write(); got != "assignment to entry in nil map" {
				truth.Fail("the runtime panicked with another message: " + got)
			}
		}
		p.NoteInt("nil_map_writes", k)
	})
}
