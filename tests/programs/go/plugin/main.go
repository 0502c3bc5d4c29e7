// A plugin: makes maps of a type that only it has.
package main

type Key struct{ Name string }

var store = map[Key][]int{}

// Fill is what the host calls.
func Fill(entries int) int {
	for i := 0; i < entries; i++ {
		store[Key{string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676%26))}] = []int{i}
	}
	return len(store)
}
