//go:build !go1.24

// What sync.Map was made of before Go 1.24.

package main

const usesMaps = true
