// Package beforeclear is for a Go version that has no clear.
package beforeclear

func filledByLoop(documents [][]string) int {
	different := 0
	for _, words := range documents {
		seen := make(map[string]bool)
		for _, word := range words {
			seen[word] = true
		}
		different += len(seen)
	}
	return different
}
