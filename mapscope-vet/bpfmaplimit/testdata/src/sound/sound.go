// Package sound has what looks like a mistake and is none.
package sound

import "github.com/cilium/ebpf"

// Exported can be given a limit by whoever uses it.
var Exported = &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4}

// Spec as well.
func Spec() *ebpf.MapSpec { return &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4} }

type table struct{ spec *ebpf.MapSpec }

func limited(entries uint32, kind ebpf.MapType) {
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4, MaxEntries: 1024})
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4, MaxEntries: entries})
	ebpf.NewMap(&ebpf.MapSpec{Type: kind, KeySize: 4, ValueSize: 4})
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: 1 << 24})
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: pageBytes()})
}

func pageBytes() uint32 { return 4096 }

func noLimitNeeded() {
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.PerfEventArray})
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.CPUMap, KeySize: 4, ValueSize: 4})
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.TaskStorage, KeySize: 4, ValueSize: 4, Flags: 1})
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.CGroupStorage, KeySize: 8, ValueSize: 4})
}

// Memory is taken as entries come.
func sparse() {
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 64, ValueSize: 192, MaxEntries: 1 << 24, Flags: 1})
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.LPMTrie, KeySize: 64, ValueSize: 192, MaxEntries: 1 << 24, Flags: 1})
}

func elsewhere(send chan *ebpf.MapSpec, register func(*ebpf.MapSpec)) *table {
	register(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4})
	send <- &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4}
	template := ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4}
	named := template
	_ = named
	_ = (&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4}).Copy()
	return &table{spec: &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4}}
}
