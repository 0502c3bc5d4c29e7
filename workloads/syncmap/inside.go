//go:build go1.24

// What sync.Map is made of from Go 1.24 on.

package main

const usesMaps = false // internal/sync.HashTrieMap
