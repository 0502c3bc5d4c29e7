//go:build (go1.21 || !race) && (!go1.24 || goexperiment.swissmap)

// What a classic map shows after clearAll: nothing.

package main

const clearedCause = "mostly_empty"
