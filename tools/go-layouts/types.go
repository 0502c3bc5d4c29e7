// Which structures the table holds.
package main

import "strings"

// A structure is in the table if some Go version has it under this name.
var wanted = set(`
	internal/abi.ArrayType internal/abi.ITab internal/abi.MapType internal/abi.Name
	internal/abi.OldMapType internal/abi.PtrType internal/abi.SliceType
	internal/abi.StructField internal/abi.StructType internal/abi.SwissMapType
	internal/abi.Type internal/abi.UncommonType
	internal/runtime/maps.Iter internal/runtime/maps.Map
	internal/runtime/maps.groupReference internal/runtime/maps.groupsReference
	internal/runtime/maps.table
	runtime._func runtime._type runtime.arenaHint runtime.arraytype runtime.bitvector runtime.bmap
	runtime.bucket runtime.consistentHeapStats runtime.eface runtime.functab runtime.funcval runtime.g
	runtime.gcControllerState runtime.gobuf runtime.heapArena runtime.heapStatsDelta runtime.hiter
	runtime.hmap runtime.inlinedCall runtime.itab runtime.m runtime.mProf runtime.mSpanList
	runtime.mapextra runtime.maptype runtime.mcache runtime.mcentral runtime.memRecord
	runtime.memRecordCycle runtime.mheap runtime.moduledata runtime.mspan runtime.mstats runtime.name
	runtime.p runtime.pageAlloc runtime.pcHeader runtime.ptrtype runtime.scavengeIndex runtime.schedt
	runtime.slicetype runtime.special runtime.specialprofile runtime.stack runtime.structfield
	runtime.structtype runtime.textsect runtime.uncommontype runtime.workType
`)

// Structures that are not taken apart inside others.
var leaves = set(`string runtime.mutex runtime.iface runtime.eface`)

// Variables whose type has no name of its own in old versions, and the name it got later.
var anonymous = map[string]string{"runtime.work": "runtime.workType", "runtime.mProf": "runtime.mProf"}

func set(names string) map[string]bool {
	members := map[string]bool{}
	for _, name := range strings.Fields(names) {
		members[name] = true
	}
	return members
}

// nestingMax is how many levels of structures inside `name` are taken apart.
func nestingMax(name string) int {
	switch name {
	case "runtime.mheap":
		return 3
	case "runtime.mstats", "runtime.workType":
		return 2
	}
	return 1
}
