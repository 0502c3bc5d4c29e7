// dropped makes maps and drops every other one. A collection finds them dead, and then nobody may sweep:
// their memory stays as it was, and only the mark bits tell. With -reuse it is swept, and other
// objects take its place.
//
//	map ADDRESS len slots tombstones   of those that live
//	noise ADDRESS dropped              of those that do not
//	ready                              then it waits for the end of standard input
package main

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"unsafe"

	"mapscope.dev/workloads/shape"
	"mapscope.dev/workloads/truth"
)

var (
	kept    []interface{}
	dropped []uintptr
	ballast [][]byte
	reused  []interface{}
)

func makeMaps(n int) {
	kept = make([]interface{}, 0, n)
	dropped = make([]uintptr, 0, n)
	for i := 0; i < 2*n; i++ {
		m := map[int]int{}
		for j := 0; j <= i%40; j++ {
			m[j] = j
		}
		if i%2 == 0 {
			kept = append(kept, m)
		} else {
			dropped = append(dropped, shape.Address(m))
		}
	}
}

func print(out *bufio.Writer) {
	for _, m := range kept {
		s := shape.Of(m)
		out.WriteString("map " + strconv.FormatUint(uint64(shape.Address(m)), 16) + " " + strconv.Itoa(len(m.(map[int]int))) + " " +
			strconv.Itoa(s.Slots) + " " + strconv.Itoa(s.Tombstones) + "\n")
	}
	for _, address := range dropped {
		out.WriteString("noise " + strconv.FormatUint(uint64(address), 16) + " dropped\n")
	}
}

// Allocates until a collection has ended. What it allocates is large, so that no small span has to be swept
// for it.
func collect() {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	for before := stats.NumGC; stats.NumGC == before; runtime.ReadMemStats(&stats) {
		ballast = append(ballast, make([]byte, 1<<18))
		if len(ballast) > 64 {
			ballast = ballast[:0]
		}
	}
}

// Waits without giving the processor back: the sweeper would need it.
func waitAlone() {
	syscall.RawSyscall(syscall.SYS_WRITE, 1, uintptr(unsafe.Pointer(&[]byte("ready\n")[0])), 6)
	var word [1]byte
	syscall.RawSyscall(syscall.SYS_READ, 0, uintptr(unsafe.Pointer(&word[0])), 1)
}

func main() {
	n := truth.Int("n", 5000)
	reuse := truth.Switch("reuse")
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	makeMaps(n)
	print(out)
	out.Flush()
	if reuse {
		runtime.GC()
		runtime.GC()
		for i := 0; i < n; i++ { // 48 bytes with pointers, and now and then with those of a header
			reused = append(reused, &[3]string{"one", "two", "three"}, &struct {
				a, b uint64
				at   *uint64
				c    [3]uint64
			}{a: uint64(i), b: uint64(i), at: new(uint64)})
		}
	} else {
		debug.SetGCPercent(100)
		collect()
	}
	waitAlone()
	runtime.KeepAlive(kept)
	runtime.KeepAlive(reused)
}
