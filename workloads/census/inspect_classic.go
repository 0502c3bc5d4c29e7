//go:build !go1.26 && !goexperiment.swissmap

// What a classic map says about itself.

package main

import "unsafe"

const swissHeaders = false

// runtime.hmap.
type header struct {
	count      int
	flags      uint8
	b          uint8
	noverflow  uint16
	hash0      uint32
	buckets    unsafe.Pointer
	oldbuckets unsafe.Pointer
	nevacuate  uintptr
	extra      unsafe.Pointer
}

func inspect(m interface{}, groupBytes uintptr) (slots, tombstones int) {
	h := (*header)(unsafe.Pointer(addressOf(m)))
	if h.buckets != nil {
		slots = 8 << h.b
	}
	return slots, 0
}
