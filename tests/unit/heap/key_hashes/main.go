// key_hashes has maps of many key types, and says of each what its hash function answers: what a
// reader of its memory has to compute. It calls these functions through the descriptors of the
// maps, and finds out the rest by reflect.
//
// Lines, then "ready"; it ends with its input. Addresses are hexadecimal.
//
//	hash TYPE MAKER KEY SEED HASH     of the key at that address; MAKER is compiler or reflect
//	nan TYPE KEY                      a key without a hash that stays
//	map TYPE HEADER LEN               at most eight entries, in one group or bucket
//	type TYPE KEYBYTES ELEMENTBYTES KEYPADDING ELEMENTPADDING NAME
//	field TYPE INDEX OFFSET BYTES NAME FIELDTYPE      of a key that is a struct
//	mask DESCRIPTOR BITS              of a group: which words are pointers
package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"unsafe"
)

type Number int16

type Text string

type Padded struct {
	Low  int8
	High int64
	Last int16
}

type Neighbours struct {
	A, B int32
	Name string
	C    int8
	D    int16
}

type Blank struct {
	First  int64
	_      int32
	Second int32
	_      string
	Third  uint16
}

type Floats struct {
	X, Y float64
	N    int32
	Z    float32
}

type Inner struct {
	Text string
	Code int32
}

type Outer struct {
	Before int32
	Inner
	After   int32
	Beyond  int64
	Nothing struct{}
}

type InnerWords struct{ A, B int32 }

type OuterWords struct {
	InnerWords
	C    int64
	Text string
	D    InnerWords
	E    int8
}

type Holder struct {
	Value interface{}
	Code  int16
}

type Single struct{ Only string }

type Elements [3]Neighbours

type Large struct {
	Words [20]int64
	Name  string
}

func (n Number) String() string  { return "number" }
func (p *Padded) String() string { return "padded" }
func (i Inner) String() string   { return "inner" }
func (s Single) String() string  { return "single" }

func text(length int) string {
	return strings.Repeat("the quick brown fox jumps over it. ", length/35+1)[:length]
}

var padded = &Padded{1, 2, 3}
var channel = make(chan int)
var number = 77

