// rangedelete deletes every key of a map in a range loop, which the compiler makes one call for
// integer keys, and which really deletes each for float keys, since NaN is not equal to itself.
package main

import "mapscope.dev/workloads/truth"

var (
	keptInts   map[int]int
	keptFloats map[float64]int
)

//go:noinline
func ints() map[int]int { return make(map[int]int) }

//go:noinline
func floats() map[float64]int { return make(map[float64]int) }

func main() {
	n := truth.Int("n", 2000)
	rounds := truth.Int("rounds", 10)
	truth.Run(func(p *truth.Phase) {
		byInt, byFloat := ints(), floats()
		p.Made()
		p.Made()
		watchInt, watchFloat := truth.Watch(byInt), truth.Watch(byFloat)
		for round := 0; round < rounds; round++ {
			for i := 0; i < n; i++ {
				byInt[i] = i
				watchInt.Wrote()
				byFloat[float64(i)] = i
				watchFloat.Wrote()
			}
			for key := range byInt {
				delete(byInt, key)
			}
			p.Cleared++
			for key := range byFloat {
				delete(byFloat, key)
			}
		}
		p.Ended(&watchInt)
		p.Ended(&watchFloat)
		keptInts, keptFloats = byInt, byFloat
	})
}
