// Package defects has each mistake once, in the forms in which people write it.
package defects

import (
	"unsafe"

	"github.com/cilium/ebpf"
)

type key struct{ a, b uint64 }

const none = 0

func direct() (*ebpf.Map, error) {
	return ebpf.NewMap(&ebpf.MapSpec{ // want `this map of type ebpf.Hash has no MaxEntries, and the kernel refuses it`
		Type:      ebpf.Hash,
		KeySize:   uint32(unsafe.Sizeof(key{})),
		ValueSize: 8,
	})
}

func zero() (*ebpf.Map, error) {
	return ebpf.NewMapWithOptions(&ebpf.MapSpec{Type: ebpf.LRUHash, KeySize: 4, ValueSize: 4, MaxEntries: none}, ebpf.MapOptions{PinPath: "/sys/fs/bpf"}) // want `ebpf.LRUHash has no MaxEntries`
}

func variable() (*ebpf.Map, error) {
	spec := &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4} // want `ebpf.Array has no MaxEntries`
	spec.Name = "counts"
	return ebpf.NewMap(spec)
}

func byValue() (*ebpf.Map, error) {
	spec := ebpf.MapSpec{Type: ebpf.Queue, ValueSize: 4} // want `ebpf.Queue has no MaxEntries`
	return ebpf.NewMap(&spec)
}

func inner() (*ebpf.Map, error) {
	return ebpf.NewMap(&ebpf.MapSpec{
		Type:       ebpf.HashOfMaps,
		KeySize:    4,
		MaxEntries: 16,
		InnerMap:   &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4}, // want `ebpf.Array has no MaxEntries`
	})
}

var collection = &ebpf.CollectionSpec{
	Maps: map[string]*ebpf.MapSpec{
		"flows":  {Type: ebpf.LPMTrie, KeySize: 8, ValueSize: 4, Flags: 1}, // want `ebpf.LPMTrie has no MaxEntries`
		"ring":   {Type: ebpf.RingBuf},                                     // want `ebpf.RingBuf has no MaxEntries`
		"events": {Type: ebpf.PerfEventArray},
	},
}

func load() (*ebpf.Collection, error) { return ebpf.NewCollection(collection) }

func spec() *ebpf.MapSpec {
	return &ebpf.MapSpec{Type: ebpf.SockHash, KeySize: 4, ValueSize: 4} // want `ebpf.SockHash has no MaxEntries`
}

func huge() {
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 64, ValueSize: 192, MaxEntries: 1 << 24})      // want `ebpf.Hash takes at least 4.0 GiB when it is created, used or not`
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 64, MaxEntries: 1 << 20}) // want `ebpf.PerCPUArray takes at least 8.0 GiB when it is created on 128 CPUs`
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: 1 << 31})                                // want `ebpf.RingBuf takes at least 2.0 GiB`
}

func wrongSize() {
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: 100_000})                                        // want `MaxEntries of ebpf.RingBuf is its size in bytes, and 100000 is no power of two`
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.UserRingbuf, MaxEntries: 1024})                                       // want `1024 is no power of two of at least a page`
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.TaskStorage, KeySize: 4, ValueSize: 4, Flags: 1, MaxEntries: 10_000}) // want `MaxEntries is 10000, and the kernel refuses a limit for ebpf.TaskStorage`
}
