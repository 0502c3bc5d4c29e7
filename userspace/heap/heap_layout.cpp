// Takes the offsets by name; one that is missing or absurd makes the whole layout unusable.
#include "heap/heap_layout.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "go/unknown_release.h"

namespace mapscope {
namespace {

// A structure of the runtime and its fields. Remembers the first thing that was wrong.
class Structure {
public:
  Structure(const RuntimeLayout &layout, std::string_view name, std::uint32_t size_max)
      : layout_(layout), name_(name), size_(layout.find(name).value_or(0)) {
    if (size_ == 0 || size_ > size_max)
      problem_ = name_;
  }

  std::uint32_t size() const { return size_; }

  // The offset of a field of that many bytes.
  std::uint32_t operator()(std::string_view field, std::uint32_t bytes) {
    std::string path = name_ + "." + std::string(field);
    auto offset = layout_.find(path);
    if (offset && bytes <= size_ && *offset <= size_ - bytes)
      return *offset;
    if (problem_.empty())
      problem_ = std::move(path);
    return 0;
  }

  std::optional<std::uint32_t> find(std::string_view field) const {
    auto offset = layout_.find(name_ + "." + std::string(field));
    return offset && *offset <= size_ - 8 ? offset : std::nullopt;
  }

  Result<> check() const {
    if (!problem_.empty())
      return fail(Errc::unsupported, "the layout of this Go runtime lacks {}", problem_);
    return {};
  }

private:
  const RuntimeLayout &layout_;
  std::string name_;
  std::uint32_t size_;
  std::string problem_;
};

// No structure of the runtime that the census reads is larger.
constexpr std::uint32_t kStructureBytesMax = 16 << 20;
constexpr std::uint32_t kSmallStructureBytesMax = 256; // buffers on the stack hold these

Result<> read_heap(const RuntimeLayout &layout, HeapLayout &into) {
  Structure mheap(layout, "runtime.mheap", kStructureBytesMax);
  into.mheap = {.size = mheap.size(),
                .sweepgen = mheap("sweepgen", 4),
                .allspans = mheap("allspans", 24),
                .arenas = mheap("arenas", 8)};
  TRY(mheap.check());

  Structure span(layout, "runtime.mspan", kSmallStructureBytesMax);
  into.span = {.size = span.size(),
               .start = span("startAddr", 8),
               .npages = span("npages", 8),
               .freeindex = span("freeindex", 2),
               .nelems = span("nelems", 2),
               .alloc_bits = span("allocBits", 8),
               .mark_bits = span("gcmarkBits", 8),
               .sweepgen = span("sweepgen", 4),
               .alloc_count = span("allocCount", 2),
               .spanclass = span("spanclass", 1),
               .state = span("state", 1),
               .elemsize = span("elemsize", 8),
               .large_type = span.find("largeType")};
  TRY(span.check());
  // The two lie side by side, so their distance is their size.
  into.span.index_bytes = into.span.nelems - into.span.freeindex;
  if (into.span.index_bytes != 2 && into.span.index_bytes != 8)
    return fail(Errc::unsupported, "runtime.mspan.freeindex has {} bytes", into.span.index_bytes);

  Structure arena(layout, "runtime.heapArena", kStructureBytesMax);
  into.arena_spans = arena("spans", 8192 * 8);
  auto bitmap = arena.find("bitmap");
  into.arena_bitmap = bitmap.value_or(0);
  into.pointer_bitmap = !bitmap                    ? PointerBitmap::in_span
                        : arena.find("noMorePtrs") ? PointerBitmap::arena_one_bit
                                                   : PointerBitmap::arena_two_bits;
  return arena.check();
}

Result<> read_swiss(const RuntimeLayout &layout, HeapLayout &into) {
  Structure map(layout, "internal/runtime/maps.Map", 48);
  Structure table(layout, "internal/runtime/maps.table", 32);
  into.header_size = map.size();
  into.swiss = {.used = map("used", 8),
                .seed = map("seed", 8),
                .dir_ptr = map("dirPtr", 8),
                .dir_len = map("dirLen", 8),
                .global_depth = map("globalDepth", 1),
                .global_shift = map("globalShift", 1),
                .writing = map("writing", 1),
                .clear_seq = map("clearSeq", 8),
                .table_size = table.size(),
                .table_used = table("used", 2),
                .table_capacity = table("capacity", 2),
                .table_growth_left = table("growthLeft", 2),
                .table_local_depth = table("localDepth", 1),
                .table_index = table("index", 8),
                .table_groups = table("groups.data", 8),
                .table_length_mask = table("groups.lengthMask", 8)};
  TRY(map.check());
  return table.check();
}

Result<> read_classic(const RuntimeLayout &layout, HeapLayout &into) {
  Structure map(layout, "runtime.hmap", 64);
  Structure extra(layout, "runtime.mapextra", 64);
  into.header_size = map.size();
  into.classic = {.count = map("count", 8),
                  .flags = map("flags", 1),
                  .b = map("B", 1),
                  .noverflow = map("noverflow", 2),
                  .hash0 = map("hash0", 4),
                  .buckets = map("buckets", 8),
                  .oldbuckets = map("oldbuckets", 8),
                  .nevacuate = map("nevacuate", 8),
                  .extra = map("extra", 8),
                  .clear_seq = map.find("clearSeq"),
                  .extra_size = extra.size(),
                  .extra_overflow = extra("overflow", 8),
                  .extra_oldoverflow = extra("oldoverflow", 8)};
  TRY(map.check());
  return extra.check();
}

} // namespace

Result<HeapLayout> HeapLayout::from(const BinaryFacts &facts) {
  // Go 1.22 alone could be built so; the bitmap then lies where no release has it.
  if (std::ranges::find(facts.experiments, "noallocheaders") != facts.experiments.end())
    return fail(Errc::unsupported, "the heap of a GOEXPERIMENT=noallocheaders build is not read");
  if (std::string gap = missing_layout(facts); !gap.empty())
    return fail(Errc::unsupported, "{}", gap);
  HeapLayout layout;
  layout.machine = facts.machine;
  layout.maps = facts.map_implementation;
  TRY(read_heap(facts.layout, layout));
  switch (facts.map_implementation) {
  case MapImplementation::swiss:
    TRY(read_swiss(facts.layout, layout));
    break;
  case MapImplementation::classic:
    TRY(read_classic(facts.layout, layout));
    break;
  case MapImplementation::none:
    return fail(Errc::unsupported, "this program has no maps that mapscope knows");
  }
  // The size decides the size class that headers are looked for in.
  if (layout.header_size != 48 && layout.header_size != 56)
    return fail(Errc::unsupported, "a map header of {} bytes", layout.header_size);
  return layout;
}

} // namespace mapscope
