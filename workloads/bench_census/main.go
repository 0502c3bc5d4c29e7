// bench_census keeps -n maps of mixed sizes and types, held by structs, slices, interfaces and a map of
// maps, and a thread that wakes each millisecond. It prints "maps=N heap_bytes=N", and then for each line
// on standard input the longest time that the thread was kept from running since the last one:
//
//	gap_us=N
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"mapscope.dev/workloads/truth"
)

type session struct {
	id    int
	attrs map[string]int
	seen  map[uint64]struct{}
}

type entry struct {
	a, b, c, d int64
	next       *entry
}

var (
	keys     [200000]string
	count    int
	sessions = map[int]*session{}
	entries  = map[int]map[string]*entry{}
	rows     [][]map[string]int
	boxed    []interface{}
	pointers []*map[string]string
	ballast  [][]byte
	longest  int64
)

// Mostly small, with a long tail.
func size(i int) int {
	switch {
	case i%1000 == 0:
		return 5000
	case i%50 == 0:
		return 200
	case i%10 == 0:
		return 40
	default:
		return i % 9
	}
}

func counters(n int) map[string]int {
	m := map[string]int{}
	for i := 0; i < n; i++ {
		m[keys[i]] = i
	}
	count++
	return m
}

func set(n int) map[uint64]struct{} {
	m := map[uint64]struct{}{}
	for i := 0; i < n; i++ {
		m[uint64(i)*2654435761] = struct{}{}
	}
	count++
	return m
}

func entriesOf(n int) map[string]*entry {
	m := map[string]*entry{}
	for i := 0; i < n; i++ {
		m[keys[i]] = &entry{a: int64(i)}
	}
	count++
	return m
}

func texts(n int) map[string]string {
	m := map[string]string{}
	for i := 0; i < n; i++ {
		m[keys[i]] = keys[n-i-1]
	}
	count++
	return m
}

func makeMaps(n int) {
	var row []map[string]int
	for i := 0; count < n; i++ {
		switch i % 4 {
		case 0:
			sessions[i] = &session{id: i, attrs: counters(size(i / 4)), seen: set(size(i/4 + 3))}
		case 1:
			if row = append(row, counters(size(i/4))); len(row) == 64 {
				rows, row = append(rows, row), nil
			}
		case 2:
			entries[i] = entriesOf(size(i/4) / 2)
		case 3:
			boxed = append(boxed, counters(size(i/4)))
			m := texts(size(i / 4))
			pointers = append(pointers, &m)
		}
	}
	rows = append(rows, row)
}

// A call of the kernel by itself, so that neither timers of Go nor its scheduler are in the figure.
func beat() {
	runtime.LockOSThread()
	pause := syscall.Timespec{Nsec: 1e6}
	for last := time.Now(); ; {
		syscall.Nanosleep(&pause, nil)
		now := time.Now()
		if gap := int64(now.Sub(last)); gap > atomic.LoadInt64(&longest) {
			atomic.StoreInt64(&longest, gap)
		}
		last = now
	}
}

func main() {
	n := truth.Int("n", 100000)
	for i := range keys {
		keys[i] = "key-" + strconv.Itoa(i)
	}
	makeMaps(n)
	for i := truth.Int("ballast", 256); i > 0; i-- { // MiB without pointers, written to
		block := make([]byte, 1<<20)
		for j := 0; j < len(block); j += 4096 {
			block[j] = 1
		}
		ballast = append(ballast, block)
	}
	runtime.GC()
	debug.FreeOSMemory()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	go beat()
	fmt.Printf("maps=%d heap_bytes=%d\n", count+2, stats.HeapAlloc)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Printf("gap_us=%d\n", atomic.SwapInt64(&longest, 0)/1e3)
	}
}
