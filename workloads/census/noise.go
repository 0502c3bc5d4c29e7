// Objects of 48 bytes that are no maps: some have the pointers of a header where a header has them,
// some have numbers like its numbers.

package main

import (
	"math/rand"
	"unsafe"
)

type look struct {
	at    unsafe.Pointer
	class string
}

type (
	integers [6]uint64
	pointers [6]*uint64
	slices   [2][]byte
	texts    [3]string
	// As the garbage collector sees internal/runtime/maps.Map, and runtime.hmap.
	swissLike struct {
		used, seed uint64
		at         unsafe.Pointer
		rest       [3]uint64
	}
	classicLike struct {
		count, numbers uint64
		at, old        unsafe.Pointer
		nevacuate      uint64
		extra          unsafe.Pointer
	}
)

func add(class string, at unsafe.Pointer) { noise = append(noise, look{at, class}) }

func makeNoise(n int) {
	random := rand.New(rand.NewSource(1))
	var last *swissLike
	var lastClassic *classicLike
	for i := 0; i < n; i++ {
		number := random.Uint64()
		add("integers", unsafe.Pointer(&integers{number, number, number, number, number, number}))
		add("pointers", unsafe.Pointer(&pointers{new(uint64), new(uint64), nil, new(uint64)}))
		add("slices", unsafe.Pointer(&slices{make([]byte, 8), make([]byte, 200)}))
		add("texts", unsafe.Pointer(&texts{keys[i%longest], keys[0], ""}))

		// A list of counters, and small numbers where a header has random ones.
		last = &swissLike{used: uint64(i), seed: uint64(i), at: unsafe.Pointer(last)}
		add("list", unsafe.Pointer(last))
		add("zero", unsafe.Pointer(&swissLike{seed: uint64(i + 1)}))
		add("directory", unsafe.Pointer(&swissLike{
			used: 8, seed: number, at: unsafe.Pointer(new(pointers)), rest: [3]uint64{1, 64 << 8, 0}}))
		group := make([]uint64, 17)
		for j := range group {
			group[j] = random.Uint64() | 0x80<<(8*uint(j%8)) | 1<<(8*uint(j%8))
		}
		add("group", unsafe.Pointer(&swissLike{used: 8, seed: number, at: unsafe.Pointer(&group[0])}))

		lastClassic = &classicLike{count: uint64(i), numbers: number, at: unsafe.Pointer(lastClassic)}
		add("classic list", unsafe.Pointer(lastClassic))
		add("buckets", unsafe.Pointer(&classicLike{
			count: 3, numbers: number << 32, at: unsafe.Pointer(&group[0]), extra: unsafe.Pointer(new(pointers))}))

		// What nothing tells from a map that was never written to: only ever plausible.
		add("plausible", unsafe.Pointer(&swissLike{seed: number | 1<<63}))
		add("plausible", unsafe.Pointer(&classicLike{numbers: (number | 1) << 32}))
		// A header copied word by word owns what its original owns.
		if m := maps[i%len(maps)]; headerBytes == 48 {
			if swissHeaders {
				copied := *(*swissLike)(unsafe.Pointer(addressOf(m)))
				add("copy", unsafe.Pointer(&copied))
			} else {
				copied := *(*classicLike)(unsafe.Pointer(addressOf(m)))
				add("copy", unsafe.Pointer(&copied))
			}
		}
	}
}
