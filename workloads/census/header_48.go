//go:build !go1.24

// The size of a classic header until Go 1.23.

package main

const headerBytes = 48
