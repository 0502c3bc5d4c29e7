// Package mapinloop finds maps that are made anew in each round of a loop and could be cleared instead.
package mapinloop

const doc = `find maps that are made and filled in each round of a loop and could be reused

A map that is filled and thrown away in each round is garbage that was grown from nothing
each time. Made once before the loop and emptied with clear, it keeps its room:

	for _, document := range documents {
		seen := make(map[string]bool)    // reported
		for _, word := range document.Words {
			seen[word] = true
		}
		count += len(seen)
	}

	seen := make(map[string]bool)
	for _, document := range documents {
		clear(seen)
		...

Reported is a map that is declared in the body of a loop over elements or numbers, filled
by a loop in there, or made for more than eight entries, and used for nothing but reading,
assigning, deleting, len and range. It can't be kept by anything, so the next round may
have it. Only where the file's Go version has clear (1.21).

Not reported: a map that is passed to a function, stored, returned or used by a function
literal; loops that wait or end in their first round; maps behind an if or a continue,
which few rounds may reach; maps that stay small, since those need no memory but the
stack's.

This is a note, not a mistake. A cleared map stays as large as it ever was, and clearing
takes time by that size: where one round fills it a thousand times more than the others,
making it anew is right.`
