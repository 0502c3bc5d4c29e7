//go:build !go1.21

// Releases without generic code, or whose go.mod would have to ask for it.

package main

var genericMakers []func()
