// Maps that goroutines, timers and finalizers hold, and maps that nobody holds.

package main

import (
	"runtime"
	"time"

	"mapscope.dev/workloads/shape"
)

var never = make(chan bool)

//go:noinline
func keep(m map[string]int, told chan<- bool) {
	tell(m, "goroutine", "main.keep", "", "")
	told <- true
	<-never
	m["end"] = 1
}

//go:noinline
func keepStruct(h *holder, told chan<- bool) {
	tell(h.inner, "goroutine", "main.keepStruct", "", "")
	told <- true
	<-never
	h.inner["end"] = 1
}

//go:noinline
func keepSlice(all []map[uint16]string, told chan<- bool) {
	for _, m := range all {
		tell(m, "goroutine", "main.keepSlice", "", "")
	}
	told <- true
	<-never
	for _, m := range all {
		m[0] = "end"
	}
}

//go:noinline
func keepDeep(depth int, m map[string]bool, told chan<- bool) int {
	if depth == 0 {
		told <- true
		<-never
		return 0
	}
	return keepDeep(depth-1, nil, told) + len(m)
}

// It is the closure that holds the map until it runs, and its frame then.
//
//go:noinline
func capturing(m map[int]float64, told chan<- bool) func() {
	return func() {
		told <- true
		<-never
		m[0] = 1
	}
}

func goroutines() {
	told := make(chan bool)
	for i := 0; i < count; i++ {
		go keep(strings_(i), told)
		<-told
	}
	for i := 0; i < 20; i++ {
		go keepStruct(&holder{inner: strings_(i)}, told)
		<-told
		go keepSlice([]map[uint16]string{numbers(i), numbers(2 * i), numbers(3 * i)}, told)
		<-told
		m := flags(i)
		tell(m, "goroutine", "main.keepDeep", "", "")
		go keepDeep(20, m, told)
		<-told
		f := floats(i)
		tell(f, "goroutine", "main.capturing", "", "")
		go capturing(f, told)()
		<-told
	}
}

//go:noinline
func timers() {
	for i := 0; i < 20; i++ {
		m := floats(i)
		tell(m, "kept", "timer", "", "")
		time.AfterFunc(24*time.Hour, func() { m[0] = 1 })
	}
}

var finalized []*label

// A finalizer is held by its object's span, and so is all that the object points to.
//
//go:noinline
func finalizers() {
	for i := 0; i < 20; i++ {
		m := floats(i)
		tell(m, "kept", "finalizer", "", "")
		l := &label{text: "finalized"}
		finalized = append(finalized, l)
		runtime.SetFinalizer(l, func(*label) { m[0] = 1 })
		dropped := &label{tags: flags(i)}
		tell(dropped.tags, "kept", "finalized", "", "")
		runtime.SetFinalizer(dropped, func(l *label) { l.tags["end"] = true })
	}
}

// Its slot keeps what it no longer uses.
//
//go:noinline
func forget(m map[string]int, told chan<- bool) {
	m["last"] = 1
	tell(m, "stale", "main.forget", "", "")
	told <- true
	<-never
}

func staleWords() {
	told := make(chan bool)
	for i := 0; i < 20; i++ {
		go forget(strings_(i), told)
		<-told
	}
}

var dropped *request

// A goroutine makes them, so that no frame is left that could point to one.
func garbage() {
	done := make(chan bool)
	go func() {
		for i := 0; i < count; i++ {
			tell(strings_(i), "garbage", "-", "", "")
			h := &holder{inner: strings_(i)}
			tell(h.inner, "garbage", "-", "", "")
			dropped = &request{seen: numbers(i), next: dropped}
			tell(dropped.seen, "garbage", "-", "", "")
		}
		dropped = nil
		done <- true
	}()
	<-done
	var end [64]uintptr // what is left of the last frames
	scrub(&end)
	done = make(chan bool)
	go func() { done <- true }()
	<-done
}

//go:noinline
func scrub(words *[64]uintptr) {
	for i := range words {
		words[i] = uintptr(i)
	}
	shape.Address(words)
}
