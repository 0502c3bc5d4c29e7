//go:build go1.26 || goexperiment.swissmap

// What a swiss map says about itself, counted slot by slot.

package main

import "unsafe"

const (
	swissHeaders = true
	headerBytes  = 48
	deleted      = 0xfe
)

type header struct {
	used         uint64
	seed         uintptr
	directory    unsafe.Pointer
	directoryLen int
}

type table struct {
	used       uint16
	capacity   uint16
	growthLeft uint16
	localDepth uint8
	index      int
	groups     unsafe.Pointer
}

func inspect(m interface{}, groupBytes uintptr) (slots, tombstones int) {
	h := (*header)(unsafe.Pointer(addressOf(m)))
	if h.directoryLen == 0 {
		if h.directory != nil {
			slots = 8
		}
		return slots, 0
	}
	var last *table
	for i := 0; i < h.directoryLen; i++ {
		t := *(**table)(unsafe.Add(h.directory, i*8))
		if t == last {
			continue
		}
		last = t
		slots += int(t.capacity)
		for group := 0; group < int(t.capacity)/8; group++ {
			for _, control := range *(*[8]byte)(unsafe.Add(t.groups, uintptr(group)*groupBytes)) {
				if control == deleted {
					tombstones++
				}
			}
		}
	}
	return slots, tombstones
}
