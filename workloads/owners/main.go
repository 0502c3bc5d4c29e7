// owners holds maps in all the ways that Go has, next to objects that only look like maps, and prints
// who holds each:
//
//	map ADDRESS len 0 0 TYPE
//	owner ADDRESS CLASS ROOT USERS FIELDS
//	noise ADDRESS CLASS   no map: it must get neither type nor owner
//	ready                 then it waits for the end of standard input
//
// CLASS is what a reader of the memory has to say of the map:
//
//	variable   ROOT, a package variable, holds it; functions of the list USERS use that
//	pool       ROOT or the runtime
//	goroutine  a frame of ROOT holds it
//	kept       it is not garbage, whatever else is said: ROOT is a timer, the finalizer of an object,
//	           a finalized object that waits for it, or what keeps the rest of an object too: the
//	           tail of a slice, an element of an array, a number of a struct
//	stale      nobody does, but a word of a frame of ROOT that is no longer used may point to it
//	garbage    nobody does: nobody owns it
//
// FIELDS are names on the path from the root, in their order. Lists have commas; empty ones are "-".
//
// -n COUNT maps of each kind that can have many (default 200); no collection runs but with -gc;
// -churn FILE makes and replaces maps for ever, and logs each there, see churn.go.
package main

import (
	"bufio"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"mapscope.dev/workloads/shape"
	"mapscope.dev/workloads/truth"
)

var (
	out   = bufio.NewWriterSize(os.Stdout, 1<<16)
	count int
)

// tell prints a map and who holds it; it does not keep it.
func tell(m interface{}, class, root, users, fields string) {
	value := reflect.ValueOf(m)
	tellTyped(m, value.Type().String(), class, root, users, fields)
}

// For a map that is held as several types, types has all of them, with bars between.
func tellTyped(m interface{}, types, class, root, users, fields string) {
	address := strconv.FormatUint(uint64(shape.Address(m)), 16)
	out.WriteString("map " + address + " " + strconv.Itoa(reflect.ValueOf(m).Len()) + " 0 0 " + types + "\n")
	out.WriteString("owner " + address + " " + class + " " + root + " " + list(users) + " " + list(fields) + "\n")
}

func list(words string) string {
	if words == "" {
		return "-"
	}
	return strings.Replace(words, " ", ",", -1)
}

// own tells of a map that a variable holds, which only the calling function uses.
func own(m interface{}, root, fields string) {
	pc, _, _, _ := runtime.Caller(1)
	tell(m, "variable", root, runtime.FuncForPC(pc).Name(), fields)
}

var makers = []func(){
	variables, structs, nested, slices, tails, mapsInMaps, indirect, interfaces, lists, channels, closures, methods, aliases,
	pointers, large, interior, concurrentMaps, pools, contexts, atomics, reflected, unsafePointers, timers, finalizers, goroutines,
	staleWords, garbage, noise,
}

func main() {
	count = truth.Int("n", 200)
	collects := truth.Switch("gc")
	churned := truth.Text("churn", "")
	debug.SetGCPercent(-1)
	for _, make := range append(makers, genericMakers...) {
		make()
	}
	if collects || churned != "" {
		debug.SetGCPercent(100)
	}
	if churned != "" {
		churn(churned)
	}
	out.WriteString("ready\n")
	out.Flush()
	os.Stdin.Read(make([]byte, 1))
}
