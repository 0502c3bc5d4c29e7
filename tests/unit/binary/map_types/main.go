// map_types tells what its own map types are, and which of them each of its calls of a map
// function passes. It finds that out by reflect and by computing, not from descriptors.
//
//	map_types swiss|classic|split
//
// Addresses are those of the process; that of main.main tells where it was loaded.
package main

import (
	"fmt"
	"net/url"
	"os"
	"reflect"
	"unsafe"
)

type Entry struct {
	Name  string
	Count int
}

type Key struct {
	Low  int32
	High int64
	Kind int8
}

type Größe float32

type Registry map[string]Entry

// Types of maps, by a value of each.
var types = []interface{}{
	map[string]int(nil),
	map[int]int(nil),
	map[int]struct{}(nil),
	map[int32]uint8(nil),
	map[uint16]bool(nil),
	map[float64]complex128(nil),
	map[[3]int16]bool(nil),
	map[[0]int]int(nil),
	map[Key]*Entry(nil),
	map[string]Entry(nil),
	map[*Entry]chan int(nil),
	map[interface{}]interface{}(nil),
	map[string]func(int) error(nil),
	map[string]map[string][]int(nil),
	map[string]struct {
		A int `json:"a,omitempty"`
	}(nil),
	map[string]Größe(nil),
	map[[128]byte][128]byte(nil),
	map[[129]byte]int(nil),
	map[int][129]byte(nil),
	map[[20]string][30]string(nil),
	Registry(nil),
	url.Values(nil),
}

// What is no map type.
var others = []interface{}{0, "", []int(nil), &Entry{}, Entry{}, [3]int{}, make(chan int), groupSize}

// Functions, and the map types that their calls pass; "-" for one that no code can tell.
var calls = [][]string{
	{"main.assignString", "map[string]int"},
	{"main.assignEntry", "map[string]main.Entry"},
	{"main.assignNamed", "main.Registry"},
	{"main.assignPointer", "map[*main.Entry]chan int"},
	{"main.assignSmall", "map[int32]uint8"},
	{"main.assignAny", "map[interface {}]interface {}"},
	{"main.access", "map[string]map[string][]int", "map[string][]int"},
	{"main.accessTwice", "map[main.Key]*main.Entry"},
	{"main.accessFat", "map[int][2000]uint8"},
	{"main.remove", "map[int]int"},
	{"main.iterate", "map[string]main.Größe"},
	{"main.empty", "map[uint16]bool"},
	{"main.create", "map[int][129]uint8"},
	{"main.either", "map[string]int", "map[string]main.Entry"},
	{"main.switched", "map[int]int", "map[int]struct {}"},
}

//go:noinline
func assignString(m map[string]int, k string) { m[k] = 1 }

//go:noinline
func assignEntry(m map[string]Entry, k string) { m[k+"x"] = Entry{k, len(k)} }

//go:noinline
func assignNamed(m Registry, k string) { m[k] = Entry{} }

//go:noinline
func assignPointer(m map[*Entry]chan int, k *Entry) { m[k] = make(chan int) }

//go:noinline
func assignSmall(m map[int32]uint8, from []int32) {
	for i, k := range from {
		m[k*2+1] += uint8(i)
	}
}

//go:noinline
func assignAny(m map[interface{}]interface{}, k, v interface{}) { m[k] = v }

//go:noinline
func access(m map[string]map[string][]int, k string) []int { return m[k][""] }

//go:noinline
func accessTwice(m map[Key]*Entry, k Key) (string, bool) {
	if v, ok := m[k]; ok {
		return v.Name, m[Key{Low: 1}] != nil
	}
	return "", false
}

//go:noinline
func accessFat(m map[int][2000]byte, k int) byte { return m[k][k] }

//go:noinline
func remove(m map[int]int, k int) { delete(m, k) }

//go:noinline
func iterate(m map[string]Größe) (sum Größe) {
	for _, v := range m {
		sum += v
	}
	return sum
}