// Keys by map; elements are all alike.
func maps() []interface{} {
	const pattern = 0xa5a5a5a5a5a5a5a5
	list := []interface{}{
		map[int8]uint64{-5: pattern, 7: pattern},
		map[uint8]uint64{200: pattern},
		map[bool]uint64{true: pattern, false: pattern},
		map[int16]uint64{-300: pattern, 300: pattern},
		map[uint16]uint8{65000: 0xa5},
		map[int32]uint64{-70000: pattern, 70000: pattern, 0: pattern},
		map[uint32]uint8{4000000000: 0xa5, 1: 0xa5},
		map[int64]uint64{math.MinInt64: pattern, 1: pattern, -1: pattern},
		map[uint64]uint8{math.MaxUint64: 0xa5, 2: 0xa5},
		map[int]struct{}{1: {}, 2: {}, 3: {}, 4: {}, 5: {}, 6: {}, 7: {}, 8: {}},
		map[uintptr]uint64{9: pattern},
		map[Number]uint64{12: pattern},
		map[Text]uint64{"text": pattern},
		map[float32]uint64{1.5: pattern, 0: pattern, float32(math.Inf(1)): pattern, 1e-40: pattern},
		map[float64]uint64{1.5: pattern, 0: pattern, math.Copysign(0, -1): pattern, -3e300: pattern},
		map[complex64]uint64{complex(1, 0): pattern, complex(0, 2): pattern, 0: pattern},
		map[complex128]uint64{complex(1, -2): pattern, complex(0, 2): pattern},
		map[*Padded]uint64{padded: pattern, nil: pattern},
		map[chan int]uint64{channel: pattern},
		map[unsafe.Pointer]uint64{unsafe.Pointer(padded): pattern},
		map[struct{}]uint64{{}: pattern},
		map[[0]string]uint64{{}: pattern},
		map[[1]string]uint64{{"one"}: pattern},
		map[[3]string]uint64{{"one", "", text(40)}: pattern},
		map[[7]string]uint64{{"one", "", text(40), "4", "5", "6", text(130)}: pattern},
		map[[2]int16]uint64{{1, 2}: pattern},
		map[[3]int16]uint64{{1, 2, 3}: pattern},
		map[[17]byte]uint64{{1, 16: 17}: pattern},
		map[[16]byte]uint64{{1, 15: 16}: pattern},
		map[[33]byte]uint64{{1, 32: 33}: pattern},
		map[[100]byte]uint64{{1, 99: 33}: pattern},
		map[[128]byte][128]byte{{1, 127: 33}: {}},
		map[[129]byte]uint64{{1, 128: 33}: pattern, {2, 128: 34}: pattern},
		map[[300]byte]uint64{{1, 200: 33}: pattern},
		map[int][200]byte{5: {}},
		map[[3]float32]uint64{{1, 0, 3}: pattern},
		map[[9]float64]uint64{{1, 0, 3, 8: 9}: pattern},
		map[Padded]uint64{{1, 2, 3}: pattern, {-1, -2, -3}: pattern},
		map[Neighbours]uint64{{1, 2, "name", 3, 4}: pattern},
		map[Blank]uint64{{First: 1, Second: 2, Third: 3}: pattern},
		map[Floats]uint64{{1, 0, 3, 4}: pattern, {0, 1.5, 3, 0}: pattern},
		map[Inner]uint64{{"inner", 9}: pattern},
		map[Outer]uint64{{1, Inner{"inner", 9}, 3, 4, struct{}{}}: pattern},
		map[OuterWords]uint64{{InnerWords{1, 2}, 3, "text", InnerWords{4, 5}, 6}: pattern},
		map[Single]uint64{{"only"}: pattern},
		map[Elements]uint64{{{1, 2, "a", 3, 4}, {5, 6, "b", 7, 8}, {9, 10, "", 11, 12}}: pattern},
		map[[4]InnerWords]uint64{{{1, 2}, {3, 4}, {5, 6}, {7, 8}}: pattern},
		map[[5]Padded]uint64{{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}, {13, 14, 15}}: pattern},
		map[[6]struct {
			A int8
			F float32
			B int16
		}]uint64{{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}, {13, 0, 15}, {16, 17, 18}}: pattern},
		map[[7]struct {
			A int32
			F float32
			B int32
		}]uint64{{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}, {13, 0, 15}, {16, 17, 18}, {19, 20, 21}}: pattern},
		map[struct {
			A    int64
			None [0]string
			B, C int32
		}]uint64{{A: 1, B: 2, C: 3}: pattern},
		map[[2][3]Single]uint64{{{{"a"}, {"b"}}, {{"c"}, {""}, {"d"}}}: pattern},
		map[Large]uint64{{Name: "large"}: pattern},
		map[struct {
			A    int32
			Zero struct{}
		}]uint64{{A: 1}: pattern},
		map[interface{}]uint64{1: pattern, "text": pattern, padded: pattern, *padded: pattern,
			1.5: pattern, Number(3): pattern, nil: pattern, Neighbours{1, 2, "n", 3, 4}: pattern},
		map[interface{}]uint8{int8(3): 1, [2]string{"a", text(60)}: 2, Holder{Holder{"x", 3}, 4}: 3,
			struct{}{}: 4, float32(0): 5, true: 6, Single{"s"}: 7, Holder{Number(3), 9}: 8},
		map[Holder]uint64{{"value", 3}: pattern, {Inner{"inner", 4}, 5}: pattern, {nil, 6}: pattern},
		map[fmt.Stringer]uint64{Number(3): pattern, padded: pattern, Inner{"inner", 4}: pattern,
			Single{"single"}: pattern},
		map[error]uint64{nil: pattern},
	}
	for length := 0; length <= 200; length += 8 {
		keys := map[string]uint64{}
		for i := 0; i < 8; i++ {
			keys[text(length+i)] = pattern
		}
		list = append(list, keys)
	}
	return list
}

type value struct {
	Type, Data unsafe.Pointer
}

// The hash function of a map type, at the same place in all releases: runtime.maptype.hasher.
func hasher(mapType unsafe.Pointer) func(unsafe.Pointer, uintptr) uintptr {
	word := *(*unsafe.Pointer)(unsafe.Pointer(uintptr(mapType) + 72))
	return *(*func(unsafe.Pointer, uintptr) uintptr)(unsafe.Pointer(&word))
}

