// restless changes its maps all the time and publishes, just as often, between which bounds the length
// of each lies, so that whoever reads its memory can be proved wrong.
//
//	-share FILE  gets a record for each map, see record
//	-static N    maps that nobody changes (default 2000)
//	-rest D      what a goroutine rests after it changed each of its maps (default 0s: full speed)
//
// It prints "ready" and then waits for the end of standard input, while two goroutines go on.
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"mapscope.dev/workloads/shape"
	"mapscope.dev/workloads/truth"
)

const (
	goroutines = 2
	longest    = 20000
)

// record says of one map: while generation is even and stays the same, the map at address is alive,
// and at every moment its length is at least the `lower` read before and at most the `upper` read after.
type record struct{ generation, address, lower, upper uint64 }

func (r *record) publish(m interface{}, lower, upper int) {
	atomic.AddUint64(&r.generation, 1)
	atomic.StoreUint64(&r.address, uint64(shape.Address(m)))
	r.bounds(lower, upper)
	atomic.AddUint64(&r.generation, 1)
}

func (r *record) bounds(lower, upper int) {
	atomic.StoreUint64(&r.upper, uint64(upper))
	atomic.StoreUint64(&r.lower, uint64(lower))
}

// A map that its goroutine goes on to change.
type hot interface {
	step()
}

var (
	keys      [2 * longest]string
	static    []interface{}
	someSizes = [...]int{3, 8, 9, 20, 100, 900, 3000, longest}
)

// Only ever grows; at its longest it is replaced by a new one.
type growing struct {
	record *record
	size   int
	len    int
	m      map[string]int
}

func (g *growing) step() {
	if g.m == nil || g.len == g.size {
		g.m, g.len = map[string]int{}, 0
		g.record.publish(g.m, 0, 0)
	}
	atomic.StoreUint64(&g.record.upper, uint64(g.len+1))
	g.m[keys[g.len]] = g.len
	g.len++
	atomic.StoreUint64(&g.record.lower, uint64(g.len))
}

// Gets an entry and loses its oldest one: its length is one of two, whatever becomes of its memory.
type churning struct {
	size, next int
	m          map[int]int
}

func (c *churning) step() {
	c.m[c.next] = c.next
	delete(c.m, c.next-c.size)
	c.next++
}

func share(path string, count int) []record {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0600)
	if err != nil {
		truth.Fail(err.Error())
	}
	bytes := count * int(unsafe.Sizeof(record{}))
	if err := file.Truncate(int64(bytes)); err != nil {
		truth.Fail(err.Error())
	}
	memory, err := syscall.Mmap(int(file.Fd()), 0, bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		truth.Fail(err.Error())
	}
	return (*[1 << 20]record)(unsafe.Pointer(&memory[0]))[:count:count]
}

func makeStatic(records []record) {
	static = make([]interface{}, len(records))
	for i := range static {
		n := i % 60
		m := map[string]int{}
		for j := 0; j <= n; j++ {
			m[keys[j]] = j
		}
		static[i] = m
		records[i].publish(m, len(m), len(m))
	}
}

func makeHot(records []record) []hot {
	all := make([]hot, len(records))
	for i := range all {
		size := someSizes[i/2%len(someSizes)]
		if i%2 == 0 {
			all[i] = &growing{record: &records[i], size: size}
			continue
		}
		c := &churning{size: size, m: map[int]int{}}
		for ; c.next < size; c.next++ {
			c.m[c.next] = c.next
		}
		records[i].publish(c.m, size, size+1)
		all[i] = c
	}
	return all
}

func main() {
	staticCount := truth.Int("static", 2000)
	path := truth.Text("share", "")
	rest, err := time.ParseDuration(truth.Text("rest", "0s"))
	if err != nil {
		truth.Fail(err.Error())
	}
	if path == "" {
		truth.Fail("-share takes the file for the records.")
	}
	for i := range keys {
		keys[i] = "key-" + strconv.Itoa(i)
	}
	const hotEach = 4 * len(someSizes)
	records := share(path, staticCount+goroutines*hotEach)
	makeStatic(records[:staticCount])
	for i := 0; i < goroutines; i++ {
		first := staticCount + i*hotEach
		mine := makeHot(records[first : first+hotEach])
		go func() {
			for {
				for _, h := range mine {
					h.step()
				}
				if rest > 0 {
					time.Sleep(rest)
				}
			}
		}()
	}
	os.Stdout.WriteString("ready\n")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(static)
}
