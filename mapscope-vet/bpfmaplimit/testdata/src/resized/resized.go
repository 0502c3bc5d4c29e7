// Package resized takes limits away.
package resized

import (
	"github.com/aquasecurity/libbpfgo"
	"github.com/cilium/ebpf"
)

func load(collection *ebpf.CollectionSpec, flows *libbpfgo.BPFMap, entries uint32) {
	collection.Maps["flows"].MaxEntries = 0 // want `collection.Maps\["flows"\] loses its limit`
	collection.Maps["other"].MaxEntries = entries
	collection.Maps["other"].MaxEntries = 1024
	flows.SetMaxEntries(0) // want `flows.SetMaxEntries\(0\) takes the limit away`
	flows.Resize(0)        // want `flows.Resize\(0\) takes the limit away`
	flows.SetMaxEntries(entries)
}
