//go:build !go1.21

// Without generic types.

package main

func makeGenericMaps() {}
