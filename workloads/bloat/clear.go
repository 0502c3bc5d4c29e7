//go:build go1.21

// Clearing a map by the word that Go 1.21 brought.

package main

func clearAll(m map[string]int) { clear(m) }
