// Probe is a program whose DWARF names every runtime type that mapscope reads: the linker
// keeps the description of a type only where something reachable uses it. It must build
// with every toolchain from Go 1.17 on.
package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
)

type point struct{ x, y int }

func main() {
	byName := map[string]*point{}
	byID := map[int32][4]point{}
	for i := range os.Args {
		byName[os.Args[i]] = &point{i, i}
		byID[int32(i)] = [4]point{}
	}
	for name := range byName {
		delete(byName, name)
	}
	runtime.SetFinalizer(&point{}, func(p *point) { fmt.Println(p) })
	made := reflect.MakeMap(reflect.MapOf(reflect.TypeOf(""), reflect.ArrayOf(4, reflect.TypeOf(point{}))))
	made.SetMapIndex(reflect.ValueOf("key"), reflect.Zero(made.Type().Elem()))
	for range made.MapKeys() {
		debug.FreeOSMemory()
	}
	var records []runtime.MemProfileRecord
	runtime.MemProfile(records, true)
	pprof.WriteHeapProfile(os.Stdout)
	fmt.Println(byName, byID, made.Interface())
}
