// bloat makes maps that waste memory in one way, the one of -show, and prints the truth about them:
// one line of JSON. Then it waits for the end of standard input.
//
//	go, implementation, show
//	heap_bytes   what the maps added to HeapAlloc, in which they are all
//	maps         address, type, len, what package shape reads, and the cause that mapscope has to
//	             name; null: this implementation does not show one for certain
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"mapscope.dev/workloads/shape"
	"mapscope.dev/workloads/truth"
)

const keyCount = 200000

var (
	keys [keyCount]string
	kept []row
)

// A map, and why it is larger than it has to be: with swiss and with classic maps. The words are
// those of `maps --json`; "" is for a map of which nothing is wrong, "?" for one that may look like
// several things.
type row struct {
	m              interface{}
	length         int
	swiss, classic string
}

func (r row) cause() string {
	cause := r.classic
	if shape.Implementation == "swiss" {
		cause = r.swiss
	}
	switch cause {
	case "?":
		return "null"
	case "":
		cause = "none"
	}
	return strconv.Quote(cause)
}

func (r row) print() string {
	s := shape.Of(r.m)
	return fmt.Sprintf(`{"address":"0x%x","type":%q,"len":%d,"slots":%d,"tombstones":%d,"overflow_buckets":%d,`+
		`"old_buckets":%d,"evacuated_buckets":%d,"cause":%s}`, shape.Address(r.m), fmt.Sprintf("%T", r.m), r.length,
		s.Slots, s.Tombstones, s.Overflow, s.Old, s.Evacuated, r.cause())
}

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC() // the first one may have begun before the last garbage was made
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func caseNamed(name string) func() []row {
	names := make([]string, 0, len(cases))
	for _, c := range cases {
		if c.name == name {
			return c.make
		}
		names = append(names, c.name)
	}
	truth.Fail("-show takes one of " + strings.Join(names, ", ") + ".")
	return nil
}

func main() {
	show := truth.Text("show", "healthy")
	if truth.Switch("list") {
		for _, c := range cases {
			fmt.Println(c.name)
		}
		return
	}
	makeRows := caseNamed(show)
	for i := range keys {
		keys[i] = "key-" + strconv.Itoa(i)
	}
	debug.SetGCPercent(-1)
	kept = make([]row, 0, 8)
	heapBytes() // what it allocates itself the first time must not count
	before := heapBytes()
	kept = append(kept, makeRows()...)
	bytes := heapBytes() - before
	lines := make([]string, len(kept))
	for i, r := range kept {
		lines[i] = r.print()
	}
	fmt.Printf(`{"go":%q,"implementation":%q,"show":%q,"heap_bytes":%d,"maps":[%s]}`+"\n", runtime.Version(),
		shape.Implementation, show, bytes, strings.Join(lines, ","))
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(kept)
}
