//go:build go1.24

package main

const usesMaps = false // internal/sync.HashTrieMap
