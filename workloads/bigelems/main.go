// bigelems grows maps whose keys or elements are above 128 bytes, so each is held by pointer.
package main

import "mapscope.dev/workloads/truth"

type big [200]byte

var (
	keptElems map[int]big
	keptKeys  map[big]int
)

//go:noinline
func elems() map[int]big { return make(map[int]big) }

//go:noinline
func keys() map[big]int { return make(map[big]int) }

func main() {
	n := truth.Int("n", 20000)
	truth.Run(func(p *truth.Phase) {
		byInt, byBig := elems(), keys()
		p.Made()
		p.Made()
		watchInt, watchBig := truth.Watch(byInt), truth.Watch(byBig)
		for i := 0; i < n; i++ {
			value := big{byte(i), byte(i >> 8), byte(i >> 16)}
			byInt[i] = value
			watchInt.Wrote()
			byBig[value] = i
			watchBig.Wrote()
		}
		p.Ended(&watchInt)
		p.Ended(&watchBig)
		keptElems, keptKeys = byInt, byBig
	})
}
