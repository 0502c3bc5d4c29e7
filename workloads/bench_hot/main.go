// bench_hot assigns, looks up and deletes in one map that never grows.
package main

import (
	"flag"
	"strconv"

	"mapscope.dev/workloads/measure"
)

var total int

//go:noinline
func work(m map[string]int, keys []string, turns int) {
	for i := 0; i < turns; i++ {
		key := keys[i%len(keys)]
		m[key] = i
		total += m[key]
		if i%16 == 0 {
			delete(m, key)
			m[key] = i
		}
	}
}

func main() {
	k := flag.Int("k", 1000000, "turns in a round: an assignment and a look-up each")
	n := flag.Int("n", 4096, "entries")
	rounds := flag.Int("rounds", 7, "rounds, a line each")
	wait := flag.Bool("wait", false, "print the pid and wait for a line on standard input first")
	flag.Parse()

	keys := make([]string, *n)
	m := make(map[string]int, *n*2)
	for i := range keys {
		keys[i] = "key-" + strconv.Itoa(i)
		m[keys[i]] = i
	}
	measure.Rounds("bench_hot", *rounds, *k, *wait, func() { work(m, keys, *k) })
}
