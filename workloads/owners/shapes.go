// Variables of many shapes with maps below them. Each function fills the ones above it, and nobody
// else uses them, so that it tells what they are called where symbols are gone.

package main

import (
	"strconv"
	"sync"
)

type (
	item   struct{ weight, height int }
	names  map[string]struct{}
	holder struct {
		id    int
		inner map[string]int
	}
	request struct {
		id   int
		seen map[uint16]string
		next *request
	}
	shard struct {
		lock    sync.Mutex
		entries map[string]*item
	}
	cache struct {
		name   string
		shards [8]shard
		extra  map[bool][]byte
	}
	described interface{ describe() map[string]bool }
	label     struct {
		text string
		tags map[string]bool
	}
)

func (l *label) describe() map[string]bool { return l.tags }

// Each maker gives maps of lengths that differ, and that are never 0.
func strings_(i int) map[string]int {
	m := map[string]int{}
	for j := 0; j <= i%20; j++ {
		m["key-"+strconv.Itoa(j)] = j
	}
	return m
}

func numbers(i int) map[uint16]string {
	m := map[uint16]string{}
	for j := 0; j <= i%20; j++ {
		m[uint16(j)] = "value"
	}
	return m
}

func flags(i int) map[string]bool {
	m := map[string]bool{}
	for j := 0; j <= i%10; j++ {
		m["flag-"+strconv.Itoa(j)] = j%2 == 0
	}
	return m
}

func floats(i int) map[int]float64 {
	m := make(map[int]float64, i%40)
	for j := 0; j <= i%20; j++ {
		m[j] = float64(j)
	}
	return m
}

var (
	direct     map[string]int
	directAlso map[int]float64
	notFilled  map[[4]byte]uint16
)

//go:noinline
func variables() {
	direct, directAlso, notFilled = strings_(7), floats(9), map[[4]byte]uint16{}
	own(direct, "main.direct", "")
	own(directAlso, "main.directAlso", "")
	own(notFilled, "main.notFilled", "")
}

var (
	store    *cache
	flat     cache
	embedded struct {
		on  bool
		sub struct {
			title string
			deep  [3][2]map[int]float64
		}
	}
)

//go:noinline
func structs() {
	store = &cache{extra: map[bool][]byte{true: nil}}
	flat.extra = map[bool][]byte{false: nil}
	own(store.extra, "main.store", "extra")
	own(flat.extra, "main.flat", "extra")
	for i := range store.shards {
		store.shards[i].entries = map[string]*item{"a": {}, "b": {}}
		flat.shards[i].entries = map[string]*item{"c": {}}
		own(store.shards[i].entries, "main.store", "shards entries")
		own(flat.shards[i].entries, "main.flat", "shards entries")
	}
	for i := range embedded.sub.deep {
		for j := range embedded.sub.deep[i] {
			embedded.sub.deep[i][j] = floats(i + j)
			own(embedded.sub.deep[i][j], "main.embedded", "sub deep")
		}
	}
}

var (
	byteGrid  [6][7]map[byte]byte
	ofHolders [4]*[5]holder
)

//go:noinline
func nested() {
	for i := range byteGrid {
		for j := range byteGrid[i] {
			byteGrid[i][j] = map[byte]byte{1: 2}
			own(byteGrid[i][j], "main.byteGrid", "")
		}
	}
	for i := range ofHolders {
		ofHolders[i] = new([5]holder)
		for j := range ofHolders[i] {
			ofHolders[i][j].inner = strings_(i + j)
			own(ofHolders[i][j].inner, "main.ofHolders", "inner")
		}
	}
}

var (
	requests []request
	pointed  []*request
	plain    []map[uint16]string
)

//go:noinline
func slices() {
	for i := 0; i < count; i++ {
		requests = append(requests, request{id: i, seen: numbers(i)})
		pointed = append(pointed, &request{id: i, seen: numbers(i)})
		plain = append(plain, numbers(i))
		own(requests[i].seen, "main.requests", "seen")
		own(pointed[i].seen, "main.pointed", "seen")
		own(plain[i], "main.plain", "")
	}
}

var (
	shrunk []map[int]float64
	rest   []map[int]float64
)

// What a slice no longer has, its array still does: behind its end, and before its beginning.
//
//go:noinline
func tails() {
	shrunk, rest = make([]map[int]float64, 0, 32), make([]map[int]float64, 32)
	for i := 0; i < 32; i++ {
		shrunk = append(shrunk, floats(i))
		own(shrunk[i], "main.shrunk", "")
		rest[i] = floats(i)
		if i < 16 {
			tell(rest[i], "kept", "tail", "", "")
		} else {
			own(rest[i], "main.rest", "")
		}
	}
	shrunk, rest = shrunk[:3], rest[16:]
}

var (
	ofMaps    map[string]map[int]bool
	ofMapsToo map[int8]map[string]map[int]float64
	byPointer map[int]*holder
	keyed     map[*holder]bool
	byValue   map[string]holder
)

