// spoiled writes garbage over the runtime's descriptors (mspan) of spans that hold its own maps, so that
// whoever believes them is led astray. After that it does nothing that would need them.
//
//	-seed N   of the garbage
//	-spans N  how many descriptors (default 8)
//
// It prints its maps as workloads/census does, those in spoiled spans as noise.
package main

import (
	"bufio"
	"math/rand"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"mapscope.dev/workloads/shape"
	"mapscope.dev/workloads/truth"
)

const (
	pageBytes = 8192
	// Of mspan.startAddr, which npages follows, in all releases; and how much of an mspan all of them have.
	startOffset = 24
	mspanBytes  = 136
)

var maps []map[int]int

func makeMaps() {
	maps = make([]map[int]int, 10000)
	for i := range maps {
		m := map[int]int{}
		for j := 0; j <= i%40; j++ {
			m[j] = j
		}
		maps[i] = m
	}
}

// Writable mappings without a name that do not hold the heap.
func anonymousMappings() (found [][2]uintptr) {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		truth.Fail(err.Error())
	}
	heap := shape.Address(maps[0])
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) < 5 || words[1] != "rw-p" || words[4] != "0" || len(words) > 5 && !strings.HasPrefix(words[5], "[anon") {
			continue
		}
		ends := strings.SplitN(words[0], "-", 2)
		start, _ := strconv.ParseUint(ends[0], 16, 64)
		end, _ := strconv.ParseUint(ends[1], 16, 64)
		if uintptr(start) > heap || uintptr(end) <= heap {
			found = append(found, [2]uintptr{uintptr(start), uintptr(end)})
		}
	}
	return found
}

// Where the descriptors of the spans of maps lie, by the first page of each.
func findDescriptors() (spans, descriptors []uintptr) {
	mappings := anonymousMappings()
	var last uintptr
	for _, m := range maps {
		page := shape.Address(m) &^ (pageBytes - 1)
		if page == last {
			continue
		}
		last = page
		for _, mapping := range mappings {
			for at := mapping[0]; at+mspanBytes <= mapping[1]; at += 8 {
				if *(*uintptr)(unsafe.Pointer(at + startOffset)) == page && *(*uintptr)(unsafe.Pointer(at + startOffset + 8)) == 1 {
					spans, descriptors = append(spans, page), append(descriptors, at)
				}
			}
		}
	}
	return spans, descriptors
}

// One of the ways in which a descriptor can be wrong.
func spoil(random *rand.Rand, at uintptr) {
	words := (*[mspanBytes / 8]uint64)(unsafe.Pointer(at))
	switch random.Intn(4) {
	case 0: // all of it
		for i := range words {
			words[i] = random.Uint64()
		}
	case 1: // a word
		words[random.Intn(len(words))] = random.Uint64()
	case 2: // small numbers, which look more like what should be there
		for i := 0; i < 4; i++ {
			words[random.Intn(len(words))] = random.Uint64() >> uint(random.Intn(64))
		}
	case 3: // bytes
		bytes := (*[mspanBytes]byte)(unsafe.Pointer(at))
		for i := 0; i < 3; i++ {
			bytes[random.Intn(len(bytes))] = byte(random.Uint32())
		}
	}
}

func print(out *bufio.Writer, spoiled []uintptr) {
	for _, m := range maps {
		address := shape.Address(m)
		inSpoiled := false
		for _, page := range spoiled {
			inSpoiled = inSpoiled || address&^(pageBytes-1) == page
		}
		if inSpoiled {
			out.WriteString("noise " + strconv.FormatUint(uint64(address), 16) + " spoiled\n")
			continue
		}
		s := shape.Of(m)
		out.WriteString("map " + strconv.FormatUint(uint64(address), 16) + " " + strconv.Itoa(len(m)) + " " +
			strconv.Itoa(s.Slots) + " " + strconv.Itoa(s.Tombstones) + "\n")
	}
}

func main() {
	seed, count := truth.Int("seed", 1), truth.Int("spans", 8)
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	makeMaps()
	random := rand.New(rand.NewSource(int64(seed)))
	spans, descriptors := findDescriptors()
	if len(descriptors) < count {
		truth.Fail("found only " + strconv.Itoa(len(descriptors)) + " descriptors of spans.")
	}
	var chosen []uintptr
	for i, n := range random.Perm(len(descriptors))[:count] {
		descriptors[i], descriptors[n] = descriptors[n], descriptors[i]
		spans[i], spans[n] = spans[n], spans[i]
	}
	chosen = spans[:count]
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	print(out, chosen)
	out.Flush()
	ready, word := []byte("ready\n"), make([]byte, 1)
	// From here on the runtime has to be left alone: it would find its own descriptors broken.
	for _, at := range descriptors[:count] {
		spoil(random, at)
	}
	syscall.RawSyscall(syscall.SYS_WRITE, 1, uintptr(unsafe.Pointer(&ready[0])), uintptr(len(ready)))
	syscall.RawSyscall(syscall.SYS_READ, 0, uintptr(unsafe.Pointer(&word[0])), 1)
	syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
}
