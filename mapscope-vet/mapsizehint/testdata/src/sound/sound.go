// Package sound makes maps whose size is given, not known, or does not matter.
package sound

type kind int

const (
	first kind = iota
	second
)

type item struct {
	name, group string
	kind        kind
	byte        byte
	parts       []string
}

func consume(...any) {}
func load() []item   { return nil }

func hinted(items []item) {
	m := make(map[string]item, len(items))
	for _, i := range items {
		m[i.name] = i
	}
	filled := map[string]item{"": {}}
	for _, i := range items {
		filled[i.name] = i
	}
	consume(m, filled)
}

func small() {
	m := make(map[int]int)
	for i := 0; i < 8; i++ {
		m[i] = i
	}
	n := make(map[int]string)
	for i, name := range [...]string{"a", "b"} {
		n[i] = name
	}
	consume(m, n)
}

func conditions(items []item) map[string]item {
	m := make(map[string]item)
	for _, i := range items {
		if i.name != "" {
			m[i.name] = i
		}
	}
	n := make(map[string]item)
	for _, i := range items {
		if i.name == "" {
			continue
		}
		n[i.name] = i
	}
	o := make(map[string]item)
	for _, i := range items {
		if i.name == "" {
			return nil
		}
		o[i.name] = i
	}
	p := make(map[string]item)
	for _, i := range items {
		p[i.name] = i
		if len(p) > 10 {
			break
		}
	}
	return o
}

func grouped(items []item) {
	groups := make(map[string][]item)
	for _, i := range items {
		groups[i.group] = append(groups[i.group], i)
	}
	counts := make(map[string]int)
	for _, i := range items {
		counts[i.group]++
	}
	sums := make(map[string]int)
	for _, i := range items {
		sums[i.group] += len(i.name)
	}
	set := make(map[string]bool)
	for _, i := range items {
		set[i.group] = true
	}
	kinds := make(map[kind]item)
	for _, i := range items {
		kinds[i.kind] = i
	}
	bytes := make(map[byte]item)
	for _, i := range items {
		bytes[i.byte] = i
	}
	last := make(map[bool]item)
	for _, i := range items {
		last[i.name == ""] = i
	}
	remainders := make(map[int]item)
	for n, i := range items {
		remainders[n%10] = i
	}
	consume(groups, counts, sums, set, kinds, bytes, last, remainders)
}

func lengthNotKnown(text string, channel chan string, more func() bool) {
	runes := make(map[rune]bool)
	for _, r := range text {
		runes[r] = true
	}
	received := make(map[string]bool)
	for name := range channel {
		received[name] = true
	}
	called := make(map[string]item)
	for _, i := range load() {
		called[i.name] = i
	}
	n := make(map[int]bool)
	for i := 0; more(); i++ {
		n[i] = true
	}
	skipping := make(map[int]bool)
	for i := 0; i < 1000; i++ {
		skipping[i] = true
		i += 10
	}
	consume(runes, received, called, n, skipping)
}

func lengthNotKnownYet() {
	m := make(map[string]item)
	items := load()
	for _, i := range items {
		m[i.name] = i
	}
	later := make(map[string]item)
	var others []item
	for _, i := range others {
		later[i.name] = i
	}
	consume(m, later)
}

func usedOtherwise(items []item) {
	m := make(map[string]item)
	consume(m)
	for _, i := range items {
		m[i.name] = i
	}
	parts := make(map[string]string)
	for _, i := range items {
		for _, part := range i.parts {
			parts[part] = i.name
		}
	}
	removed := make(map[string]item)
	for _, i := range items {
		removed[i.name] = i
		delete(removed, i.group)
	}
	constant := make(map[string]item)
	for _, i := range items {
		constant["last"] = i
	}
	changed := make(map[int]item)
	for n, i := range items {
		key := n
		key = key / 10
		changed[key] = i
	}
	twice := make(map[string]item)
	for _, i := range items {
		twice[i.name] = i
		twice[i.group] = i
	}
	consume(parts, removed, constant, changed, twice)
}

func notTheBuiltin(items []item) {
	make := func(m map[string]item) map[string]item { return m }
	m := make(map[string]item(nil))
	for _, i := range items {
		m[i.name] = i
	}
	consume(m)
}
