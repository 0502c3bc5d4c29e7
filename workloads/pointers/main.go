// pointers grows a map whose keys are pointers, and one whose keys are structures.
package main

import "mapscope.dev/workloads/truth"

type node struct{ next *node }

type pair struct{ from, to uint64 }

var (
	keptNodes map[*node]int
	keptPairs map[pair]*node
)

//go:noinline
func nodes() map[*node]int { return make(map[*node]int) }

//go:noinline
func pairs() map[pair]*node { return make(map[pair]*node) }

func main() {
	n := truth.Int("n", 100000)
	truth.Run(func(p *truth.Phase) {
		byNode, byPair := nodes(), pairs()
		p.Made()
		p.Made()
		watchNode, watchPair := truth.Watch(byNode), truth.Watch(byPair)
		var last *node
		for i := 0; i < n; i++ {
			last = &node{last}
			byNode[last] = i
			watchNode.Wrote()
			byPair[pair{uint64(i), uint64(n - i)}] = last
			watchPair.Wrote()
		}
		p.Ended(&watchNode)
		p.Ended(&watchPair)
		keptNodes, keptPairs = byNode, byPair
	})
}
