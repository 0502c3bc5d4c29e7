// Maps that functions, methods and pointers hold, and the standard library.

package main

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

var (
	lookup   func(key string) int
	handlers []func() int
	adders   []func(key string)
	deepest  func() func() bool
)

//go:noinline
func capture(m map[string]int) func(key string) int {
	return func(key string) int { return m[key] }
}

//go:noinline
func captureMore(id int, m map[uint16]string, name string) func() int {
	return func() int { return id + len(m) + len(name) }
}

// The map is captured by reference, since it is assigned after that.
//
//go:noinline
func captureVariable(i int) (func(key string), map[string]bool) {
	set := flags(i)
	add := func(key string) {
		if len(set) > 100 {
			set = map[string]bool{}
		}
		set[key] = true
	}
	return add, set
}

//go:noinline
func captureTwice(m map[string]bool) func() func() bool {
	return func() func() bool {
		return func() bool { return m["flag"] }
	}
}

//go:noinline
func closures() {
	m := strings_(4)
	lookup = capture(m)
	own(m, "main.lookup", "")
	for i := 0; i < count; i++ {
		m := numbers(i)
		handlers = append(handlers, captureMore(i, m, "handler"))
		own(m, "main.handlers", "")
		add, set := captureVariable(i)
		adders = append(adders, add)
		own(set, "main.adders", "")
	}
	f := flags(3)
	deepest = captureTwice(f)
	own(f, "main.deepest", "")
}

var (
	method  func() map[string]bool
	bound   []func() map[string]bool
	through []func() map[string]bool
)

//go:noinline
func methods() {
	l := &label{tags: flags(5)}
	method = l.describe
	own(l.tags, "main.method", "tags")
	for i := 0; i < count; i++ {
		l := &label{tags: flags(i)}
		bound = append(bound, l.describe)
		own(l.tags, "main.bound", "tags")
		var d described = &label{tags: flags(i)}
		through = append(through, d.describe)
		own(d.describe(), "main.through", "tags")
	}
}

var (
	asNamed   names
	asUnnamed map[string]struct{}
	twiceA    []names
	twiceB    []map[string]struct{}
)

//go:noinline
func aliases() {
	asNamed, asUnnamed = names{"a": {}}, map[string]struct{}{"b": {}}
	own(asNamed, "main.asNamed", "")
	own(asUnnamed, "main.asUnnamed", "")
	for i := 0; i < count; i++ {
		twin := names{"c": {}}
		twiceA, twiceB = append(twiceA, twin), append(twiceB, twin)
		tellTyped(twin, "main.names|map[string]struct {}", "variable", "main.twiceA|main.twiceB", "main.aliases", "")
	}
}

var (
	toMap    *map[string]int
	toMaps   []*map[int]float64
	toMiddle *holder
	arrayOf  *[3]map[uint16]string
)

//go:noinline
func pointers() {
	m := strings_(6)
	toMap = &m
	own(m, "main.toMap", "")
	for i := 0; i < count; i++ {
		f := floats(i)
		toMaps = append(toMaps, &f)
		own(f, "main.toMaps", "")
	}
	arrayOf = &[3]map[uint16]string{numbers(1), numbers(2), numbers(3)}
	for _, m := range arrayOf {
		own(m, "main.arrayOf", "")
	}
	holders := &[3]holder{{1, strings_(1)}, {2, strings_(2)}, {3, strings_(3)}}
	toMiddle = &holders[1]
	own(holders[1].inner, "main.toMiddle", "inner")
	for _, h := range []holder{holders[0], holders[2]} {
		tell(h.inner, "kept", "element", "", "")
	}
}

// A number in an object keeps all of it.
var toNumbers []*int

//go:noinline
func interior() {
	for i := 0; i < count; i++ {
		h := &holder{inner: strings_(i)}
		toNumbers = append(toNumbers, &h.id)
		tell(h.inner, "kept", "number", "", "")
	}
}

var (
	concurrent sync.Map
	locked     struct {
		sync.RWMutex
		values map[string]int
	}
)

//go:noinline
func concurrentMaps() {
	for i := 0; i < count; i++ {
		m := floats(i)
		concurrent.Store(i, m)
		own(m, "main.concurrent", "")
	}
	for i := 0; i < 2*count; i++ { // so many misses that what was new becomes what is read
		concurrent.Load(-1)
	}
	locked.values = strings_(5)
	own(locked.values, "main.locked", "values")
}

var pool sync.Pool

//go:noinline
func pools() {
	for i := 0; i < count; i++ {
		l := &label{tags: flags(i)}
		pool.Put(l)
		tell(l.tags, "pool", "main.pool", "main.pools", "tags")
	}
}

type contextKey int

var background context.Context

//go:noinline
func contexts() {
	background = context.Background()
	for i := 0; i < 20; i++ {
		m := flags(i)
		background = context.WithValue(background, contextKey(i), m)
		own(m, "main.background", "")
	}
	l := &label{tags: flags(8)}
	background, _ = context.WithCancel(context.WithValue(background, contextKey(100), l))
	own(l.tags, "main.background", "tags")
}

var (
	value  atomic.Value
	values [10]atomic.Value
)

//go:noinline
func atomics() {
	value.Store(strings_(9))
	own(value.Load(), "main.value", "")
	for i := range values {
		values[i].Store(&holder{inner: strings_(i)})
		own(values[i].Load().(*holder).inner, "main.values", "inner")
	}
}

var (
	mirror  reflect.Value
	mirrors []reflect.Value
)

//go:noinline
func reflected() {
	m := strings_(8)
	mirror = reflect.ValueOf(m)
	own(m, "main.mirror", "")
	for i := 0; i < count; i++ {
		h := &holder{inner: strings_(i)}
		mirrors = append(mirrors, reflect.ValueOf(h))
		own(h.inner, "main.mirrors", "")
	}
}

var (
	raw  unsafe.Pointer
	raws []unsafe.Pointer
	lies []*request
)

//go:noinline
func unsafePointers() {
	h := &holder{inner: strings_(3)}
	raw = unsafe.Pointer(h)
	own(h.inner, "main.raw", "")
	for i := 0; i < count; i++ {
		h := &holder{inner: strings_(i)}
		raws = append(raws, unsafe.Pointer(h))
		own(h.inner, "main.raws", "")
		// The variable says map[uint16]string, at the same place, of a map that is none.
		lie := &struct {
			id   int
			seen map[string][6]float64
			next *request
		}{seen: map[string][6]float64{"a": {}, "b": {}}}
		lies = append(lies, (*request)(unsafe.Pointer(lie)))
		own(lie.seen, "main.lies", "")
	}
}
