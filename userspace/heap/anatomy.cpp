// Reads one map back to back until it agrees with itself, then goes through what was read.
#include "heap/anatomy.h"

#include <optional>
#include <utility>
#include <vector>

#include "heap/anatomy_walk.h"
#include "heap/bulk_read.h"
#include "heap/classic.h"
#include "heap/group_size.h"
#include "heap/kept_memory.h"
#include "heap/payload.h"
#include "heap/stack_header.h"
#include "heap/swiss.h"

namespace mapscope {
namespace {

// What is larger is read twice, and may then have changed.
constexpr std::uint64_t kKeptBytesMax = 1 << 28;
// 4 million tables, or 16 GiB of buckets.
constexpr std::uint64_t kDirectoryBytesMax = 1 << 25, kBucketBytesMax = 1ULL << 34;
// Stacks have up to 1 GiB (runtime/proc.go, maxstacksize), so no group is further off.
constexpr std::uint64_t kStackBytesMax = 1 << 30;

class Anatomist {
public:
  Anatomist(AddressSpace &space, const HeapAnchors &anchors, const BinaryFacts &facts,
            const HeapLayout &layout, const HeapRoot &root, SpanTable &&spans,
            const MapTypeLayout *type, const AnatomyOptions &options)
      : space_(space), anchors_(anchors), facts_(facts), layout_(layout), spans_(std::move(spans)),
        finder_(space, layout, root, spans_), type_(type), options_(options) {}

  Result<MapAnatomy> take_apart(ProcessAddress address);

private:
  struct Attempt {
    DecodedMap decoded;
    std::optional<MapAnatomy> anatomy; // absent: something did not agree
    std::uint64_t digest = 0;          // of what was read
  };

  // Whether a header is there, by what the runtime says of that slot. Absent: no slot of the heap.
  Result<std::optional<bool>> is_live(std::uint64_t address);
  Result<Attempt> attempt(std::uint64_t address, unsigned number);
  Result<DecodedMap> decode(const HeaderCandidate &header, ObjectReader &reader, unsigned number);
  Result<std::optional<MapAnatomy>> walk(const HeaderCandidate &header, const DecodedMap &decoded,
                                         ObjectReader &reader);
  Result<> tell_payload(const EntrySample &entries, AddressSpace &space, MapAnatomy &anatomy);
  // The type, if groups of that size can be its own.
  const MapTypeLayout *type_of(std::uint64_t group_bytes) const {
    bool fits = type_ != nullptr && (group_bytes == 0 || type_->type.group_bytes == group_bytes) &&
                type_->type.group_bytes >= kGroupBytesMin &&
                type_->type.group_bytes <= kGroupBytesMax;
    return fits ? type_ : nullptr;
  }

