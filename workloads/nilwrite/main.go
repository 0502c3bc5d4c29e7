// nilwrite writes to a nil map and recovers from the panic, -k times; with -die it does not recover.
package main

import "mapscope.dev/workloads/truth"

var never map[string]int

//go:noinline
func write(line *int, recovers bool) (message string) {
	defer func() {
		if recovers {
			message = recover().(error).Error()
		}
	}()
	*line = truth.Line(1)
	never["key"] = 1
	return ""
}

func main() {
	k := truth.Int("k", 3)
	die := truth.Switch("die")
	truth.Run(func(p *truth.Phase) {
		line := 0
		for i := 0; i < k; i++ {
			if got := write(&line, true); got != "assignment to entry in nil map" {
				truth.Fail("the runtime panicked with another message: " + got)
			}
		}
		p.NoteInt("nil_map_writes", k)
		p.NoteString("type", "map[string]int")
		p.NoteString("file", truth.File())
		p.NoteString("function", "main.write")
		p.NoteInt("line", line)
		if die {
			p.Say()
			write(&line, false)
		}
	})
}
