// types makes maps of many types and sizes, and prints of each what a census has to find:
//
//	map ADDRESS len 0 0 TYPE
//	bytes COUNT          what the maps added to HeapAlloc
//	ready                then it waits for the end of standard input
//
// With -large it makes only maps whose keys or elements are held by pointer, and nothing else. With
// -mutate N, so many goroutines fill and empty these maps for ever, so that lengths are not true.
package main

import (
	"bufio"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"

	"mapscope.dev/workloads/truth"
)

type (
	id     int
	name   string
	names  map[string]struct{}
	point  struct{ X, Y int32 }
	padded struct {
		A int8
		B int64
		C int8
	}
	labelled struct {
		Name string
		At   point
	}
	list struct {
		Next  *list
		Value int
	}
	shape interface{ Area() float64 }
	cube  struct{ Side float64 }
	large [25]int64
	huge  [40]byte
)

func (c cube) Area() float64 { return 6 * c.Side * c.Side }

var prototypes = []interface{}{
	map[int]int{}, map[int]uint{}, map[int]string{}, map[int]bool{}, map[int]*int{}, map[int]float64{},
	map[int]struct{}{}, map[int][]byte{}, map[int]interface{}{}, map[id]int{}, map[int8]int8{},
	map[int16]int16{}, map[int32]uint8{}, map[int32]bool{}, map[uint32]uint32{}, map[uint64]bool{},
	map[uint8]string{}, map[bool]int{}, map[uintptr]point{}, map[string]int{}, map[string]uint8{},
	map[string]bool{}, map[string]string{}, map[string]*int{}, map[string]*point{}, map[string][]string{},
	map[string]interface{}{}, map[string]struct{}{}, names{}, map[name]struct{}{}, map[name]int{},
	map[string]map[string]int{}, map[string]names{}, map[string]padded{}, map[string]labelled{},
	map[string]func(){}, map[string]chan int{}, map[interface{}]int{}, map[interface{}]string{},
	map[shape]int{}, map[*point]bool{}, map[*list]int{}, map[chan int]string{}, map[point]int{},
	map[point]string{}, map[padded]int{}, map[labelled]int{}, map[[2]string]int{}, map[[4]byte]uint16{},
	map[[3]int32]int{}, map[float64]int{}, map[float32]float32{}, map[complex128]int{}, map[int]list{},
	map[huge]int{}, map[int]huge{}, map[reflect.Kind]int{}, map[int32]*large{}, map[string]error{},
}

// Keys or elements above 128 bytes are held by pointer.
var largePrototypes = []interface{}{
	map[int32]large{}, map[int]large{}, map[large]int{}, map[large]large{}, map[int][18]int64{}, map[[17]int64]bool{},
}

var pointers = make([]int, 4096)

// value is the i-th of a type.
func value(t reflect.Type, i int) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Bool:
		v.SetBool(i%2 == 1)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(i) * 31)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(uint64(i) * 31)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(i) / 2)
	case reflect.Complex128:
		v.SetComplex(complex(float64(i), 1))
	case reflect.String:
		v.SetString("value-" + strconv.Itoa(i))
	case reflect.Ptr:
		if t.Elem().Kind() == reflect.Int {
			v.Set(reflect.ValueOf(&pointers[i%len(pointers)]))
		} else {
			v.Set(reflect.New(t.Elem()))
		}
	case reflect.Chan:
		v.Set(reflect.MakeChan(t, 0))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(t, 1, 2+i%3))
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
	case reflect.Array:
		for j := 0; j < t.Len(); j++ {
			v.Index(j).Set(value(t.Elem(), i+j))
		}
	case reflect.Struct:
		for j := 0; j < t.NumField(); j++ {
			v.Field(j).Set(value(t.Field(j).Type, i+j))
		}
	case reflect.Interface:
		if t.NumMethod() == 1 && t.Name() == "shape" {
			v.Set(reflect.ValueOf(cube{float64(i)}))
		} else if t.NumMethod() == 0 {
			boxed := []interface{}{i, "boxed-" + strconv.Itoa(i), float64(i), point{int32(i), 1}, i%2 == 0}
			v.Set(reflect.ValueOf(boxed[i%len(boxed)]))
		}
	}
	return v
}

// fill sets the keys from..to, where the type has as many.
func fill(m reflect.Value, from, to int) {
	for i := from; i < to; i++ {
		m.SetMapIndex(value(m.Type().Key(), i), value(m.Type().Elem(), i))
	}
}

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

var sizes = []int{0, 1, 2, 3, 5, 7, 8, 9, 20, 60, 200, 1000}

var maps []reflect.Value

func makeMaps(prototypes []interface{}) {
	for _, prototype := range prototypes {
		t := reflect.TypeOf(prototype)
		for _, n := range sizes {
			m := reflect.MakeMap(t)
			fill(m, 0, n)
			maps = append(maps, m)
		}
		// Emptied, half emptied, and made for more than it gets.
		for _, kept := range []int{0, 5} {
			m := reflect.MakeMap(t)
			fill(m, 0, 100)
			for i := kept; i < 100; i++ {
				m.SetMapIndex(value(t.Key(), i), reflect.Value{})
			}
			maps = append(maps, m)
		}
		m := reflect.MakeMapWithSize(t, 300)
		fill(m, 0, 3)
		maps = append(maps, m)
	}
}

// mutate changes every step-th of the maps for ever; no two goroutines have the same one.
func mutate(first, step int) {
	for round := 0; ; round++ {
		for i := first; i < len(maps); i += step {
			n := 1 + (round*7+i)%40
			fill(maps[i], 0, n)
			for j := n / 4; j < n; j++ {
				maps[i].SetMapIndex(value(maps[i].Type().Key(), j), reflect.Value{})
			}
		}
	}
}

func main() {
	mutators := truth.Int("mutate", 0)
	isLarge := truth.Switch("large")
	debug.SetGCPercent(-1)
	maps = make([]reflect.Value, 0, 4096)
	if isLarge {
		makeMaps(largePrototypes) // what reflect allocates itself the first time must not count
		maps = make([]reflect.Value, 0, 4096)
	}
	heapBytes()
	before := heapBytes()
	if isLarge {
		for i := 0; i < 40; i++ { // so many that a thread that the runtime starts meanwhile does not matter
			makeMaps(largePrototypes)
		}
	} else {
		makeMaps(append(prototypes, largePrototypes...))
		makeGenericMaps()
	}
	bytes := heapBytes() - before
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	for _, m := range maps {
		out.WriteString("map " + strconv.FormatUint(uint64(m.Pointer()), 16) + " " + strconv.Itoa(m.Len()) +
			" 0 0 " + m.Type().String() + "\n")
	}
	out.WriteString("bytes " + strconv.FormatUint(bytes, 10) + "\nready\n")
	if mutators > 0 {
		debug.SetGCPercent(100)
	}
	for i := 0; i < mutators; i++ {
		go mutate(i, mutators)
	}
	out.Flush()
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(maps)
}
