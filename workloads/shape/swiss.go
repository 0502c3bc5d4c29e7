//go:build go1.26 || goexperiment.swissmap

// Swiss maps: a directory of tables of groups of eight, or one group.

package shape

import "unsafe"

const (
	Implementation = "swiss"
	deleted        = 0xfe
)

// internal/runtime/maps.Map and table (map.go, table.go; the same in all of 1.24 to 1.27).
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

// Of internal/abi.SwissMapType, MapType from Go 1.26 on.
func groupBytes(m interface{}) uintptr { return *(*uintptr)(typeField(m, 80)) }

// Of reads a map that nobody writes to.
func Of(m interface{}) Shape {
	h := (*header)(words(m)[1])
	var s Shape
	if h.directoryLen == 0 {
		if h.directory != nil {
			s.Slots = 8 // without a table there are no tombstones
		}
		return s
	}
	var last *table
	for i := 0; i < h.directoryLen; i++ {
		t := *(**table)(at(h.directory, uintptr(i)*8))
		if t == last {
			continue // one table may stand in several places beside each other
		}
		last = t
		s.Slots += int(t.capacity)
		for group := uintptr(0); group < uintptr(t.capacity)/8; group++ {
			for _, control := range *(*[8]byte)(at(t.groups, group*groupBytes(m))) {
				if control == deleted {
					s.Tombstones++
				}
			}
		}
	}
	return s
}

// IsGrowing: a swiss table is replaced at once.
func IsGrowing(m interface{}) bool { return false }

// BucketOf: swiss maps have none.
func BucketOf(m interface{}, key unsafe.Pointer) int { return 0 }
