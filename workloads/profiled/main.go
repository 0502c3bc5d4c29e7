// profiled makes, grows and empties maps for -seconds of CPU time, and writes the CPU profile of that to
// standard output: what `go build -pgo` inlines the insides of maps by.
package main

import (
	"os"
	"runtime/pprof"
	"strconv"
	"syscall"

	"mapscope.dev/workloads/truth"
)

const entries = 2000

type pair struct{ a, b int64 }

var (
	texts [entries]string
	sink  int
)

//go:noinline
func small(n int) {
	for i := 0; i < n; i++ {
		m := make(map[int]int)
		m[i] = i
		sink += len(m)
	}
}

//go:noinline
func hinted(hint int) {
	m := make(map[int]int, hint)
	m[hint] = 1
	sink += len(m)
}

//go:noinline
func grow() {
	numbers, words, names, pairs := make(map[int]int), make(map[uint32]int), make(map[string]int), make(map[pair]int)
	for i := 0; i < entries; i++ {
		numbers[i] = i
		words[uint32(i)] = i
		names[texts[i]] = i
		pairs[pair{int64(i), 1}] = i
	}
	for i := 0; i < entries; i++ {
		delete(numbers, i)
		delete(words, uint32(i))
		delete(names, texts[i])
		delete(pairs, pair{int64(i), 1})
	}
	sink += len(numbers) + len(words) + len(names) + len(pairs)
}

func cpuSeconds() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		truth.Fail("asking for the CPU time: " + err.Error())
	}
	return usage.Utime.Sec
}

func main() {
	seconds := int64(truth.Int("seconds", 2))
	for i := range texts {
		texts[i] = "key-" + strconv.Itoa(i)
	}
	if err := pprof.StartCPUProfile(os.Stdout); err != nil {
		truth.Fail("beginning the profile: " + err.Error())
	}
	for cpuSeconds() < seconds {
		grow()
		small(1000)
		for hint := 9; hint < 1000; hint += 10 {
			hinted(hint)
		}
	}
	pprof.StopCPUProfile()
}