//go:noinline
func empty(m map[uint16]bool) {
	for k := range m {
		delete(m, k)
	}
}

//go:noinline
func create(n int) map[int][129]byte { return make(map[int][129]byte, n) }

//go:noinline
func either(a map[string]int, b map[string]Entry, k string) {
	if len(a) > len(k) {
		a[k]++
	} else {
		b[k] = Entry{Name: k}
	}
}

// A switch with a jump table, whose branches share what follows.
//
//go:noinline
func switched(a map[int]int, b map[int]struct{}, k int) {
	switch k {
	case 0:
		a[k]++
	case 1:
		b[k] = struct{}{}
	case 2, 3:
		delete(a, k)
	case 4:
		delete(b, k)
	case 5:
		a[7] = len(b)
	case 6:
		b[len(a)] = struct{}{}
	case 7:
		a[k+1], a[k+2] = k, k
	case 8:
		k = len(a)
	default:
		k = len(b)
	}
	b[k] = struct{}{}
}

func isPointed(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			if isPointed(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Array:
		return t.Len() > 0 && isPointed(t.Elem())
	case reflect.String, reflect.Ptr, reflect.Map, reflect.Slice, reflect.Chan, reflect.Func, reflect.Interface, reflect.UnsafePointer:
		return true
	}
	return false
}

// What a group holds for a key or element, and whether that is a pointer to it.
func held(t reflect.Type) (reflect.Type, bool) {
	if t.Size() > 128 {
		return reflect.PtrTo(t), true
	}
	return t, false
}

func structOf(fields ...reflect.Type) reflect.Type {
	var list []reflect.StructField
	for i, t := range fields {
		list = append(list, reflect.StructField{Name: fmt.Sprint("F", i), Type: t})
	}
	return reflect.StructOf(list)
}

// The size of a group or bucket, as the runtime's description of them has it.
func groupSize(implementation string, key, element reflect.Type) uintptr {
	control := reflect.TypeOf(uint64(0))
	switch implementation {
	case "swiss":
		return structOf(control, reflect.ArrayOf(8, structOf(key, element))).Size()
	case "split":
		return structOf(control, reflect.ArrayOf(8, key), reflect.ArrayOf(8, element)).Size()
	}
	return structOf(control, reflect.ArrayOf(8, key), reflect.ArrayOf(8, element), reflect.TypeOf(uintptr(0))).Size()
}

func descriptor(value interface{}) uintptr { return *(*uintptr)(unsafe.Pointer(&value)) }

func main() {
	implementation := os.Args[1]
	fmt.Printf("main %#x\n", reflect.ValueOf(main).Pointer())
	for _, value := range types {
		t := reflect.TypeOf(value)
		key, keyIndirect := held(t.Key())
		element, elementIndirect := held(t.Elem())
		pointed := isPointed(key) || isPointed(element)
		fmt.Printf("type %#x %d %d %d %t %t %t %s\n", descriptor(value), t.Key().Size(), t.Elem().Size(),
			groupSize(implementation, key, element), pointed, keyIndirect, elementIndirect, t)
	}
	for _, value := range others {
		fmt.Printf("other %#x\n", descriptor(value))
	}
	for _, call := range calls {
		for _, passed := range call[1:] {
			fmt.Printf("call %s %s\n", call[0], passed)
		}
	}
	if len(os.Args) > 2 { // never: so that the linker keeps them
		assignString(nil, "")
		assignEntry(nil, "")
		assignNamed(nil, "")
		assignPointer(nil, nil)
		assignSmall(nil, nil)
		assignAny(nil, 1, 2)
		access(nil, "")
		accessTwice(nil, Key{})
		accessFat(nil, 1)
		remove(nil, 1)
		iterate(nil)
		empty(nil)
		create(len(os.Args))
		either(nil, nil, "")
		switched(nil, nil, len(os.Args))
		for _, use := range uses {
			use()
		}
	}
}

// Of other files.
var uses []func()
