// Package sizes knows how large maps have to be.
package sizes

import "github.com/cilium/ebpf"

func Set(spec *ebpf.MapSpec) { spec.MaxEntries = 1024 }