//go:noinline
func mapsInMaps() {
	ofMaps, ofMapsToo, byPointer = map[string]map[int]bool{}, map[int8]map[string]map[int]float64{}, map[int]*holder{}
	keyed, byValue = map[*holder]bool{}, map[string]holder{}
	for i := 0; i < count; i++ {
		m := map[int]bool{1: true}
		ofMaps["key-"+strconv.Itoa(i)] = m
		own(m, "main.ofMaps", "")
		byPointer[i] = &holder{inner: strings_(i)}
		own(byPointer[i].inner, "main.byPointer", "inner")
		key := &holder{inner: strings_(i)}
		keyed[key] = true
		own(key.inner, "main.keyed", "inner")
		h := holder{inner: strings_(i)}
		byValue["key-"+strconv.Itoa(i)] = h
		own(h.inner, "main.byValue", "inner")
	}
	for i := int8(0); i < 5; i++ {
		ofMapsToo[i] = map[string]map[int]float64{"a": floats(1), "b": floats(2)}
		own(ofMapsToo[i], "main.ofMapsToo", "")
		own(ofMapsToo[i]["a"], "main.ofMapsToo", "")
		own(ofMapsToo[i]["b"], "main.ofMapsToo", "")
	}
	own(ofMaps, "main.ofMaps", "")
	own(ofMapsToo, "main.ofMapsToo", "")
	own(byPointer, "main.byPointer", "")
	own(keyed, "main.keyed", "")
	own(byValue, "main.byValue", "")
}

// Elements and keys above 128 bytes are held by pointer.
type wide struct {
	padding [20]int64
	inner   map[string]bool
}

type wideKey struct {
	padding [20]int64
	inner   *holder
}

var (
	wideElems map[string]wide
	wideKeys  map[wideKey]int
)

//go:noinline
func indirect() {
	wideElems, wideKeys = map[string]wide{}, map[wideKey]int{}
	for i := 0; i < count; i++ {
		m := flags(i)
		wideElems[strconv.Itoa(i)] = wide{inner: m}
		own(m, "main.wideElems", "inner")
		h := &holder{inner: strings_(i)}
		wideKeys[wideKey{inner: h}] = i
		own(h.inner, "main.wideKeys", "inner inner")
	}
	own(wideElems, "main.wideElems", "")
	own(wideKeys, "main.wideKeys", "")
}

var (
	anything   interface{}
	anythings  []interface{}
	describers []described
	structured interface{}
)

//go:noinline
func interfaces() {
	anything = strings_(3)
	own(anything, "main.anything", "")
	structured = label{tags: flags(4)}
	own(structured.(label).tags, "main.structured", "tags")
	for i := 0; i < count; i++ {
		switch i % 4 {
		case 0:
			anythings = append(anythings, strings_(i))
			own(anythings[i], "main.anythings", "")
		case 1:
			anythings = append(anythings, &label{tags: flags(i)})
			own(anythings[i].(*label).tags, "main.anythings", "tags")
		case 2:
			anythings = append(anythings, label{tags: flags(i)})
			own(anythings[i].(label).tags, "main.anythings", "tags")
		case 3:
			anythings = append(anythings, []interface{}{"text", i, numbers(i)})
			own(anythings[i].([]interface{})[2], "main.anythings", "")
		}
		l := &label{tags: flags(i)}
		describers = append(describers, l)
		own(l.tags, "main.describers", "tags")
	}
}

type tree struct {
	left, right *tree
	values      map[uint16]string
}

var (
	chain *request
	root  *tree
	ring  *request
)

func grow(depth int) *tree {
	if depth == 0 {
		return nil
	}
	return &tree{grow(depth - 1), grow(depth - 1), numbers(depth)}
}

func tellTree(t *tree, users string) {
	if t != nil {
		tell(t.values, "variable", "main.root", users, "values")
		tellTree(t.left, users)
		tellTree(t.right, users)
	}
}

//go:noinline
func lists() {
	for i := 0; i < count; i++ {
		chain = &request{seen: numbers(i), next: chain}
		own(chain.seen, "main.chain", "seen")
	}
	root = grow(8)
	tellTree(root, "main.lists")
	ring = &request{seen: numbers(1)}
	ring.next = &request{seen: numbers(2), next: ring}
	own(ring.seen, "main.ring", "seen")
	own(ring.next.seen, "main.ring", "seen")
}

var (
	queue   chan map[int]float64
	waiting chan holder
	pending chan interface{}
)

//go:noinline
func channels() {
	queue, waiting, pending = make(chan map[int]float64, count), make(chan holder, count), make(chan interface{}, count)
	for i := 0; i < count; i++ {
		m, h := floats(i), holder{inner: strings_(i)}
		queue <- m
		waiting <- h
		own(m, "main.queue", "")
		own(h.inner, "main.waiting", "inner")
		m = floats(i)
		pending <- m
		own(m, "main.pending", "")
	}
}

// Larger than 512 bytes, where the heap says the type, and larger than 32 KiB, which are spans of
// their own.
type big struct {
	padding [100]int64
	inner   map[string]bool
	more    [20]map[byte]byte
}

var (
	bigs []*big
	huge *[5000]holder
)

//go:noinline
func large() {
	huge = new([5000]holder)
	for i := 0; i < count; i++ {
		b := &big{inner: flags(i)}
		b.more[i%20] = map[byte]byte{}
		bigs = append(bigs, b)
		own(b.inner, "main.bigs", "inner")
		own(b.more[i%20], "main.bigs", "more")
		huge[i*7%5000].inner = strings_(i)
		own(huge[i*7%5000].inner, "main.huge", "inner")
	}
}
