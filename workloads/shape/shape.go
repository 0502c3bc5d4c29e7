// Package shape reads what a map says of itself, through its header: nothing is estimated, and no
// map is made.
package shape

import "unsafe"

// Shape is a map as it lies in memory. What the other implementation has is 0.
type Shape struct {
	Slots      int // of tables, or of main buckets
	Tombstones int
	// Buckets that hang on main buckets, those of an old array not counted.
	Overflow  int
	Old       int // buckets of the array that a growth has not yet left behind
	Evacuated int // of these: those that were moved
}

// Address is where the header of a map lies: a map is a pointer, so it is the data word of its
// interface.
func Address(m interface{}) uintptr { return uintptr(words(m)[1]) }

func words(m interface{}) [2]unsafe.Pointer { return *(*[2]unsafe.Pointer)(unsafe.Pointer(&m)) }

// typeField is where a field of the descriptor of a map's type lies.
func typeField(m interface{}, offset uintptr) unsafe.Pointer {
	return unsafe.Pointer(uintptr(words(m)[0]) + offset)
}

func at(base unsafe.Pointer, offset uintptr) unsafe.Pointer {
	return unsafe.Pointer(uintptr(base) + offset)
}
