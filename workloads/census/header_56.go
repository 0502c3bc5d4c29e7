//go:build go1.24 && !go1.26 && !goexperiment.swissmap

// The size of a classic header in noswissmap builds, which has clearSeq.

package main

const headerBytes = 56
