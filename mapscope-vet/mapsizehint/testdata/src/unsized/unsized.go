// Package unsized makes maps without the size that it could give.
package unsized

import "strconv"

type user struct {
	id   int
	name string
	next *user
}

type index map[string]*user

type server struct {
	users  []user
	byName map[string]*user
}

const tableLength = 1000

func consume(...any) {}

func overSlice(users []user) {
	byName := make(map[string]user) // want `byName gets up to len\(users\) entries in the loop at line \d+, and grows on the way: make it with make\(map\[string\]user, len\(users\)\)`
	for _, u := range users {
		byName[u.name] = u
	}
	consume(byName)
}

func byPosition(names []string) {
	table := map[int]string{} // want `table gets len\(names\) entries`
	for i, name := range names {
		table[i] = name
	}
	set := make(map[string]struct{}) // want `set gets up to len\(names\) entries`
	for _, name := range names {
		set[name] = struct{}{}
	}
	var lengths = make(map[string]int) // want `lengths gets up to len\(names\) entries`
	total := 0
	for i := range names {
		lengths[names[i]] = len(names[i])
		total++
	}
	consume(table, set, lengths, total)
}

func namedType(users []*user) index {
	result := index{} // want `make\(index, len\(users\)\)`
	for _, u := range users {
		key := u.name
		result[key] = u
	}
	return result
}

func overMap(scores map[string]int) {
	doubled := make(map[string]int) // want `doubled gets len\(scores\) entries`
	for name, score := range scores {
		doubled[name] = 2 * score
	}
	consume(doubled)
}

func overArray(table *[64]uint32) {
	copied := make(map[int]uint32) // want `copied gets len\(table\) entries`
	for i, entry := range table {
		copied[i] = entry
	}
	consume(copied)
}

func (s *server) fields() {
	s.byName = make(map[string]*user) // want `s.byName gets up to len\(s.users\) entries`
	for i := range s.users {
		s.byName[s.users[i].name] = &s.users[i]
	}
}

func counted(n int, names []string) {
	squares := make(map[int]int) // want `squares gets tableLength entries .* make\(map\[int\]int, tableLength\)`
	for i := 0; i < tableLength; i++ {
		squares[i] = i * i
	}
	fromOne := make(map[string]int) // want `fromOne gets 100 entries`
	for i := 1; i <= 100; i++ {
		fromOne[strconv.Itoa(i)] = i
	}
	positions := make(map[int]string) // want `positions gets len\(names\) entries`
	for i := 0; i < len(names); i++ {
		positions[i+1] = names[i]
	}
	consume(squares, fromOne, positions)
}

func inCase(kind int, names []string) {
	switch kind {
	case 1:
		set := make(map[string]bool) // want `set gets up to len\(names\) entries`
		for _, name := range names {
			set[name] = true
		}
		consume(set)
	}
}

func conversions(codes []int, raw [][]byte) {
	byCode := make(map[int64]bool) // want `byCode gets up to len\(codes\) entries`
	for _, code := range codes {
		byCode[int64(code)] = true
	}
	texts := make(map[string]int) // want `texts gets up to len\(raw\) entries`
	for i, text := range raw {
		texts[string(text)] = i
	}
	consume(byCode, texts)
}

func wholeType(names []string, codes map[uint32]int) {
	set := make(map[string]struct{ seen, counted bool }) // want `set gets up to len\(names\) entries`
	for _, name := range names {
		set[name] = struct{ seen, counted bool }{}
	}
	functions := map[uint32]func(interface{ Name() string }) (int, error){} // want `functions gets len\(codes\) entries`
	for code := range codes {
		functions[code] = nil
	}
	digits := make(map[int]string) // want `digits gets 1000 entries`
	for digit := range 1000 {
		digits[digit] = ""
	}
	consume(set, functions, digits)
}
