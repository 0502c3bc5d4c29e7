// gctrace makes the runtime itself write a file inside a growing map: with GODEBUG=gctrace=1 the
// goroutine that ends a collection prints a line about it, and that goroutine may be the one whose
// map growth asked for the memory.
package main

import (
	"os"
	"runtime"
	"strings"

	"mapscope.dev/workloads/truth"
)

type node struct{ left, right *node }

// tree is work for the collector: it can't be marked before the next allocation.
func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{tree(depth - 1), tree(depth - 1)}
}

var (
	live *node
	kept map[int]*node
	line int
)

//go:noinline
func empty() map[int]*node { return make(map[int]*node) }

//go:noinline
func fill(p *truth.Phase, m map[int]*node, n int) {
	w := truth.Watch(m)
	_, _, here, _ := runtime.Caller(0)
	line = here + 3 // of the write below
	for i := 0; i < n; i++ {
		m[i] = live
		w.Wrote()
	}
	p.Ended(&w)
}

func goroutine() string {
	header := make([]byte, 64)
	header = header[:runtime.Stack(header, false)] // "goroutine 1 [running]:"
	return strings.Fields(string(header))[1]
}

func main() {
	n := truth.Int("n", 200000)
	rounds := truth.Int("rounds", 60)
	depth := truth.Int("depth", 20)
	truth.Run(func(p *truth.Phase) {
		// Made while there is nothing to collect, so that only growth can be interrupted by a trace.
		maps := make([]map[int]*node, rounds)
		for i := range maps {
			maps[i] = empty()
			p.Made()
		}
		live = tree(depth)
		for i := range maps {
			fill(p, maps[i], n)
			kept, maps[i] = maps[i], nil
		}
		runtime.KeepAlive(live)
		log, err := os.Readlink("/proc/self/fd/2")
		if err != nil {
			truth.Fail("reading what standard error is: " + err.Error())
		}
		_, file, _, _ := runtime.Caller(0)
		p.NoteString("path", log)
		p.NoteString("goroutine", goroutine())
		p.NoteString("function", "main.fill")
		p.NoteString("file", file)
		p.NoteInt("line", line)
	})
}
