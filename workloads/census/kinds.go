// The types of maps that census makes: with and without pointers, with padding, with large groups.

package main

type kind struct {
	make       func(hint int) interface{}
	fill       func(m interface{}, from, to int) // keys [from, to)
	empty      func(m interface{}, from, to int)
	iterate    func(m interface{}) // begins to, which makes a classic map allocate
	len        func(m interface{}) int
	groupBytes uintptr // of a swiss map
}

type point struct {
	x int32
	y int64
	z int8
}

type wide struct {
	name string
	rest [13]int64
}

var shared = new(point)

var allKinds = []kind{
	{
		make: func(n int) interface{} { return make(map[int]int, n) },
		fill: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				m.(map[int]int)[i] = i
			}
		},
		empty: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				delete(m.(map[int]int), i)
			}
		},
		iterate: func(m interface{}) {
			for range m.(map[int]int) {
				break
			}
		},
		len:        func(m interface{}) int { return len(m.(map[int]int)) },
		groupBytes: group(8, 8, 16),
	},
	{
		make: func(n int) interface{} { return make(map[string]int, n) },
		fill: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				m.(map[string]int)[keys[i]] = i
			}
		},
		empty: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				delete(m.(map[string]int), keys[i])
			}
		},
		iterate: func(m interface{}) {
			for range m.(map[string]int) {
				break
			}
		},
		len:        func(m interface{}) int { return len(m.(map[string]int)) },
		groupBytes: group(16, 8, 24),
	},
	{
		make: func(n int) interface{} { return make(map[string]*point, n) },
		fill: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				m.(map[string]*point)[keys[i]] = shared
			}
		},
		empty: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				delete(m.(map[string]*point), keys[i])
			}
		},
		iterate: func(m interface{}) {
			for range m.(map[string]*point) {
				break
			}
		},
		len:        func(m interface{}) int { return len(m.(map[string]*point)) },
		groupBytes: group(16, 8, 24),
	},
	{
		make: func(n int) interface{} { return make(map[int32]uint8, n) },
		fill: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				m.(map[int32]uint8)[int32(i)] = uint8(i)
			}
		},
		empty: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				delete(m.(map[int32]uint8), int32(i))
			}
		},
		iterate: func(m interface{}) {
			for range m.(map[int32]uint8) {
				break
			}
		},
		len:        func(m interface{}) int { return len(m.(map[int32]uint8)) },
		groupBytes: group(4, 1, 8),
	},
	{
		make: func(n int) interface{} { return make(map[uint64]struct{}, n) },
		fill: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				m.(map[uint64]struct{})[uint64(i)*2654435761] = struct{}{}
			}
		},
		empty: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				delete(m.(map[uint64]struct{}), uint64(i)*2654435761)
			}
		},
		iterate: func(m interface{}) {
			for range m.(map[uint64]struct{}) {
				break
			}
		},
		len:        func(m interface{}) int { return len(m.(map[uint64]struct{})) },
		groupBytes: group(8, 0, 16),
	},
	{
		make: func(n int) interface{} { return make(map[point]wide, n) },
		fill: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				m.(map[point]wide)[point{x: int32(i), y: int64(i) << 32}] = wide{name: keys[i]}
			}
		},
		empty: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				delete(m.(map[point]wide), point{x: int32(i), y: int64(i) << 32})
			}
		},
		iterate: func(m interface{}) {
			for range m.(map[point]wide) {
				break
			}
		},
		len:        func(m interface{}) int { return len(m.(map[point]wide)) },
		groupBytes: group(24, 120, 144),
	},
	{
		make: func(n int) interface{} { return make(map[interface{}]string, n) },
		fill: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				m.(map[interface{}]string)[boxed[i]] = keys[i]
			}
		},
		empty: func(m interface{}, from, to int) {
			for i := from; i < to; i++ {
				delete(m.(map[interface{}]string), boxed[i])
			}
		},
		iterate: func(m interface{}) {
			for range m.(map[interface{}]string) {
				break
			}
		},
		len:        func(m interface{}) int { return len(m.(map[interface{}]string)) },
		groupBytes: group(16, 16, 32),
	},
}

var boxed = func() (all [2 * longest]interface{}) {
	for i := range all {
		all[i] = i
	}
	return all
}()
