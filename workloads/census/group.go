//go:build !goexperiment.mapsplitgroup

// The size of a swiss group whose keys and elements lie beside each other.

package main

// Eight slots of key and element behind a control word.
func group(key, elem, slot uintptr) uintptr { return 8 + 8*slot }
