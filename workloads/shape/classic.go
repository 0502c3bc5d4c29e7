//go:build !go1.26 && !goexperiment.swissmap

// Classic maps: an array of buckets of eight, and chains of further ones.

package shape

import "unsafe"

const Implementation = "classic"

// The front of runtime.hmap (runtime/map.go, the same in all of 1.17 to 1.25).
type header struct {
	count      int
	flags      uint8
	b          uint8 // log2 of the number of buckets
	noverflow  uint16
	hash0      uint32
	buckets    unsafe.Pointer
	oldbuckets unsafe.Pointer
	nevacuate  uintptr
}

const (
	sameSizeGrow   = 8
	evacuatedFirst = 2 // tophash of a cell that was moved: evacuatedX, evacuatedY, evacuatedEmpty
	evacuatedLast  = 4
)

// Of internal/abi.OldMapType and its forerunners.
func bucketBytes(m interface{}) uintptr { return uintptr(*(*uint16)(typeField(m, 82))) }

func headerOf(m interface{}) *header { return (*header)(words(m)[1]) }

// Of reads a map that nobody writes to.
func Of(m interface{}) Shape {
	h, size := headerOf(m), bucketBytes(m)
	var s Shape
	if h.buckets == nil {
		return s
	}
	buckets := uintptr(1) << h.b
	s.Slots = int(8 * buckets)
	for i := uintptr(0); i < buckets; i++ {
		bucket := at(h.buckets, i*size)
		for {
			bucket = *(*unsafe.Pointer)(at(bucket, size-8))
			if bucket == nil {
				break
			}
			s.Overflow++
		}
	}
	if h.oldbuckets == nil {
		return s
	}
	s.Old = int(buckets) / 2
	if h.flags&sameSizeGrow != 0 {
		s.Old = int(buckets)
	}
	for i := 0; i < s.Old; i++ {
		state := *(*uint8)(at(h.oldbuckets, uintptr(i)*size))
		if state >= evacuatedFirst && state <= evacuatedLast {
			s.Evacuated++
		}
	}
	return s
}

// IsGrowing says whether both arrays are still there.
func IsGrowing(m interface{}) bool { return headerOf(m).oldbuckets != nil }

// BucketOf is the main bucket that a key belongs to. `key` points to it.
func BucketOf(m interface{}, key unsafe.Pointer) int {
	hasher := *(*func(unsafe.Pointer, uintptr) uintptr)(typeField(m, 72))
	h := headerOf(m)
	return int(hasher(key, uintptr(h.hash0)) & (1<<h.b - 1))
}
