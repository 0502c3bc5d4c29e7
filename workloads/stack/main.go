// stack keeps its maps on the stack: the header, and for small ones the first entries.
package main

import "mapscope.dev/workloads/truth"

var total int

// No call at all creates this one. Its first growth is the first the runtime hears of it.
//
//go:noinline
func small(c *truth.Counts, entries int) {
	m := make(map[int]int)
	fill(c, m, entries)
	total += len(m)
}

//go:noinline
func constantHint(c *truth.Counts, entries int) {
	m := make(map[int]int, 64)
	c.MadeHint()
	fill(c, m, entries)
	total += len(m)
}

//go:noinline
func variableHint(c *truth.Counts, hint, entries int) {
	m := make(map[int]int, hint)
	c.MadeHint()
	fill(c, m, entries)
	total += len(m)
}

func fill(c *truth.Counts, m map[int]int, entries int) {
	w := truth.WatchLocal(m)
	for i := 0; i < entries; i++ {
		m[i] = i
		w.Wrote()
	}
	c.Ended(&w)
}

// deep moves the stack while the maps below it are in use.
//
//go:noinline
func deep(c *truth.Counts, depth int) int {
	var frame [256]byte
	if depth > 0 {
		frame[depth%256] = byte(deep(c, depth-1))
	}
	small(c, 40)
	return int(frame[0])
}

func main() {
	rounds := truth.Int("rounds", 20)
	depth := truth.Int("depth", 60) // of the recursion that moves the stack
	truth.Run(func(p *truth.Phase) {
		for i := 0; i < rounds; i++ {
			small(&p.Counts, 8)   // full, not grown
			small(&p.Counts, 9)   // grown once
			small(&p.Counts, 300) // and many times
			constantHint(&p.Counts, 300)
			variableHint(&p.Counts, i, 200)
		}
		moved := make(chan truth.Counts)
		go func() { // a goroutine begins with a small stack
			var c truth.Counts
			total += deep(&c, depth)
			moved <- c
		}()
		p.Add(<-moved)
	})
}
