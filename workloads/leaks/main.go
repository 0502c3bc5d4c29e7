// leaks holds maps in the three ways in which programs lose track of them, and prints who holds each:
// one line of JSON. Then it waits for the end of standard input.
//
//	go, implementation
//	rate   runtime.MemProfileRate
//	maps   address, type, len, and of the owner
//	       class    variable or goroutine
//	       root     the variable, or the function whose frame holds the map
//	       fields   names on the path from the root, in their order
//	       users    functions that use the variable: what is left of its name without symbols
//	       closure  the function that captured the map; "": none did
//	       created  the line that made it, grew the one that made it grow (main.go:LINE)
//
// -n COUNT is how many requests have come (default 300), -rate BYTES sets runtime.MemProfileRate.
package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"

	"mapscope.dev/workloads/shape"
	"mapscope.dev/workloads/truth"
)

type held struct {
	Address string   `json:"address"`
	Type    string   `json:"type"`
	Len     int      `json:"len"`
	Class   string   `json:"class"`
	Root    string   `json:"root"`
	Fields  []string `json:"fields"`
	Users   []string `json:"users"`
	Closure string   `json:"closure"`
	Created string   `json:"created"`
	Grew    string   `json:"grew"`
}

var known []held

// nextLine is the line below the one that it is called from.
func nextLine() string {
	_, file, line, _ := runtime.Caller(1)
	return filepath.Base(file) + ":" + strconv.Itoa(line+1)
}

// tell completes what is said of a map by what the map says; it does not keep the map.
func tell(m interface{}, owner held) {
	value := reflect.ValueOf(m)
	owner.Address = "0x" + strconv.FormatUint(uint64(shape.Address(m)), 16)
	owner.Type, owner.Len = value.Type().String(), value.Len()
	known = append(known, owner)
}

// The first leak: requests are filed and never dropped.

type request struct {
	id   int
	seen map[string]int
}

var requests []request

//go:noinline
func serve(id int) {
	made := nextLine()
	seen := make(map[string]int)
	grew := ""
	for i := 0; i < 20+id%100; i++ {
		grew = nextLine()
		seen["header-"+strconv.Itoa(i)] = i
	}
	requests = append(requests, request{id, seen})
	tell(seen, held{Class: "variable", Root: "main.requests", Fields: []string{"seen"}, Users: []string{"main.serve"}, Created: made, Grew: grew})
}

// The second one: a cache that nobody sees, in a function that everybody calls.

var lookup func(key int) string

//go:noinline
func newLookup(hint int) func(key int) string {
	made := nextLine()
	cache := make(map[int]string, hint)
	owner := held{Class: "variable", Root: "main.lookup", Users: []string{"main.main", "main.warm"}, Closure: "main.newLookup.func1", Created: made}
	return func(key int) string {
		if key < 0 {
			tell(cache, owner)
			return ""
		}
		if _, found := cache[key]; !found {
			owner.Grew = nextLine()
			cache[key] = "answer-" + strconv.Itoa(key)
		}
		return cache[key]
	}
}

//go:noinline
func warm(count int) {
	for i := 0; i < count; i++ {
		lookup(i)
	}
	lookup(-1)
}

// The third: a goroutine that waits for ever with what it has gathered.

//go:noinline
func newSessions() map[uint32][]byte { return make(map[uint32][]byte) }

//go:noinline
func work(ready chan<- bool, more <-chan uint32) {
	sessions := newSessions()
	grew := ""
	for i := uint32(0); i < 500; i++ {
		grew = nextLine()
		sessions[i] = make([]byte, 16)
	}
	tell(sessions, held{Class: "goroutine", Root: "main.work", Grew: grew})
	ready <- true
	for id := range more {
		delete(sessions, id)
	}
	tell(sessions, held{})
}

func main() {
	if rate := truth.Int("rate", -1); rate >= 0 {
		runtime.MemProfileRate = rate
	}
	count := truth.Int("n", 300)
	for i := 0; i < count; i++ {
		serve(i)
	}
	lookup = newLookup(100)
	warm(20 * count)
	ready, more := make(chan bool), make(chan uint32)
	go work(ready, more)
	<-ready
	text, err := json.Marshal(map[string]interface{}{"go": runtime.Version(), "implementation": shape.Implementation,
		"rate": runtime.MemProfileRate, "maps": known})
	if err != nil {
		truth.Fail(err.Error())
	}
	os.Stdout.Write(append(text, '\n'))
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(more)
	runtime.MemProfile(nil, true) // or else the linker turns the profile off
}
