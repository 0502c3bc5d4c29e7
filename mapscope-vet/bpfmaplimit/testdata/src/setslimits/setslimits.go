// Package setslimits gives its maps their limits after it made their descriptions.
package setslimits

import "github.com/cilium/ebpf"

var flows = &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4}

func load(entries uint32) {
	spec := &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4}
	if entries > 0 {
		spec.MaxEntries = entries
	}
	ebpf.NewMap(spec)
	flows.MaxEntries = entries
	ebpf.NewMap(flows)
	ebpf.NewMap(sized(unsized(), entries))
}

func unsized() *ebpf.MapSpec { return &ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4} }

func sized(spec *ebpf.MapSpec, entries uint32) *ebpf.MapSpec {
	spec.MaxEntries = entries
	return spec
}

// What goes straight to the library can't have got one.
func straight() {
	ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: 4}) // want `ebpf.Hash has no MaxEntries`
}