func padding(t reflect.Type) uintptr {
	switch t.Kind() {
	case reflect.Array:
		return uintptr(t.Len()) * padding(t.Elem())
	case reflect.Struct:
		left := t.Size()
		for i := 0; i < t.NumField(); i++ {
			left -= t.Field(i).Type.Size() - padding(t.Field(i).Type)
		}
		return left
	}
	return 0
}

func describe(out *bufio.Writer, mapType unsafe.Pointer, t reflect.Type) {
	key, elem := t.Key(), t.Elem()
	fmt.Fprintf(out, "type %x %d %d %d %d %s\n", mapType, key.Size(), elem.Size(), padding(key),
		padding(elem), t)
	for i := 0; key.Kind() == reflect.Struct && i < key.NumField(); i++ {
		field := key.Field(i)
		fmt.Fprintf(out, "field %x %d %d %d %s %s\n", mapType, i, field.Offset, field.Type.Size(),
			field.Name, field.Type)
	}
}

// The mask of a group's or bucket's pointers, where its descriptor holds one: no program of the
// collector (a bit of the kind until 1.23), not made on demand (a flag from 1.24 on).
func mask(out *bufio.Writer, mapType unsafe.Pointer, isOnDemand bool) {
	group := *(*unsafe.Pointer)(unsafe.Pointer(uintptr(mapType) + 64))
	kind := *(*uint8)(unsafe.Pointer(uintptr(group) + 23))
	flags := *(*uint8)(unsafe.Pointer(uintptr(group) + 20))
	words := *(*uintptr)(unsafe.Pointer(uintptr(group) + 8)) / 8
	if words == 0 || !isOnDemand && kind&64 != 0 || isOnDemand && flags&16 != 0 {
		return
	}
	bits := *(*unsafe.Pointer)(unsafe.Pointer(uintptr(group) + 32))
	fmt.Fprintf(out, "mask %x ", group)
	for i := uintptr(0); i < words; i++ {
		fmt.Fprint(out, *(*uint8)(unsafe.Pointer(uintptr(bits) + i/8))>>(i%8)&1)
	}
	fmt.Fprintln(out)
}

var kept []interface{} // so that every key stays where it was said to be

func hash(out *bufio.Writer, mapType unsafe.Pointer, maker string, key reflect.Value) {
	place := reflect.New(key.Type())
	place.Elem().Set(key)
	kept = append(kept, place.Interface())
	address := unsafe.Pointer(place.Pointer())
	for _, seed := range []uintptr{0, 1, 0xdeadbeef, 0x0123456789abcdef} {
		fmt.Fprintf(out, "hash %x %s %x %x %x\n", mapType, maker, address, seed,
			hasher(mapType)(address, seed))
	}
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	isOnDemand := len(os.Args) > 1 && os.Args[1] == "on-demand"
	for _, m := range maps() {
		v := reflect.ValueOf(m)
		eface := *(*value)(unsafe.Pointer(&m))
		describe(out, eface.Type, v.Type())
		mask(out, eface.Type, isOnDemand)
		fmt.Fprintf(out, "map %x %x %d\n", eface.Type, eface.Data, v.Len())
		for _, key := range v.MapKeys() {
			hash(out, eface.Type, "compiler", key)
		}
		kept = append(kept, m)
	}
	nan := math.NaN()
	var m interface{} = map[float64]uint64{}
	kept = append(kept, &nan)
	fmt.Fprintf(out, "nan %x %x\n", (*value)(unsafe.Pointer(&m)).Type, unsafe.Pointer(&nan))

	// No such types are in the executable.
	for _, key := range []interface{}{Neighbours{1, 2, "name", 3, 4}, uint16(7), "text", [200]byte{}} {
		made := reflect.MakeMap(reflect.MapOf(reflect.TypeOf(key), reflect.TypeOf([5]complex64{})))
		made.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf([5]complex64{}))
		m := made.Interface()
		eface := *(*value)(unsafe.Pointer(&m))
		describe(out, eface.Type, made.Type())
		fmt.Fprintf(out, "map %x %x %d\n", eface.Type, eface.Data, made.Len())
		hash(out, eface.Type, "reflect", reflect.ValueOf(key))
		kept = append(kept, m)
	}
	fmt.Fprintln(out, "ready")
	out.Flush()
	bufio.NewReader(os.Stdin).ReadByte()
	fmt.Fprintln(os.Stderr, len(kept), number) // all of it lives until now
}
