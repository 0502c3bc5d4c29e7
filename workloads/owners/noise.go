// Objects that are no maps: copies of headers, and forgeries that have the pointers of a header where
// a header has them.

package main

import (
	"math/rand"
	"strconv"
	"unsafe"

	"mapscope.dev/workloads/shape"
)

type (
	// As the collector sees internal/runtime/maps.Map, and runtime.hmap.
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

var (
	swissLikes   []*swissLike
	classicLikes []*classicLike
	likes        []unsafe.Pointer
	anyLikes     []interface{}
	copied       []map[string]int // of which there are copies
)

func tellNoise(at unsafe.Pointer, class string) {
	out.WriteString("noise " + strconv.FormatUint(uint64(uintptr(at)), 16) + " " + class + "\n")
}

//go:noinline
func noise() {
	random := rand.New(rand.NewSource(1))
	for i := 0; i < count; i++ {
		empty := &swissLike{seed: random.Uint64() | 1<<63}
		group := make([]uint64, 17)
		for j := range group {
			group[j] = random.Uint64() | 0x80<<(8*uint(j%8)) | 1<<(8*uint(j%8))
		}
		full := &swissLike{used: 8, seed: random.Uint64(), at: unsafe.Pointer(&group[0])}
		swissLikes = append(swissLikes, empty, full)
		tellNoise(unsafe.Pointer(empty), "forged")
		tellNoise(unsafe.Pointer(full), "forged")

		never := &classicLike{numbers: (random.Uint64() | 1) << 32}
		written := &classicLike{count: 3, numbers: random.Uint64() << 32, at: unsafe.Pointer(&group[0])}
		classicLikes = append(classicLikes, never, written)
		tellNoise(unsafe.Pointer(never), "forged")
		tellNoise(unsafe.Pointer(written), "forged")

		m := strings_(i)
		copied = append(copied, m)
		own(m, "main.copied", "")
		copyOf(m)
	}
}

// A header copied word by word owns what its original owns.
func copyOf(m map[string]int) {
	if shape.Implementation == "swiss" {
		c := *(*swissLike)(unsafe.Pointer(shape.Address(m)))
		likes, anyLikes = append(likes, unsafe.Pointer(&c)), append(anyLikes, &c)
		tellNoise(unsafe.Pointer(&c), "copy")
		return
	}
	c := *(*classicLike)(unsafe.Pointer(shape.Address(m)))
	likes, anyLikes = append(likes, unsafe.Pointer(&c)), append(anyLikes, &c)
	tellNoise(unsafe.Pointer(&c), "copy")
}
