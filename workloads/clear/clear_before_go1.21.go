//go:build !go1.21

// Clearing a map before Go 1.21 had a word for it.

package main

// What the compiler made into the same call before there was a word for it. Not when it has inlined
// the function, since it then no longer knows the loop.
//
//go:noinline
func clearAll(m map[int]int) {
	for key := range m {
		delete(m, key)
	}
}
