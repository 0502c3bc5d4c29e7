// ttlcache fills a cache and lets most of it expire, over and over. With -shrink it then moves what
// is left into a new map; without, the map keeps the memory of its best day.
package main

import "mapscope.dev/workloads/truth"

type entry struct {
	expires int
	value   [2]uint64
}

var cache map[int]entry

//go:noinline
func hinted(n int) map[int]entry { return make(map[int]entry, n) }

func fill(m map[int]entry, w *truth.Map, n, now int) {
	for i := 0; i < n; i++ {
		m[now*n+i] = entry{expires: now + 1 + i%100/99}
		w.Wrote()
	}
}

func expire(m map[int]entry, now int) {
	for key, e := range m {
		if e.expires <= now {
			delete(m, key)
		}
	}
}

func shrink(p *truth.Phase, old map[int]entry, w *truth.Map) map[int]entry {
	m := hinted(len(old))
	p.MadeHint()
	p.Ended(w)
	*w = truth.Watch(m)
	for key, e := range old {
		m[key] = e
		w.Wrote()
	}
	return m
}

func main() {
	n := truth.Int("n", 20000)
	rounds := truth.Int("rounds", 10)
	shrinks := truth.Switch("shrink")
	truth.Run(func(p *truth.Phase) {
		cache = hinted(0)
		p.MadeHint()
		w := truth.Watch(cache)
		for now := 0; now < rounds; now++ {
			fill(cache, &w, n, now)
			expire(cache, now+1)
			if shrinks {
				cache = shrink(p, cache, &w)
			}
		}
		p.Ended(&w)
	})
}
