// Package perfbuffers has maps for which no limit is right, so that an assignment of 0 may be meant.
package perfbuffers

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/perf"
)

func load(collection *ebpf.CollectionSpec, events *ebpf.Map) {
	collection.Maps["events"].MaxEntries = 0
	perf.NewReader(events, 4096)
}
