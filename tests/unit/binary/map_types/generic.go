//go:build go1.18

// Generic code, whose map types come from dictionaries where two types share their shape.
package main

type Pair[T any] struct{ First, Second T }

type (
	Celsius int
	Kelvin  int
)

//go:noinline
func store[K comparable, V any](m map[K]V, k K, v V) { m[k] = v }

// No map of it is passed between functions, so the type stands in the code.
//
//go:noinline
func storePair(m map[string]Pair[int]) { m["a"] = Pair[int]{1, 2} }

func init() {
	types = append(types, map[string]Pair[int](nil), map[Pair[string]]Pair[[]Entry](nil))
	calls = append(calls,
		[]string{"main.store[...]", "-"},
		[]string{"main.storePair", "map[string]main.Pair[int]"})
	uses = append(uses, func() {
		store(map[Celsius]string{}, 1, "a")
		store(map[Kelvin]string{}, 2, "b")
		storePair(map[string]Pair[int]{})
	})
}
