// What tells a map from another one at the same address.

package shape

import "unsafe"

// Seed of a map's hash function: random, and a new one for each map.
func Seed(m unsafe.Pointer) uint64 {
	if Implementation == "swiss" {
		return *(*uint64)(at(m, 8)) // internal/runtime/maps.Map.seed
	}
	return uint64(*(*uint32)(at(m, 12))) // runtime.hmap.hash0
}
