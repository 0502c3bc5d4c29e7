// A bounded sample of entries, and its error.
#include "heap/payload.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <utility>

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::size_t kLeavesMax = 1024;   // of one key or element
constexpr std::uint64_t kTinyBytes = 16;   // runtime/malloc.go, maxTinySize
constexpr unsigned kRefreshesMax = 10'000; // spans that are looked up anew

// What one leaf of one entry leads to.
struct Target {
  std::uint64_t start = 0; // of the object
  double bytes = 0;        // its slot; of a part of a tiny block, that part
  std::uint32_t entry = 0;
  bool is_part = false;
};

class TargetFinder {
public:
  TargetFinder(AddressSpace &space, SpanTable &spans) : space_(space), spans_(spans) {
    for (std::uint32_t span = 0; span < spans.size(); ++span)
      if (spans.span_class(span).size_class() == 0)
        large_.push_back({spans.start(span), spans.size_bytes(span)});
    std::ranges::sort(large_, {}, &Large::start);
  }

  // What `value`, a key or an element, leads to outside of itself.
  Result<> find(std::span<const std::byte> value, std::span<const TypeLeaf> leaves,
                std::uint32_t entry);

  std::vector<Target> targets;

private:
  struct Large {
    std::uint64_t start = 0, size_bytes = 0;
  };

  // Strings and slices may begin anywhere in an object, so a large one is looked up whole.
  Result<std::optional<Target>> object_with(std::uint64_t address, std::uint64_t string_bytes);

  AddressSpace &space_;
  SpanTable &spans_;
  std::vector<Large> large_;
  unsigned refreshes_left_ = kRefreshesMax;
};

Result<std::optional<Target>> TargetFinder::object_with(std::uint64_t address,
                                                        std::uint64_t string_bytes) {
  auto object = spans_.find_object(address);
  if (!object && spans_.arena_address(address) != 0) {
    auto large = std::ranges::upper_bound(large_, address, {}, &Large::start);
    if (large != large_.begin() && address - std::prev(large)->start < std::prev(large)->size_bytes)
      return Target{.start = std::prev(large)->start,
                    .bytes = static_cast<double>(std::prev(large)->size_bytes)};
    if (refreshes_left_ != 0) {
      --refreshes_left_;
      TRY(spans_.refresh(space_, address));
      object = spans_.find_object(address);
    }
  }
  if (!object)
    return std::nullopt; // data of the executable, or a stack
  Target target{.start = object->start, .bytes = static_cast<double>(object->size_bytes)};
  // Small objects without pointers share blocks: as many as fit, were all of this length.
  if (object->size_bytes == kTinyBytes && !object->has_pointers && string_bytes != 0 &&
      string_bytes < kTinyBytes) {
    target.bytes = static_cast<double>(kTinyBytes) / static_cast<double>(kTinyBytes / string_bytes);
    target.is_part = true;
  }
  return target;
}

Result<> TargetFinder::find(std::span<const std::byte> value, std::span<const TypeLeaf> leaves,
                            std::uint32_t entry) {
  for (const TypeLeaf &leaf : leaves) {
    bool has_two_words = leaf.kind == GoKind::string || leaf.kind == GoKind::interface;
    std::uint64_t size_bytes = leaf.kind == GoKind::slice ? 24 : has_two_words ? 16 : 8;
    if (leaf.offset > value.size() || size_bytes > value.size() - leaf.offset)
      continue;
    auto first = load<std::uint64_t>(value, leaf.offset);
    std::uint64_t string_bytes = 0;
    if (leaf.kind == GoKind::string) {
      string_bytes = load<std::uint64_t>(value, leaf.offset + 8);
      if (string_bytes == 0)
        continue;
    } else if (leaf.kind == GoKind::interface) {
      first = load<std::uint64_t>(value, leaf.offset + 8); // behind the type
    }
    if (first == 0)
      continue;
    if (auto target = TRY(object_with(first, string_bytes))) {
      target->entry = entry;
      targets.push_back(*target);
    }
  }
  return {};
}

// Each object once: every entry was read.
std::uint64_t count_all(std::span<const Target> by_start, SpanTable &spans) {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < by_start.size(); ++i)
    if (i == 0 || by_start[i].start != by_start[i - 1].start) {
      auto object = spans.find_object(by_start[i].start);
      bytes += object ? object->size_bytes : static_cast<std::uint64_t>(by_start[i].bytes);
    }
  return bytes;
}

// An object that one entry of the sample leads to stands for those of the entries not in it. One
// that several lead to is shared by many of the map, and stands for itself.
void scale_up(std::span<const Target> by_start, std::uint64_t sampled_count,
              PayloadEstimate &estimate) {
  std::vector<double> of_entry(sampled_count);
  double shared = 0;
  for (std::size_t i = 0, run = 0; i < by_start.size(); i += run) {
    for (run = 1; i + run < by_start.size() && by_start[i + run].start == by_start[i].start;)
      ++run;
    if (run == 1 || by_start[i].is_part)
      for (const Target &target : by_start.subspan(i, run))
        of_entry[target.entry] += target.bytes;
    else
      shared += by_start[i].bytes;
  }
  auto n = static_cast<double>(sampled_count), all = static_cast<double>(estimate.entry_count);
  double sum = 0, squares = 0;
  for (double bytes : of_entry)
    sum += bytes;
  for (double bytes : of_entry)
    squares += (bytes - sum / n) * (bytes - sum / n);
  double variance = n > 1 ? squares / (n - 1) : 0;
  estimate.bytes = static_cast<std::uint64_t>(std::llround(sum / n * all + shared));
  // Of a sample without repetition from so many.
  double standard_error = all * std::sqrt(variance / n * (1 - n / all));
  estimate.error_bytes = static_cast<std::uint64_t>(std::llround(2 * standard_error));
}

} // namespace

