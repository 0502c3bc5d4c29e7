// watchercache has the shape of a Kubernetes controller: a reflector fills a store from a watch, a
// worker drains a queue with back-off, and a resync deletes what is gone.
package main

import (
	"strconv"

	"mapscope.dev/workloads/truth"
)

type object struct {
	name    string
	labels  map[string]string
	version int
}

// backoffs only ever gains entries: the leak that such controllers are known for.
type controller struct {
	store    map[string]*object
	queued   map[string]struct{}
	backoffs map[string]int
}

var kept *controller

//go:noinline
func newController() *controller {
	return &controller{map[string]*object{}, map[string]struct{}{}, map[string]int{}}
}

//go:noinline
func labelsOf(name string) map[string]string {
	return map[string]string{"app": name, "tier": "backend", "zone": "a"}
}

// reflect sends each object twice, as a watch does: once added, once modified.
func reflect(n int, counts chan<- truth.Counts, events chan<- *object) {
	var c truth.Counts
	for version := 1; version <= 2; version++ {
		for i := 0; i < n; i++ {
			name := "pod-" + strconv.Itoa(i)
			events <- &object{name, labelsOf(name), version}
			c.Made()
		}
	}
	close(events)
	counts <- c
}

func (c *controller) run(p *truth.Phase, events <-chan *object) {
	store, queued, backoffs := truth.Watch(c.store), truth.Watch(c.queued), truth.Watch(c.backoffs)
	for event := range events {
		c.store[event.name] = event
		store.Wrote()
		c.queued[event.name] = struct{}{}
		queued.Wrote()
		if len(c.queued) < 100 {
			continue
		}
		for name := range c.queued {
			c.backoffs[name]++
			backoffs.Wrote()
			delete(c.queued, name)
			if c.store[name].version == 2 { // gone at the next resync
				delete(c.store, name)
			}
		}
	}
	p.Ended(&store)
	p.Ended(&queued)
	p.Ended(&backoffs)
}

func main() {
	n := truth.Int("n", 20000)
	truth.Run(func(p *truth.Phase) {
		kept = newController()
		p.Made()
		p.Made()
		p.Made()
		counts, events := make(chan truth.Counts, 1), make(chan *object, 64)
		go reflect(n, counts, events)
		kept.run(p, events)
		p.Add(<-counts)
	})
}
