// syncmap fills a sync.Map, which holds its entries in maps until Go 1.23 and in a trie from 1.24.
package main

import (
	"sync"

	"mapscope.dev/workloads/truth"
)

var kept sync.Map

func main() {
	n := truth.Int("n", 20000)
	truth.Run(func(p *truth.Phase) {
		if usesMaps {
			p.Unknown() // when it copies its inner map depends on misses
		}
		for i := 0; i < n; i++ {
			kept.Store(i, i)
			kept.Load(i / 2)
		}
		for i := 0; i < n; i += 2 {
			kept.Delete(i)
		}
	})
}
