// census makes -n maps of many types, sizes and fates among objects that look like map headers, and
// prints what a census has to find: one line for each map and each look-alike, and what all maps
// together take of the heap.
//
//	map ADDRESS len slots tombstones
//	noise ADDRESS class
//	bytes COUNT          what the maps added to HeapAlloc
//	ready                then it waits for the end of standard input
//
// With -silent it prints the last line only.
package main

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"unsafe"

	"mapscope.dev/workloads/truth"
)

const longest = 5000

var (
	maps  []interface{} // pointers, so that nothing is allocated beside the maps
	kinds []*kind       // of each map
	noise []look
	keys  [2 * longest]string
)

// addressOf is the header of a map: the data word of its interface.
func addressOf(m interface{}) uintptr {
	return uintptr((*[2]unsafe.Pointer)(unsafe.Pointer(&m))[1])
}

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC() // the first one may have begun before the last garbage was made
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// Mostly small, with a long tail.
func size(i int) int {
	switch {
	case i%1000 == 0:
		return longest
	case i%50 == 0:
		return 200
	case i%10 == 0:
		return 40
	default:
		return i % 9
	}
}

// One of the fates of a map. Every eighth of them is not just filled.
func fate(k *kind, i int) interface{} {
	n := size(i)
	switch i % 16 {
	case 3:
		m := k.make(n) // a hint that is met
		k.fill(m, 0, n)
		return m
	case 7: // filled, then half emptied, and filled a little with other keys
		m := k.make(0)
		k.fill(m, 0, n)
		k.empty(m, 0, n/2)
		k.fill(m, longest, longest+n/8)
		return m
	case 11: // emptied
		m := k.make(0)
		k.fill(m, 0, n)
		k.empty(m, 0, n)
		return m
	case 15:
		m := k.make(2 * n) // a hint that is not met
		k.fill(m, 0, n/4)
		k.iterate(m)
		return m
	}
	m := k.make(0)
	k.fill(m, 0, n)
	return m
}

func makeMaps(n int) uint64 {
	maps = make([]interface{}, n)
	kinds = make([]*kind, n)
	heapBytes() // what it allocates itself the first time must not count
	before := heapBytes()
	for i := range maps {
		k := &allKinds[i%len(allKinds)]
		maps[i], kinds[i] = fate(k, i/len(allKinds)), k
	}
	return heapBytes() - before
}

// mutate changes its maps for ever: grows them, empties them, and replaces one at times.
func mutate(hot []interface{}, k *kind) {
	for round := 0; ; round++ {
		for i, m := range hot {
			n := 10 + (round+i)%200
			k.fill(m, 0, n)
			k.empty(m, n/4, n)
		}
		if round%64 == 0 {
			hot[round/64%len(hot)] = k.make(0)
		}
	}
}

func print(out *bufio.Writer, bytes uint64) {
	line := make([]byte, 0, 64)
	number := func(value uint64, base int) {
		line = append(line, ' ')
		line = strconv.AppendUint(line, value, base)
	}
	end := func() {
		out.Write(append(line, '\n'))
		line = line[:0]
	}
	for i, m := range maps {
		slots, tombstones := inspect(m, kinds[i].groupBytes)
		line = append(line, "map"...)
		number(uint64(addressOf(m)), 16)
		number(uint64(kinds[i].len(m)), 10)
		number(uint64(slots), 10)
		number(uint64(tombstones), 10)
		end()
	}
	for _, look := range noise {
		line = append(line, "noise"...)
		number(uint64(uintptr(look.at)), 16)
		line = append(line, ' ')
		line = append(line, look.class...)
		end()
	}
	line = append(line, "bytes"...)
	number(bytes, 10)
	end()
}

func main() {
	n := truth.Int("n", 10000)
	noiseCount := truth.Int("noise", 100)
	mutators := truth.Int("mutate", 0)
	for i := range keys {
		keys[i] = "key-" + strconv.Itoa(i)
	}
	debug.SetGCPercent(-1)
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	bytes := makeMaps(n)
	makeNoise(noiseCount)
	if !truth.Switch("silent") {
		print(out, bytes)
	}
	if mutators > 0 {
		debug.SetGCPercent(100)
	}
	for i := 0; i < mutators; i++ {
		hot := make([]interface{}, 40)
		for j := range hot {
			hot[j] = allKinds[i%len(allKinds)].make(0)
		}
		go mutate(hot, &allKinds[i%len(allKinds)])
	}
	out.WriteString("ready\n")
	out.Flush()
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(maps)
	runtime.KeepAlive(noise)
}
