// What the runtime itself counts of its heap, read from its variables without stopping it.
#pragma once

#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"
#include "flow/process_sample.h"
#include "heap/runtime_data.h"
#include "heap/span_table.h"

namespace mapscope {

// Everything that the layout and the anchors allow; what contradicts itself is absent, not wrong.
// `spans` must just have been read: size classes and allocated bytes are theirs.
// Errors: as AddressSpace::read. Go source: runtime/mstats.go, runtime/mgcpacer.go.
Result<HeapStatistics> read_heap_statistics(AddressSpace &space, const HeapAnchors &anchors,
                                            const HeapRoot &root, const BinaryFacts &facts,
                                            const SpanTable &spans);

// Each size class that has a span, large objects first, those with pointers before the others.
std::vector<SizeClassUse> size_class_use(const SpanTable &spans);

} // namespace mapscope
