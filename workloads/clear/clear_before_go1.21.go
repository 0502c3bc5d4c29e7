//go:build !go1.21

package main

// What the compiler made into the same call before there was a word for it.
func clearAll(m map[int]int) {
	for key := range m {
		delete(m, key)
	}
}
