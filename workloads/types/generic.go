//go:build go1.21

// Maps that generic code makes: the compiler knows their types by shape only.

package main

import "reflect"

type (
	metres int
	text   string
)

//go:noinline
func counted[K comparable, V any](n int, key func(int) K, elem func(int) V) map[K]V {
	m := make(map[K]V)
	for i := 0; i < n; i++ {
		m[key(i)] = elem(i)
	}
	return m
}

//go:noinline
func hinted[K comparable, V any](n int, key func(int) K, elem func(int) V) map[K]V {
	m := make(map[K]V, n)
	for i := 0; i < n; i++ {
		m[key(i)] = elem(i)
	}
	return m
}

type set[K comparable] struct{ seen map[K]struct{} }

func (s *set[K]) add(key K) {
	if s.seen == nil {
		s.seen = map[K]struct{}{}
	}
	s.seen[key] = struct{}{}
}

var sets []interface{}

func makeGenericMaps() {
	toMetres := func(i int) metres { return metres(i) }
	toText := func(i int) text { return text("text-" + string(rune('a'+i%26))) }
	toInt := func(i int) int { return i }
	toPoint := func(i int) point { return point{int32(i), 0} }
	for _, n := range sizes {
		all := []interface{}{
			counted(n, toMetres, toInt), hinted(n, toMetres, toPoint), counted(n, toText, toMetres),
			hinted(n, toInt, toText), counted(n, toPoint, toText),
		}
		s := &set[text]{}
		t := &set[metres]{}
		for i := 0; i <= n; i++ {
			s.add(toText(i))
			t.add(metres(i))
		}
		all = append(all, s.seen, t.seen)
		for _, m := range all {
			maps = append(maps, reflect.ValueOf(m))
		}
	}
}
