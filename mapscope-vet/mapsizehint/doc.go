// Package mapsizehint finds maps that could have been made with their size.
package mapsizehint

const doc = `find maps that are filled by a loop of known length but made without a size hint

A map that is made without a size grows on the way: each time it doubles, new groups or
buckets are allocated and every entry is moved. Where the number of entries is known
before, the second argument of make says it, and the map is made once:

	byName := make(map[string]*User)    // reported
	for _, user := range users {
		byName[user.Name] = user
	}

	byName := make(map[string]*User, len(users))

Reported is a map made by make or an empty literal, with the loop right behind it, where
the loop's length is known: it goes over a slice, an array, a map or an integer, or counts
to a constant or a len. The body must assign to the map exactly once in each round, under
a key that differs from round to round.

Not reported, since the number of entries is not known: an assignment under a condition, a
loop that may end early or skip a round, a key by which entries are grouped or counted, a
key of a type that has few values (bool, uint8, enumerations), any other use of the map in
the loop. Nor up to eight entries, for which the first group has room.

Two elements may have the same key, so for elements the message says "up to". Where many
do, a hint is a waste, and the finding should be ignored.`
