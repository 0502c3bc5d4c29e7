// promlabels has the shape of a metrics client: label sets as small maps, copied for each series,
// and an index of the series.
package main

import (
	"strconv"

	"mapscope.dev/workloads/truth"
)

type series struct {
	labels map[string]string
	value  float64
}

type registry struct {
	series map[uint64]*series
	names  map[string]map[uint64]struct{}
}

var kept *registry

//go:noinline
func newRegistry() *registry {
	return &registry{map[uint64]*series{}, map[string]map[uint64]struct{}{}}
}

//go:noinline
func newSet() map[uint64]struct{} { return make(map[uint64]struct{}) }

//go:noinline
func withLabel(p *truth.Phase, labels map[string]string, name, value string) map[string]string {
	with := make(map[string]string, len(labels)+1)
	p.MadeHint()
	w := truth.Watch(with)
	for key, old := range labels {
		with[key] = old
		w.Wrote()
	}
	with[name] = value
	w.Wrote()
	p.Ended(&w)
	return with
}

//go:noinline
func request(method, code string) map[string]string {
	return map[string]string{"method": method, "code": code, "handler": "/"}
}

func main() {
	n := truth.Int("n", 10000)
	truth.Run(func(p *truth.Phase) {
		kept = newRegistry()
		p.Made()
		p.Made()
		all := truth.Watch(kept.series)
		names := truth.Watch(kept.names)
		const metrics = 10
		var sets [metrics]truth.Map
		for i := 0; i < n; i++ {
			labels := request("GET", strconv.Itoa(200+i%5))
			p.Made()
			id := uint64(i)
			kept.series[id] = &series{labels: withLabel(p, labels, "instance", strconv.Itoa(i))}
			all.Wrote()
			metric := i % metrics
			name := "requests_" + strconv.Itoa(metric)
			if kept.names[name] == nil {
				kept.names[name] = newSet()
				p.Made()
				names.Wrote()
				sets[metric] = truth.Watch(kept.names[name])
			}
			kept.names[name][id] = struct{}{}
			sets[metric].Wrote()
		}
		p.Ended(&all)
		p.Ended(&names)
		for i := range sets {
			p.Ended(&sets[i])
		}
	})
}
