// Maps that come and go at full speed, of types that are alike in memory, so that whoever takes what
// it read a moment ago for what is there now takes one for another.
//
// Each is logged before anybody else can see it, in a file that is shared memory: its length in
// entries, which is a power of two, how many have been written in all, then the entries in a ring:
// {seed, address | kind << 56}. Kinds are printed before "ready":
//
//	kind NUMBER ROOT TYPE

package main

import (
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"

	"mapscope.dev/workloads/shape"
	"mapscope.dev/workloads/truth"
)

const (
	ringLength = 1 << 21
	churners   = 2
	hotEach    = 300
)

type ring_ struct {
	length, written uint64
	entries         [ringLength]struct{ seed, addressAndKind uint64 }
}

type (
	count_  int
	hotNode struct {
		values map[int]*item
		next   *hotNode
	}
	hotBox struct {
		id     int
		inside map[int]uint
	}
)

// No two goroutines use the same of them.
var (
	hotInts     [churners][]map[int]int
	hotBoxes    [churners][]*hotBox
	hotNamed    [churners]map[int]map[int]count_
	hotClosures [churners][]func(int) bool
	hotAny      [churners][]interface{}
	hotChain    [churners]*hotNode
)

// In rounds over all: some live for a moment, some longer than a pass over the heap takes.
var lifetimes = [...]int{1, 10, 100, 1000}

type hotKind struct{ root, name string }

var hotKinds = []hotKind{
	{"main.hotInts", "map[int]int"},
	{"main.hotBoxes", "map[int]uint"},
	{"main.hotNamed", "map[int]main.count_"},
	{"main.hotClosures", "map[uint]int"},
	{"main.hotAny", "map[uint]uint"},
	{"main.hotChain", "map[int]*main.item"},
}

func openRing(path string) *ring_ {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0600)
	if err != nil {
		truth.Fail(err.Error())
	}
	size := int(unsafe.Sizeof(ring_{}))
	if err := file.Truncate(int64(size)); err != nil {
		truth.Fail(err.Error())
	}
	memory, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		truth.Fail(err.Error())
	}
	return (*ring_)(unsafe.Pointer(&memory[0]))
}

func (r *ring_) log(header unsafe.Pointer, kind uint64) {
	at := &r.entries[(atomic.AddUint64(&r.written, 1)-1)%ringLength]
	atomic.StoreUint64(&at.addressAndKind, 0)
	atomic.StoreUint64(&at.seed, shape.Seed(header))
	atomic.StoreUint64(&at.addressAndKind, uint64(uintptr(header))|kind<<56)
}

func pointerOf(m interface{}) unsafe.Pointer {
	return (*[2]unsafe.Pointer)(unsafe.Pointer(&m))[1]
}

//go:noinline
func hotClosure(m map[uint]int) func(int) bool {
	return func(i int) bool { _, found := m[uint(i)]; return found }
}

// replace puts a new map in place of the i-th of each kind.
func replace(r *ring_, mine, i, n int) {
	ints, uints, named, keys, both, pointed := map[int]int{}, map[int]uint{}, map[int]count_{}, map[uint]int{}, map[uint]uint{}, map[int]*item{}
	all := [...]unsafe.Pointer{pointerOf(ints), pointerOf(uints), pointerOf(named), pointerOf(keys), pointerOf(both), pointerOf(pointed)}
	for kind, header := range all {
		r.log(header, uint64(kind))
	}
	for j := 0; j <= n; j++ {
		ints[j], uints[j], named[j], keys[uint(j)], both[uint(j)], pointed[j] = j, uint(j), count_(j), j, uint(j), nil
	}
	hotInts[mine][i] = ints
	hotBoxes[mine][i] = &hotBox{i, uints}
	hotNamed[mine][i] = named
	hotClosures[mine][i] = hotClosure(keys)
	hotAny[mine][i] = both
	hotChain[mine] = &hotNode{pointed, hotChain[mine]}
	if i == 0 {
		hotChain[mine] = nil
	}
}

// change writes to some maps, and never empties one: it would get another seed.
func change(mine, round int) {
	for j := 0; j < 16; j++ {
		i, key := (round*31+j*97)%hotEach, (round+j)%200
		m := hotInts[mine][i]
		m[key] = round
		hotBoxes[mine][i].inside[key] = uint(round)
		hotNamed[mine][i][key] = count_(round)
		delete(m, key-7)
		hotAny[mine][i].(map[uint]uint)[uint(key)] = 1
	}
}

func churn(path string) {
	for i, kind := range hotKinds {
		out.WriteString("kind " + strconv.Itoa(i) + " " + kind.root + " " + kind.name + "\n")
	}
	r := openRing(path)
	for mine := range hotInts {
		hotInts[mine], hotBoxes[mine] = make([]map[int]int, hotEach), make([]*hotBox, hotEach)
		hotClosures[mine], hotAny[mine] = make([]func(int) bool, hotEach), make([]interface{}, hotEach)
		hotNamed[mine] = map[int]map[int]count_{}
		for i := 0; i < hotEach; i++ {
			replace(r, mine, i, i)
		}
		go func(mine int) {
			for round := 0; ; round++ {
				if i := round % hotEach; round/hotEach%lifetimes[i%len(lifetimes)] == 0 {
					replace(r, mine, i, round%30)
				}
				change(mine, round)
			}
		}(mine)
	}
	atomic.StoreUint64(&r.length, ringLength)
}
