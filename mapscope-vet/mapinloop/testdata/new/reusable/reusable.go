// Package reusable makes maps in loops that could be cleared.
package reusable

type document struct {
	words []string
	parts [][]string
}

func filledByLoop(documents []document) int {
	different := 0
	for _, d := range documents {
		seen := make(map[string]bool) // want `seen is made and filled anew in each round of the loop at line \d+, and nothing keeps it: make it before the loop and call clear\(seen\) here`
		for _, word := range d.words {
			seen[word] = true
		}
		different += len(seen)
	}
	return different
}

func counted(documents []document) (most int) {
	for i := 0; i < len(documents); i++ {
		counts := map[string]int{} // want `counts is made and filled anew`
		for _, part := range documents[i].parts {
			for _, word := range part {
				counts[word]++
			}
		}
		for word, count := range counts {
			if count > most && counts[word] > 1 {
				most = count
			}
		}
		delete(counts, "")
	}
	return most
}

func madeLarge(rounds int) int {
	total := 0
	for range rounds {
		table := make(map[int]int, 1000) // want `table is made and filled anew`
		table[total] = total
		total += len(table)
	}
	return total
}
