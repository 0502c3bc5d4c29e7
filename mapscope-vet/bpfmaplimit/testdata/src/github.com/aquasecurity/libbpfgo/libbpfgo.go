// Package libbpfgo declares of aquasecurity/libbpfgo what the tests name; nothing in it works.
package libbpfgo

type BPFMap struct{}

func (m *BPFMap) SetMaxEntries(maxEntries uint32) error { return nil }
func (m *BPFMap) Resize(maxEntries uint32) error        { return nil }
