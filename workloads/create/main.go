// create makes maps in every source form that calls the runtime, on the heap, and writes none.
package main

import "mapscope.dev/workloads/truth"

// Without inlining each map outlives its function, so the compiler can't put it on the stack.

//go:noinline
func plain() map[int]int { return make(map[int]int) }

//go:noinline
func empty() map[int]int { return map[int]int{} }

//go:noinline
func hint0() map[int]int { return make(map[int]int, 0) }

//go:noinline
func hint8() map[int]int { return make(map[int]int, 8) }

//go:noinline
func hint9() map[int]int { return make(map[int]int, 9) }

//go:noinline
func hint64() map[int]int { return make(map[int]int, 64) }

//go:noinline
func hint512() map[int]int { return make(map[int]int, 512) }

//go:noinline
func hint1e6() map[int]int { return make(map[int]int, 1000000) }

//go:noinline
func hint(n int) map[int]int { return make(map[int]int, n) }

//go:noinline
func literal3() map[int]int { return map[int]int{1: 1, 2: 2, 3: 3} }

//go:noinline
func literal27() map[int]int {
	return map[int]int{
		1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9, 10: 10, 11: 11, 12: 12, 13: 13, 14: 14,
		15: 15, 16: 16, 17: 17, 18: 18, 19: 19, 20: 20, 21: 21, 22: 22, 23: 23, 24: 24, 25: 25, 26: 26, 27: 27,
	}
}

var (
	kept     map[int]int
	declared *map[int]int
)

func main() {
	rounds := truth.Int("rounds", 10)
	large := truth.Int("large", 1)
	truth.Run(func(p *truth.Phase) {
		small := []func() map[int]int{plain, empty, hint0, hint8, literal3}
		hinted := []func() map[int]int{hint9, hint64, hint512, literal27}
		for i := 0; i < rounds; i++ {
			for _, form := range small {
				kept = form()
				p.Made()
			}
			for _, form := range hinted {
				kept = form()
				p.MadeHint()
			}
			for _, n := range []int{0, 8, 9, 64, 512} { // a variable: the compiler can't see 0 and 8
				kept = hint(n)
				p.MadeHint()
			}
			declared = new(map[int]int) // a nil map: no call
		}
		for i := 0; i < large; i++ {
			kept = hint1e6()
			p.MadeHint()
		}
	})
}