// Vitter's algorithm R, with numbers that are the same in each run (splitmix64).
std::uint64_t EntrySample::random_below(std::uint64_t limit) {
  random_ += 0x9e3779b97f4a7c15;
  std::uint64_t bits = random_;
  bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
  return (bits ^ bits >> 31) % limit;
}

void EntrySample::take(std::span<const std::byte> group, unsigned live) {
  if (type_ == nullptr)
    return;
  std::uint64_t key_bytes = type_->key_bytes_in_group();
  std::uint64_t element_bytes = type_->element_bytes_in_group();
  for (; live != 0; live &= live - 1) {
    auto cell = static_cast<unsigned>(std::countr_zero(live));
    std::uint64_t key = type_->keys_offset + std::uint64_t{cell} * type_->key_stride;
    std::uint64_t element = type_->elements_offset + std::uint64_t{cell} * type_->element_stride;
    if (key > group.size() || key_bytes > group.size() - key || element > group.size() ||
        element_bytes > group.size() - element)
      continue;
    std::uint64_t place = size_;
    if (entry_count_++ < entries_max_)
      bytes_.resize(++size_ * entry_bytes());
    else
      place = random_below(entry_count_);
    if (place >= size_)
      continue;
    auto into = std::span{bytes_}.subspan(place * entry_bytes(), entry_bytes());
    std::ranges::copy(group.subspan(key, key_bytes), into.begin());
    std::ranges::copy(group.subspan(element, element_bytes),
                      into.begin() + static_cast<std::ptrdiff_t>(key_bytes));
  }
}

std::span<const std::byte> EntrySample::key(std::uint64_t index) const {
  return std::span{bytes_}.subspan(index * entry_bytes(), type_->key_bytes_in_group());
}

std::span<const std::byte> EntrySample::element(std::uint64_t index) const {
  return std::span{bytes_}.subspan(index * entry_bytes() + type_->key_bytes_in_group(),
                                   type_->element_bytes_in_group());
}

Result<EntryLeaves> leaves_of_entry(AddressSpace &space, const HeapAnchors &anchors,
                                    const BinaryFacts &facts, const MapTypeLayout &type) {
  // Key and element of a map type, in all releases. Go source: internal/abi, MapType.
  constexpr std::uint64_t kKeyOffset = 48, kElementOffset = 56;
  GoTypes types = TRY(GoTypes::read(space, anchors.types, facts));
  EntryLeaves leaves;
  for (auto [offset, into] :
       {std::pair{kKeyOffset, &leaves.key}, {kElementOffset, &leaves.element}}) {
    ProcessAddress part{TRY(read_value<std::uint64_t>(space, type.descriptor.value + offset))};
    auto found = types.leaves(part, kLeavesMax);
    if (!found && TRY(types.learn(space, part)))
      found = types.leaves(part, kLeavesMax);
    if (!found)
      return fail(Errc::unsupported, "what {} leads to is not known", type.type.name);
    *into = *std::move(found);
  }
  return leaves;
}

Result<PayloadEstimate> estimate_payload(const EntrySample &entries, const EntryLeaves &leaves,
                                         AddressSpace &space, SpanTable &spans) {
  PayloadEstimate estimate{.entry_count = entries.entry_count(), .sampled_count = entries.size()};
  TargetFinder finder(space, spans);
  std::vector<std::byte> held; // what is kept by pointer
  for (std::uint64_t i = 0; i < entries.size(); ++i) {
    const MapType &type = entries.type()->type;
    bool is_read = true;
    auto take = [&](std::span<const std::byte> value, bool is_indirect, std::uint64_t size_bytes,
                    std::span<const TypeLeaf> parts) -> Result<> {
      if (parts.empty())
        return {};
      if (is_indirect) {
        held.resize(size_bytes);
        MemoryRead read{{load<std::uint64_t>(value, 0)}, held};
        TRY(space.read({&read, 1}));
        is_read &= read.is_read;
        if (!read.is_read)
          return {};
        value = held;
      }
      return finder.find(value, parts, static_cast<std::uint32_t>(i));
    };
    TRY(take(entries.key(i), type.key_is_indirect, type.key_bytes, leaves.key));
    TRY(take(entries.element(i), type.element_is_indirect, type.element_bytes, leaves.element));
    estimate.unread_count += !is_read;
  }
  std::ranges::sort(finder.targets, {}, &Target::start);
  if (entries.size() == 0 || entries.size() == entries.entry_count())
    estimate.bytes = count_all(finder.targets, spans);
  else
    scale_up(finder.targets, entries.size(), estimate);
  return estimate;
}

} // namespace mapscope
