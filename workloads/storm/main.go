// storm is a service that builds the same maps for every request: two of them from nothing, though
// it could know how large they will be, and one with the right hint.
package main

import (
	"strconv"

	"mapscope.dev/workloads/truth"
)

const (
	wordCount  = 1000
	orderCount = 200
	seenCount  = 1000
)

type order struct {
	id    uint64
	total int
}

// Where the requests leave what they made, so that it escapes.
var (
	keptIndex  map[string]int
	keptOrders map[uint64]*order
	keptSeen   map[int]bool
)

var (
	indexSite  = truth.Site{Function: "main.indexWords", Type: "map[string]int", Entries: wordCount}
	ordersSite = truth.Site{Function: "main.groupOrders", Type: "map[uint64]*main.order", Entries: orderCount}
	seenSite   = truth.Site{Function: "main.markSeen", Type: "map[int]bool", Entries: seenCount}
)

// The line to fix: it grows from nothing with every request.
//
//go:noinline
func indexWords(s *truth.Site, words []string) map[string]int {
	s.MakeLine, s.WriteLine = truth.Line(1), truth.Line(5)
	index := make(map[string]int)
	s.Made()
	w := truth.Watch(index)
	for i, word := range words {
		index[word] = i
		w.Wrote()
	}
	s.Ended(&w)
	return index
}

// The same mistake, smaller.
//
//go:noinline
func groupOrders(s *truth.Site, orders []order) map[uint64]*order {
	s.MakeLine, s.WriteLine = truth.Line(1), truth.Line(5)
	byID := map[uint64]*order{}
	s.Made()
	w := truth.Watch(byID)
	for i := range orders {
		byID[orders[i].id] = &orders[i]
		w.Wrote()
	}
	s.Ended(&w)
	return byID
}

// As it should be: never grows.
//
//go:noinline
func markSeen(s *truth.Site, n int) map[int]bool {
	s.MakeLine, s.WriteLine = truth.Line(1), truth.Line(5)
	seen := make(map[int]bool, n)
	s.MadeHint()
	w := truth.Watch(seen)
	for i := 0; i < n; i++ {
		seen[i] = true
		w.Wrote()
	}
	s.Ended(&w)
	return seen
}

// request is called from -depths different depths: that many different stacks.
//
//go:noinline
func request(depth int, words []string, orders []order) {
	if depth > 0 {
		request(depth-1, words, orders)
		return
	}
	keptIndex = indexWords(&indexSite, words)
	keptOrders = groupOrders(&ordersSite, orders)
	keptSeen = markSeen(&seenSite, seenCount)
}

func main() {
	rounds := truth.Int("rounds", 50)
	depths := truth.Int("depths", 1)
	truth.Run(func(p *truth.Phase) {
		words := make([]string, wordCount)
		for i := range words {
			words[i] = "word-" + strconv.Itoa(i)
		}
		orders := make([]order, orderCount)
		for i := range orders {
			orders[i] = order{id: uint64(i) * 7919, total: i}
		}
		for i := 0; i < rounds; i++ {
			request(i%depths, words, orders)
		}
		p.AddSite(&indexSite)
		p.AddSite(&ordersSite)
		p.AddSite(&seenSite)
		p.NoteString("file", truth.File())
	})
}
