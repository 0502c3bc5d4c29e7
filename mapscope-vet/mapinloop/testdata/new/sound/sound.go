// Package sound makes maps in loops, and needs each of them.
package sound

type document struct{ words []string }

var last map[string]bool

func fill(map[string]bool) {}

func kept(documents []document) (all []map[string]bool) {
	for _, d := range documents {
		returned := make(map[string]bool)
		stored := make(map[string]bool)
		passed := make(map[string]bool)
		captured := make(map[string]bool)
		renamed := make(map[string]bool)
		inStruct := make(map[string]bool)
		for _, word := range d.words {
			returned[word], stored[word], passed[word], captured[word], renamed[word], inStruct[word] =
				true, true, true, true, true, true
		}
		all = append(all, returned)
		last = stored
		fill(passed)
		func() { captured["x"] = true }()
		other := renamed
		_ = other
		_ = struct{ m map[string]bool }{inStruct}
	}
	return all
}

func small(documents []document) int {
	total := 0
	for _, d := range documents {
		m := make(map[string]bool)
		m["one"], m["two"] = true, len(d.words) > 0
		total += len(m)
		read := map[int]int{1: 2, 3: 4}
		for i := range d.words {
			total += read[i]
		}
	}
	return total
}

func waits(documents []document, next chan document) {
	for {
		m := make(map[string]bool)
		for _, word := range (<-next).words {
			m[word] = true
		}
	}
}

func waitsToo(documents []document, next chan document) {
	for range documents {
		m := make(map[string]bool)
		for _, word := range (<-next).words {
			m[word] = true
		}
	}
}

func once(documents []document) int {
	for _, d := range documents {
		m := make(map[string]bool)
		for _, word := range d.words {
			m[word] = true
		}
		return len(m)
	}
	return 0
}

func inFewRounds(documents []document) int {
	total := 0
	for _, d := range documents {
		if len(d.words) > 1000 {
			m := make(map[string]bool)
			for _, word := range d.words {
				m[word] = true
			}
			total += len(m)
		}
	}
	return total
}

func behindContinue(documents []document) int {
	total := 0
	for _, d := range documents {
		if len(d.words) < 1000 {
			continue
		}
		m := make(map[string]bool)
		for _, word := range d.words {
			m[word] = true
		}
		total += len(m)
	}
	return total
}

func cleared(documents []document) int {
	total := 0
	m := make(map[string]bool)
	for _, d := range documents {
		clear(m)
		for _, word := range d.words {
			m[word] = true
		}
		total += len(m)
	}
	return total
}
