// beside_c keeps maps on the heap of Go and bitwise copies of their headers on that of C, which is none
// of a census's business.
//
//	map ADDRESS len slots tombstones
//	noise ADDRESS c
//	ready               then it waits for the end of standard input
package main

// #include <stdlib.h>
import "C"

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"mapscope.dev/workloads/shape"
	"mapscope.dev/workloads/truth"
)

type header [6]uint64

var maps []map[int]int

// copyToC leaves the address as a number: pointers of Go are not to be kept by C, and these are not used.
func copyToC(address uintptr) uintptr {
	at := C.malloc(C.size_t(unsafe.Sizeof(header{})))
	*(*header)(at) = *(*header)(unsafe.Pointer(address))
	return uintptr(at)
}

func main() {
	n := truth.Int("n", 5000)
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	for i := 0; i < n; i++ {
		m := map[int]int{}
		for j := 0; j <= i%40; j++ {
			m[j] = j
		}
		maps = append(maps, m)
		s := shape.Of(m)
		out.WriteString("map " + strconv.FormatUint(uint64(shape.Address(m)), 16) + " " + strconv.Itoa(len(m)) + " " +
			strconv.Itoa(s.Slots) + " " + strconv.Itoa(s.Tombstones) + "\n")
		out.WriteString("noise " + strconv.FormatUint(uint64(copyToC(shape.Address(m))), 16) + " c\n")
	}
	out.WriteString("ready\n")
	out.Flush()
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(maps)
}
