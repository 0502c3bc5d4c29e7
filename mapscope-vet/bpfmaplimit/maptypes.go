// What the kernel asks of the limit of each map type, and what memory it takes.

package bpfmaplimit

// Numbers of enum bpf_map_type, include/uapi/linux/bpf.h; the same as cilium/ebpf's MapType on Linux.
const (
	typeHash                = 1
	typeArray               = 2
	typeProgramArray        = 3
	typePerCPUHash          = 5
	typePerCPUArray         = 6
	typeStackTrace          = 7
	typeCgroupArray         = 8
	typeLRUHash             = 9
	typeLRUPerCPUHash       = 10
	typeLPMTrie             = 11
	typeArrayOfMaps         = 12
	typeHashOfMaps          = 13
	typeDevMap              = 14
	typeSockMap             = 15
	typeXSKMap              = 17
	typeSockHash            = 18
	typeCgroupStorageOld    = 19
	typeReusePortSockArray  = 20
	typePerCPUCgroupStorage = 21
	typeQueue               = 22
	typeStack               = 23
	typeSkStorage           = 24
	typeDevMapHash          = 25
	typeRingBuf             = 27
	typeInodeStorage        = 28
	typeTaskStorage         = 29
	typeBloomFilter         = 30
	typeUserRingBuf         = 31
	typeCgroupStorage       = 32
)

const (
	flagNoPrealloc = 1    // BPF_F_NO_PREALLOC
	pageBytesMin   = 4096 // of all architectures that Go programs load BPF on
)

// Each refuses max_entries 0 with EINVAL, in its alloc_check or its alloc. Not in the list: those for which 0
// has a meaning, here or in the libraries, and those that nobody makes from a literal.
var needsLimit = map[int64]bool{
	typeHash: true, typeArray: true, typeProgramArray: true, typePerCPUHash: true, typePerCPUArray: true,
	typeStackTrace: true, typeCgroupArray: true, typeLRUHash: true, typeLRUPerCPUHash: true, typeLPMTrie: true,
	typeArrayOfMaps: true, typeHashOfMaps: true, typeDevMap: true, typeSockMap: true, typeXSKMap: true,
	typeSockHash: true, typeReusePortSockArray: true, typeQueue: true, typeStack: true, typeDevMapHash: true,
	typeRingBuf: true, typeBloomFilter: true, typeUserRingBuf: true,
}

// Their alloc_check wants 0: they grow with what they are attached to.
var hasNoLimit = map[int64]bool{
	typeCgroupStorageOld: true, typePerCPUCgroupStorage: true, typeSkStorage: true, typeInodeStorage: true,
	typeTaskStorage: true, typeCgroupStorage: true,
}

func isRing(mapType int64) bool { return mapType == typeRingBuf || mapType == typeUserRingBuf }

// mapSpec is what a literal says; -1: not there, or not a constant.
type mapSpec struct {
	mapType, keyBytes, valueBytes, entries, flags int64
}

// declaredBytes is the least that the kernel takes when such a map is made: keys and values, without what
// it needs to manage them. 0 where it takes memory only as entries come.
func (s mapSpec) declaredBytes(cpus int64) float64 {
	key, value, entries := atLeast(s.keyBytes), atLeast(s.valueBytes), atLeast(s.entries)
	switch s.mapType {
	case typeHash, typeLRUHash, typePerCPUHash, typeLRUPerCPUHash:
		if s.flags < 0 || s.flags&flagNoPrealloc != 0 {
			return 0
		}
		if s.isPerCPU() {
			value *= float64(cpus)
		}
		return entries * (key + value)
	case typeArray, typeQueue, typeStack:
		return entries * value
	case typePerCPUArray:
		return entries * value * float64(cpus)
	case typeRingBuf, typeUserRingBuf:
		return entries
	}
	return 0
}

func (s mapSpec) isPerCPU() bool {
	return s.mapType == typePerCPUHash || s.mapType == typeLRUPerCPUHash || s.mapType == typePerCPUArray
}

func atLeast(number int64) float64 {
	if number < 0 {
		return 0
	}
	return float64(number)
}
