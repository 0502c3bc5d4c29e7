//go:build go1.21

package main

func clearAll(m map[int]int) { clear(m) }
