// The ways in which maps waste memory.

package main

import (
	"unsafe"

	"mapscope.dev/workloads/shape"
)

var cases = []struct {
	name string
	make func() []row
}{
	{"healthy", healthy},
	{"emptied", emptied},
	{"cleared", cleared},
	{"over-hinted", overHinted},
	{"tombstones", tombstones},
	{"overflow", overflow},
	{"old-buckets", oldBuckets},
	{"no-hint", noHint},
	{"padding", padding},
}

func fill(m map[int]int, from, to int) {
	for i := from; i < to; i++ {
		m[i] = i
	}
}

func fillStrings(m map[string]int, from, to int) {
	for i := from; i < to; i++ {
		m[keys[i]] = i
	}
}

// Made for what they hold, or too small to speak of.
func healthy() []row {
	hinted := make(map[int]int, 7000)
	fill(hinted, 0, 7000)
	withStrings := make(map[string]int, 7000)
	fillStrings(withStrings, 0, 7000)
	few := map[string]int{"one": 1, "two": 2, "three": 3}
	return []row{
		{hinted, len(hinted), "", ""},
		{withStrings, len(withStrings), "", ""},
		{few, len(few), "", ""},
	}
}

// Filled, and then emptied but for a few.
func emptied() []row {
	numbers := map[int]int{}
	fill(numbers, 0, 50000)
	for i := 10; i < 50000; i++ {
		delete(numbers, i)
	}
	texts := map[string]int{}
	fillStrings(texts, 0, 50000)
	for i := 100; i < 50000; i++ {
		delete(texts, keys[i])
	}
	return []row{
		{numbers, len(numbers), "emptied", "emptied"},
		{texts, len(texts), "emptied", "emptied"},
	}
}

// Filled, and then emptied by clear, which classic maps do not show.
func cleared() []row {
	m := map[string]int{}
	fillStrings(m, 0, 20000)
	clearAll(m)
	fillStrings(m, 0, 5)
	return []row{{m, len(m), "emptied", clearedCause}}
}

// Made for far more than they ever got. Of a classic map nothing tells that it never held more.
func overHinted() []row {
	large := make(map[string]int, 100000)
	fillStrings(large, 0, 50)
	small := make(map[string]int, 1794) // four tables of 512 slots, which no growth makes
	fillStrings(small, 0, 5)
	return []row{
		{large, len(large), "over_hinted", "mostly_empty"},
		{small, len(small), "over_hinted", "mostly_empty"},
	}
}

// Nearly full, and then thinned out: what is deleted from a full group stays as a tombstone.
func tombstones() []row {
	m := make(map[int]int, 28000) // 32 tables of 1,024 slots
	fill(m, 0, 26500)
	for i := 0; i < 26500; i += 2 {
		delete(m, i)
	}
	return []row{{m, len(m), "tombstones", "?"}}
}

// As full as classic buckets may be, but all in a quarter of them, in chains of three. A swiss map
// sees the same keys and nothing of this.
func overflow() []row {
	const buckets, perBucket = 1024, 24
	m := make(map[int]int, buckets/4*perBucket)
	var filled [buckets]int
	for i := 0; len(m) < buckets/4*perBucket; i++ {
		key := i
		if shape.Implementation == "classic" {
			bucket := shape.BucketOf(m, unsafe.Pointer(&key))
			if bucket%4 != 0 || filled[bucket] == perBucket {
				continue
			}
			filled[bucket]++
		}
		m[key] = i
	}
	return []row{{m, len(m), "", "overflow"}}
}

// Grew with its last entry. What the old buckets hold would move with further writes only.
func oldBuckets() []row {
	m := map[int]int{}
	for i := 0; len(m) < 100000 || shape.Implementation == "classic" && !shape.IsGrowing(m); i++ {
		m[i] = i
	}
	return []row{{m, len(m), "?", "old_buckets"}}
}

// Grew step by step, and copied its entries as often. At this length most tables of a swiss map have
// split once more than a few others, which no hint would have made so. The hash of arm64 spreads keys
// that follow each other so evenly that all tables would split: these lie apart.
func noHint() []row {
	m := map[int]int{}
	for i := 0; i < 121000; i++ {
		m[i*0x9e3779b1] = i
	}
	return []row{{m, len(m), "no_hint", "no_hint"}}
}

// In another order of fields 16 and 24 bytes.
type (
	badKey struct {
		kind  int8
		id    int64
		small int32
		flag  bool
	}
	badElem struct {
		seen  bool
		bytes int64
		dirty bool
		count int64
		stale bool
	}
)

func padding() []row {
	m := make(map[badKey]badElem, 7000)
	for i := 0; i < 7000; i++ {
		m[badKey{id: int64(i)}] = badElem{bytes: int64(i)}
	}
	return []row{{m, len(m), "padding", "padding"}}
}