  AddressSpace &space_;
  const HeapAnchors &anchors_;
  const BinaryFacts &facts_;
  HeapLayout layout_;
  SpanTable spans_;
  HeaderFinder finder_;
  const MapTypeLayout *type_;
  AnatomyOptions options_;
  bool is_on_stack_ = false;
};

Result<std::optional<bool>> Anatomist::is_live(std::uint64_t address) {
  TRY(spans_.refresh(space_, address));
  auto span = spans_.find_span(address);
  if (!span)
    return std::nullopt;
  if (spans_.span_class(*span) != finder_.shape().span_class)
    return false;
  std::vector<HeaderCandidate> candidates;
  TRY(finder_.find({&*span, 1}, candidates));
  for (const HeaderCandidate &candidate : candidates)
    if (candidate.address == address)
      return true;
  return false;
}

Result<DecodedMap> Anatomist::decode(const HeaderCandidate &header, ObjectReader &reader,
                                     unsigned number) {
  bool is_swiss = layout_.maps == MapImplementation::swiss;
  DecodeOptions options{.attempt = number,
                        .contents_bytes_max = is_swiss ? kDirectoryBytesMax : kBucketBytesMax,
                        .requests_max = 1 << 23};
  if (is_on_stack_) {
    ProcessRange around{{header.address - kStackBytesMax}, 2 * kStackBytesMax};
    return decode_on_stack(header, around, layout_, reader, options);
  }
  std::vector<DecodedMap> maps;
  if (is_swiss)
    TRY(SwissDecoder{layout_}.decode({&header, 1}, reader, options, maps));
  else
    TRY(ClassicDecoder{layout_}.decode({&header, 1}, reader, options, maps));
  return maps.front();
}

// Where the contents did not tell the size of groups, the type does.
void settle_group_bytes(MapSample &map, std::uint64_t group_bytes) {
  MapBytes &bytes = map.bytes;
  std::uint64_t groups = map.slots / kGroupSlots * group_bytes;
  std::uint64_t held = bytes.control + bytes.cells + bytes.rounding;
  if (map.group_bytes != 0 || groups < bytes.control)
    return;
  map.group_bytes = static_cast<std::uint32_t>(group_bytes);
  if (groups > held)
    return; // on the stack
  bytes.cells = groups - bytes.control;
  bytes.rounding = held - groups;
}

Result<std::optional<MapAnatomy>> Anatomist::walk(const HeaderCandidate &header,
                                                  const DecodedMap &decoded, ObjectReader &reader) {
  AnatomyWalk walk(layout_, reader, decoded.sample);
  walk.type = type_of(decoded.sample.group_bytes);
  walk.group_bytes = decoded.sample.group_bytes;
  if (walk.group_bytes == 0 && walk.type != nullptr)
    walk.group_bytes = walk.type->type.group_bytes;
  if (is_on_stack_)
    walk.parts.add_on_stack(MapPart::header, header.address, layout_.header_size);
  else if (auto object = TRY(reader.object_at(header.address)))
    walk.parts.add(MapPart::header, *object, layout_.header_size);

  EntrySample entries(options_.payload ? walk.type : nullptr, options_.payload_entries_max);
  if (options_.payload && walk.type != nullptr)
    walk.on_group = [&](std::span<const std::byte> group, unsigned live) -> Result<> {
      entries.take(group, live);
      return {};
    };
  if (layout_.maps == MapImplementation::swiss)
    TRY(walk_swiss(header, walk));
  else
    TRY(walk_classic(header, decoded, walk));

  MapSample &map = walk.anatomy.map;
  if (walk.type != nullptr)
    map.bytes.indirect = walk.indirect_bytes;
  walk.agrees &= walk.parts.bytes() - walk.indirect_bytes == map.bytes.total() - map.bytes.indirect;
  if (!walk.agrees)
    return std::nullopt;
  if (walk.type != nullptr && map.slots != 0)
    settle_group_bytes(map, walk.group_bytes);
  TRY(walk.parts.tell(space_, walk.anatomy));
  if (options_.payload)
    TRY(tell_payload(entries, reader.space(), walk.anatomy));
  return std::move(walk.anatomy);
}

Result<> Anatomist::tell_payload(const EntrySample &entries, AddressSpace &space,
                                 MapAnatomy &anatomy) {
  if (entries.type() == nullptr) {
    anatomy.no_payload = "the type of this map is not known, so what its entries lead to is not";
    return {};
  }
  auto leaves = leaves_of_entry(space_, anchors_, facts_, *entries.type());
  if (!leaves) {
    if (leaves.error().code() != Errc::unsupported && leaves.error().code() != Errc::not_found)
      return std::unexpected(std::move(leaves).error());
    anatomy.no_payload = leaves.error().message();
    return {};
  }
  anatomy.payload = TRY(estimate_payload(entries, *leaves, space, spans_));
  return {};
}

Result<Anatomist::Attempt> Anatomist::attempt(std::uint64_t address, unsigned number) {
  KeptMemory kept(space_, kKeptBytesMax);
  ObjectReader reader(kept, spans_);
  HeaderCandidate header{.address = address};
  MemoryRead read{{address}, std::span{header.bytes}.first(layout_.header_size)};
  TRY(kept.read({&read, 1}));
  if (!read.is_read)
    return fail(Errc::not_found, "nothing can be read at {:#x}", address);
  // To ask the runtime where each object is takes time in which a large map changes; so at times
  // what is known has to do.
  reader.set_mode(number % 4 != 3 ? ObjectReader::Mode::afresh : ObjectReader::Mode::one_map);
  reader.add_to_digest(read.into);
  Attempt result{.decoded = TRY(decode(header, reader, number)), .digest = reader.digest()};
  const DecodedMap &decoded = result.decoded;
  // Several bucket sizes may fit; the type says which it is.
  bool is_other_size = type_ != nullptr && decoded.choice_count > 1 &&
                       decoded.bucket_bytes != type_->type.group_bytes &&
                       number < decoded.choice_count;
  if (decoded.outcome == DecodeOutcome::map && !is_other_size)
    result.anatomy = TRY(walk(header, decoded, reader));
  return result;
}

Result<MapAnatomy> Anatomist::take_apart(ProcessAddress address) {
  std::vector<std::uint64_t> digests;
  for (unsigned number = 0; number < options_.tries_max; ++number) {
    auto live = TRY(is_live(address.value));
    is_on_stack_ = !live.has_value();
    if (live == false)
      return fail(Errc::not_found, "there is no map at {:#x}", address.value);
    Attempt result = TRY(attempt(address.value, number));
    // The slot may have been freed while what it points to was read.
    if (result.anatomy && TRY(is_live(address.value)) == live)
      return *std::move(result.anatomy);
    if (result.decoded.outcome == DecodeOutcome::too_large)
      return fail(Errc::unsupported, "the map at {:#x} is too large to be taken apart",
                  address.value);
    // All that was read is as it was at the last attempt of this kind, and contradicts itself.
    digests.push_back(result.digest);
    unsigned period = result.decoded.choice_count;
    if (result.decoded.outcome != DecodeOutcome::map && number >= period &&
        digests[number] == digests[number - period])
      return fail(Errc::not_found, "there is no map at {:#x}", address.value);
  }
  return fail(Errc::malformed, "the map at {:#x} changed faster than it could be read, {} times",
              address.value, options_.tries_max);
}

} // namespace

Result<MapAnatomy> take_apart(AddressSpace &space, const HeapAnchors &anchors,
                              const BinaryFacts &facts, ProcessAddress address,
                              const MapTypeLayout *type, const AnatomyOptions &options) {
  HeapLayout layout = TRY(HeapLayout::from(facts));
  HeapRoot root = TRY_WHILE(find_heap(space, anchors, layout), "finding the heap");
  SpanTable spans = TRY_WHILE(SpanTable::read(space, root, layout), "reading the spans");
  return Anatomist(space, anchors, facts, layout, root, std::move(spans), type, options)
      .take_apart(address);
}

} // namespace mapscope
