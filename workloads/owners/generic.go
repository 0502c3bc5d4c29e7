//go:build go1.21

// Generic types and functions: the compiler knows the maps in their closures by shape only.

package main

import (
	"strconv"
	"sync/atomic"
)

type (
	metres                    int
	text                      string
	set[K comparable]         struct{ seen map[K]struct{} }
	pair[A comparable, B any] struct {
		first  A
		second map[A]B
	}
)

func (s *set[K]) add(key K) {
	if s.seen == nil {
		s.seen = map[K]struct{}{}
	}
	s.seen[key] = struct{}{}
}

//go:noinline
func filled[K comparable, V any](n int, key func(int) K, elem func(int) V) map[K]V {
	m := make(map[K]V)
	for i := 0; i <= n; i++ {
		m[key(i)] = elem(i)
	}
	return m
}

//go:noinline
func memoized[K comparable, V any](m map[K]V, make func(K) V) func(K) V {
	return func(key K) V {
		if v, found := m[key]; found {
			return v
		}
		v := make(key)
		m[key] = v
		return v
	}
}

func toInt(i int) int       { return i }
func toMetres(i int) metres { return metres(i) }
func toText(i int) text     { return text("text-" + strconv.Itoa(i)) }
func toString(i int) string { return "text-" + strconv.Itoa(i) }

var (
	textSet   *set[text]
	metreSets []set[metres]
	pairs     []*pair[int, text]
	swapped   pair[text, []int]

	byInt     []func(int) string
	byMetres  []func(metres) string
	byText    []func(text) metres
	byString  []func(string) int
	published atomic.Pointer[pair[metres, int]]
)

//go:noinline
func genericTypes() {
	textSet = &set[text]{}
	textSet.add("a")
	own(textSet.seen, "main.textSet", "seen")
	metreSets = make([]set[metres], count)
	swapped.second = filled(5, toText, func(int) []int { return nil })
	own(swapped.second, "main.swapped", "second")
	for i := 0; i < count; i++ {
		for j := 0; j <= i%20; j++ {
			metreSets[i].add(metres(j))
		}
		own(metreSets[i].seen, "main.metreSets", "seen")
		pairs = append(pairs, &pair[int, text]{i, filled(i%20, toInt, toText)})
		own(pairs[i].second, "main.pairs", "second")
	}
	p := &pair[metres, int]{1, filled(7, toMetres, toInt)}
	published.Store(p)
	own(p.second, "main.published", "second")
}

//go:noinline
func genericClosures() {
	for i := 0; i < count; i++ {
		ints, metric := filled(i%20, toInt, toString), filled(i%20, toMetres, toString)
		texts, strings := filled(i%20, toText, toMetres), filled(i%20, toString, toInt)
		byInt = append(byInt, memoized(ints, toString))
		byMetres = append(byMetres, memoized(metric, func(metres) string { return "" }))
		byText = append(byText, memoized(texts, func(text) metres { return 0 }))
		byString = append(byString, memoized(strings, func(string) int { return 0 }))
		own(ints, "main.byInt", "")
		own(metric, "main.byMetres", "")
		own(texts, "main.byText", "")
		own(strings, "main.byString", "")
	}
}

var genericMakers = []func(){genericTypes, genericClosures}
