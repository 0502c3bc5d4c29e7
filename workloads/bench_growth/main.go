// bench_growth is a growth storm: one goroutine makes -k maps of -n entries a round, without hints.
package main

import (
	"flag"
	"strconv"

	"mapscope.dev/workloads/measure"
)

var kept map[string]int

//go:noinline
func build(keys []string) map[string]int {
	m := map[string]int{}
	for i, key := range keys {
		m[key] = i
	}
	return m
}

func main() {
	k := flag.Int("k", 2000, "maps in a round")
	n := flag.Int("n", 1000, "entries of a map")
	rounds := flag.Int("rounds", 1, "rounds, a line each")
	wait := flag.Bool("wait", false, "print the pid and wait for a line on standard input first")
	flag.Parse()

	keys := make([]string, *n)
	for i := range keys {
		keys[i] = "key-" + strconv.Itoa(i)
	}
	measure.Rounds("bench_growth", *rounds, *k, *wait, func() {
		for i := 0; i < *k; i++ {
			kept = build(keys)
		}
	})
}
