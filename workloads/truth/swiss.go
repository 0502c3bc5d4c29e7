//go:build go1.26 || goexperiment.swissmap

// What a swiss map says about itself, read from its header.

package truth

import "unsafe"

// internal/runtime/maps.Map and table (map.go, table.go; the same in all of 1.24 to 1.27).
type swissMap struct {
	used         uint64
	seed         uintptr
	directory    unsafe.Pointer // of tables; of one group while directoryLen is 0
	directoryLen int
	globalDepth  uint8
}

type swissTable struct {
	used       uint16
	capacity   uint16
	growthLeft uint16
	localDepth uint8
	index      int
}

// growToTable makes the first table of 2 * abi.MapGroupSlots slots; one of 1024 is split, not doubled.
const firstTableSlots = 16

// Map watches one map. Swiss tables never shrink and never merge, and the directory maps the top
// bits of the hash to them. So the tables a map began with and those it has now tell exactly
// how often one was doubled and how often one was split, whatever was deleted in between.
type Map struct {
	header       *swissMap
	tables       int // when watching began; 0: at most one group
	slotsOfTable int
}

// Watch begins to watch a map.
func Watch(m interface{}) Map {
	header := headerOf(m)
	w := Map{header: header, tables: header.directoryLen, slotsOfTable: firstTableSlots}
	if w.tables > 0 {
		w.slotsOfTable = int(header.table(0).capacity)
	}
	return w
}

// WatchLocal is Watch: the directory moves with the stack like any pointer.
func WatchLocal(m interface{}) Map { return Watch(m) }

// Wrote has to follow every write to the map. Only classic maps need it.
func (w *Map) Wrote() {}

func (w *Map) growths() (grown, split int) {
	h := w.header
	roots := w.tables
	if roots == 0 {
		if h.directoryLen == 0 {
			return 0, 0
		}
		roots, grown = 1, 1 // growToTable
	}
	// Each table of the beginning is the root of what its share of the directory holds now.
	share := h.directoryLen / roots
	for root := 0; root < roots; root++ {
		tables, slots := h.tablesIn(root*share, share)
		grown += doublings(w.slotsOfTable, slots)
		split += tables - 1
	}
	return grown, split
}

// tablesIn counts the distinct tables of a part of the directory, and tells the slots that the
// first of them came to have (more than one table: all have the maximum). Entries of one table
// follow each other.
func (m *swissMap) tablesIn(first, count int) (tables, slots int) {
	var last *swissTable
	for i := first; i < first+count; i++ {
		if t := m.table(i); t != last {
			last = t
			tables++
			slots = int(t.capacity)
		}
	}
	return tables, slots
}

func (m *swissMap) table(i int) *swissTable {
	return *(**swissTable)(unsafe.Pointer(uintptr(m.directory) + uintptr(i)*unsafe.Sizeof(m.directory)))
}

func doublings(from, to int) (count int) {
	for ; from < to; from *= 2 {
		count++
	}
	return count
}

// A map is a pointer, so it is the data word of its interface.
func headerOf(m interface{}) *swissMap {
	return (*swissMap)((*[2]unsafe.Pointer)(unsafe.Pointer(&m))[1])
}
