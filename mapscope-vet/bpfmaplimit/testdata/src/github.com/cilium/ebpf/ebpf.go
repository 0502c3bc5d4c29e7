// Package ebpf declares of cilium/ebpf what the tests name; nothing in it works.
package ebpf

type MapType uint32

const (
	UnspecifiedMap MapType = iota
	Hash
	Array
	ProgramArray
	PerfEventArray
	PerCPUHash
	PerCPUArray
	StackTrace
	CGroupArray
	LRUHash
	LRUCPUHash
	LPMTrie
	ArrayOfMaps
	HashOfMaps
	DevMap
	SockMap
	CPUMap
	XSKMap
	SockHash
	CGroupStorage
	ReusePortSockArray
	PerCPUCGroupStorage
	Queue
	Stack
	SkStorage
	DevMapHash
	StructOpsMap
	RingBuf
	InodeStorage
	TaskStorage
	BloomFilter
	UserRingbuf
	CgroupStorage
	Arena
)

type MapSpec struct {
	Name                                  string
	Type                                  MapType
	KeySize, ValueSize, MaxEntries, Flags uint32
	InnerMap                              *MapSpec
}

func (ms *MapSpec) Copy() *MapSpec { return ms }

type (
	Map            struct{}
	MapOptions     struct{ PinPath string }
	Collection     struct{}
	CollectionSpec struct{ Maps map[string]*MapSpec }
)

func NewMap(spec *MapSpec) (*Map, error)                          { return nil, nil }
func NewMapWithOptions(spec *MapSpec, o MapOptions) (*Map, error) { return nil, nil }
func NewCollection(spec *CollectionSpec) (*Collection, error)     { return nil, nil }
func (m *Map) Update(key, value any) error                        { return nil }
