// Package bpfmaplimit finds BPF maps that cilium/ebpf or libbpfgo would create without a limit, or with one
// that can't be meant.
package bpfmaplimit

const doc = `find BPF maps without a limit, and with limits that are absurd

A BPF map has the room that its creator declares. Without a limit the kernel refuses it when
the program starts, and too large a one is memory that is taken at once and never used:

	flows, err := ebpf.NewMap(&ebpf.MapSpec{
		Type:      ebpf.Hash,
		KeySize:   16,
		ValueSize: 64,              // reported: no MaxEntries
	})

Looked at are literals of github.com/cilium/ebpf.MapSpec whose Type and numbers are
constants:

	go-bpf-no-limit    no MaxEntries, or 0, and a type that needs it; also MaxEntries set to 0
	                   in a map of a collection, and SetMaxEntries(0) and Resize(0) of libbpfgo
	go-bpf-huge        keys and values of more than -max-bytes (1 GiB) where the kernel takes
	                   memory for all entries at once; per-CPU types times -cpus (128)
	go-bpf-wrong-size  a limit that the kernel refuses: ring buffers that are no power of two
	                   of at least 4096, a limit for a local storage, which has none

Types for which 0 is right are left alone: PerfEventArray and CPUMap get the number of CPUs
from the library, local storages must have 0.

Not reported is what may still be changed: literals that leave the package or are passed to
functions that are not of the library, and all that are not passed straight to it in a
package that sets a MaxEntries itself or lets other packages do it.`
