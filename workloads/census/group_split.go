//go:build goexperiment.mapsplitgroup

// The size of a swiss group that has its keys first and then its elements.

package main

func group(key, elem, slot uintptr) uintptr {
	if elem == 0 {
		return 8 + 8*key + 8 // a pointer to the last elements must not point behind the group
	}
	return (8 + 8*key + 8*elem + 7) &^ 7
}
