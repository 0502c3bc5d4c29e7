//go:build !go1.26 && !goexperiment.swissmap

// What a classic map says about itself, read from its header.

package truth

import "unsafe"

// The front of runtime.hmap (runtime/map.go, the same in all of 1.17 to 1.23).
type hmap struct {
	count     int
	flags     uint8
	b         uint8 // log2 of the number of buckets
	noverflow uint16
	hash0     uint32
	buckets   unsafe.Pointer
}

// Map watches one map. hashGrow always installs a new bucket array, so after each write a changed
// array is one growth; one write can't hold two, since a second one would need more overflow
// buckets than two evacuated buckets can make. The one other change is the first bucket of a map
// that had none, which mapassign allocates itself.
type Map struct {
	header  *hmap
	buckets unsafe.Pointer
	b       uint8
	local   bool
	grown   int
}

// Watch begins to watch a map on the heap.
func Watch(m interface{}) Map {
	header := headerOf(m)
	return Map{header: header, buckets: header.buckets, b: header.b}
}

// WatchLocal begins to watch a map whose header may lie on the stack. Its first bucket lies there
// too and moves with it, so only the number of buckets tells. That is enough as long as nothing is
// deleted: without deletions there are never as many overflow buckets as buckets, and so no growth
// to the same size.
func WatchLocal(m interface{}) Map {
	w := Watch(m)
	w.local = true
	return w
}

// Wrote has to follow every write to the map.
func (w *Map) Wrote() {
	h := w.header
	if h.b == w.b && (h.buckets == w.buckets || w.local) {
		return
	}
	if h.b != w.b || w.buckets != nil {
		w.grown++
	}
	w.b, w.buckets = h.b, h.buckets
}

func (w *Map) growths() (grown, split int) { return w.grown, 0 }

// A map is a pointer, so it is the data word of its interface.
func headerOf(m interface{}) *hmap {
	return (*hmap)((*[2]unsafe.Pointer)(unsafe.Pointer(&m))[1])
}
