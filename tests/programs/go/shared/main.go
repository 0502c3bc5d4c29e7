// A Go library for programs that are not written in Go: it fills a map for whoever calls it.
package main

import "C"

var store = map[int]int{}

//export Fill
func Fill(entries C.int) C.int {
	for i := 0; i < int(entries); i++ {
		store[i] = i
	}
	return C.int(len(store))
}

func main() {}
