// bench_syscalls makes -n system calls a round, and a map of -k entries every two hundred calls.
package main

import (
	"flag"
	"log"
	"strconv"
	"syscall"

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

func open(path string, mode int) int {
	fd, err := syscall.Open(path, mode, 0)
	if err != nil {
		log.Fatalf("opening %s: %v", path, err)
	}
	return fd
}

func main() {
	k := flag.Int("k", 100, "entries of each map")
	n := flag.Int("n", 400000, "calls in a round, half of them read and half write")
	rounds := flag.Int("rounds", 1, "rounds, a line each")
	wait := flag.Bool("wait", false, "print the pid and wait for a line on standard input first")
	flag.Parse()

	sink, source := open("/dev/null", syscall.O_WRONLY), open("/dev/zero", syscall.O_RDONLY)
	keys := make([]string, *k)
	for i := range keys {
		keys[i] = "key-" + strconv.Itoa(i)
	}
	buffer := make([]byte, 64)
	measure.Rounds("bench_syscalls", *rounds, *n, *wait, func() {
		for i := 0; i < *n/2; i++ {
			syscall.Write(sink, buffer)
			syscall.Read(source, buffer)
			if i%100 == 0 {
				kept = build(keys)
			}
		}
	})
}
