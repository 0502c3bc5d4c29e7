// Candidates in chunks, decoded together; then each that contradicted itself alone, until it
// agrees, is gone, or has shown that it is no map.
#include "heap/census.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "heap/bulk_read.h"
#include "heap/census_memory.h"
#include "heap/classic.h"
#include "heap/headers.h"
#include "heap/heap_layout.h"
#include "heap/heap_statistics.h"
#include "heap/map_references.h"
#include "heap/object_reader.h"
#include "heap/owner_set.h"
#include "heap/span_table.h"
#include "heap/swiss.h"
#include "heap/type_check.h"

namespace mapscope {
namespace {

class CensusTaker {
public:
  CensusTaker(AddressSpace &space, const HeapLayout &layout, const HeapRoot &root,
              SpanTable &&spans, std::shared_ptr<TypeCheck> types, const CensusOptions &options)
      : space_(space), layout_(layout), options_(options), spans_(std::move(spans)),
        finder_(space, layout, root, spans_), reader_(space, spans_), swiss_(layout),
        classic_(layout), types_(std::move(types)) {
    reader_.set_deadline(std::chrono::steady_clock::now() + options.time_max);
  }

  Result<Census> take() {
    // A census that fails half way leaves nothing; the next one then begins anew.
    if (remembers())
      remembered_ = std::exchange(*options_.memory, {});
    if (remembered_.type_check != types_)
      remembered_ = {}; // it speaks of other types, or of none
    std::vector<std::uint32_t> spans = spans_.spans_of(finder_.shape().span_class);
    std::size_t slots = kGoPageBytes / finder_.shape().slot_bytes;
    std::size_t at_once = std::max<std::size_t>(options_.maps_at_once / slots, 1);
    TRY(read_residency());
    for (std::span<const std::uint32_t> left = spans; !left.empty();) {
      if (reader_.is_late()) {
        census_.counts.header_span_left_out_count = left.size();
        break;
      }
      auto chunk = left.first(std::min(at_once, left.size()));
      left = left.subspan(chunk.size());
      TRY(take_chunk(chunk));
    }
    TRY(look_again_at_copies());
    if (types_ && options_.level != CensusLevel::headers && !reader_.is_late()) {
      remembering_.references = std::move(remembered_.references);
      TRY(tell_references(space_, layout_, spans_, types_->index(), census_.maps,
                          remembering_.references));
    }
    if (remembers()) {
      remembering_.type_check = types_;
      *options_.memory = std::move(remembering_);
    }
    if (types_) {
      census_.types = types_->index().types();
      census_.type_sets = types_->index().sets().all();
    }
    census_.counts.map_count = census_.maps.size();
    census_.counts.copy_count = census_.copies.size();
    census_.counts.span_left_out_count = spans_.left_out_count();
    census_.counts.header_span_unsettled_count = finder_.unsettled_span_count();
    return std::move(census_);
  }

private:
  bool remembers() const {
    return options_.memory != nullptr && options_.level != CensusLevel::headers;
  }
  Result<> read_residency();
  Result<> take_chunk(std::span<const std::uint32_t> spans);
  Result<> decode(std::span<const HeaderCandidate> candidates, const DecodeOptions &options);
  DecodeOptions options_alone(unsigned attempt) const;
  // One map that is too large to be decoded beside others.
  Result<> take_alone(const HeaderCandidate &candidate, std::uint64_t contents);
  // The candidates among these whose header is no longer what it was.
  Result<std::vector<HeaderCandidate>> changed(std::span<const HeaderCandidate> candidates);
  // One map, read back to back until it agrees with itself. `len`: what its header said of it.
  Result<> settle(std::uint64_t address, std::uint64_t len);
  bool is_being_written(std::span<const std::byte> header) const;
  // Whether a candidate is there now.
  Result<bool> is_live(std::uint64_t address);
  void accept(const DecodedMap &map);
  // What one of these maps points to now, of what copies point to.
  Result<std::unordered_set<std::uint64_t>> owned_by_maps(std::span<const HeaderCopy> copies);
  Result<> look_again_at_copies();

  AddressSpace &space_;
  HeapLayout layout_;
  CensusOptions options_;
  SpanTable spans_;
  HeaderFinder finder_;
  ObjectReader reader_;
  SwissDecoder swiss_;
  ClassicDecoder classic_;
  std::shared_ptr<TypeCheck> types_; // null: nothing is said of types
  std::optional<ResidentPages> pages_;
  OwnerSet owners_;
  std::unordered_set<std::uint64_t> large_contents_;
  bool is_looking_again_ = false;
  std::unordered_set<std::uint64_t> orphans_; // contents whose owner died since it was read
  std::vector<HeaderCandidate> candidates_;   // of the chunk, and what became of them; kept for
  std::vector<DecodedMap> maps_;              // their memory
  // What is left of what an earlier census learned, and what this one has learned so far.
  CensusMemory remembered_, remembering_;
  std::vector<const RememberedMap *> known_; // of the chunk
  Census census_;
};

Result<> CensusTaker::decode(std::span<const HeaderCandidate> candidates,
                             const DecodeOptions &options) {
  DecodeOptions with_types = options;
  with_types.types = options.headers_only ? nullptr : types_.get();
  auto once = [&] {
    return layout_.maps == MapImplementation::swiss
               ? swiss_.decode(candidates, reader_, with_types, maps_)
               : classic_.decode(candidates, reader_, with_types, maps_);
  };
  TRY(once());
  if (with_types.types == nullptr || types_->is_sure())
    return {};
  types_->set_hashing(false);
  TRY(once());
  types_->set_hashing(true);
  return {};
}

// Where the source can't know, or does not tell us, nothing is said of it.
Result<> CensusTaker::read_residency() {
  if (!options_.residency || options_.level == CensusLevel::headers)
    return {};
  auto pages = ResidentPages::read(space_, spans_);
  if (!pages && pages.error().code() != Errc::unsupported && pages.error().code() != Errc::denied)
    return std::unexpected(std::move(pages).error());
  if (pages) {
    pages_ = std::move(*pages);
    reader_.set_resident_pages(&*pages_);
    census_.has_residency = true;
  }
  return {};
}

// Limits of one map: 4 million tables or 16 GiB of buckets, and what is asked for at once.
DecodeOptions CensusTaker::options_alone(unsigned attempt) const {
  constexpr std::uint64_t kDirectoryBytesMax = 1 << 25, kBucketBytesMax = 1ULL << 34;
  return {.attempt = attempt,
          .contents_bytes_max =
              layout_.maps == MapImplementation::swiss ? kDirectoryBytesMax : kBucketBytesMax,
          .requests_max = 1 << 23};
}

Result<> CensusTaker::take_chunk(std::span<const std::uint32_t> spans) {
  TRY(finder_.find(spans, candidates_));
  census_.counts.candidate_count += candidates_.size();
  reader_.set_mode(ObjectReader::Mode::bulk);
  bool is_whole = options_.level != CensusLevel::headers;
  if (is_whole)
    remembered_.find(candidates_, known_);
  TRY(decode(candidates_, {.headers_only = !is_whole,
                           .contents_bytes_max = options_.contents_bytes_at_once,
                           .known = known_}));

  std::vector<std::pair<std::uint64_t, std::uint64_t>> again; // headers, and their lengths
  std::vector<HeaderCandidate> absurd;
  std::vector<std::pair<HeaderCandidate, std::uint64_t>> large; // and what they point to
  for (std::size_t i = 0; i < maps_.size(); ++i)
    switch (maps_[i].outcome) {
    case DecodeOutcome::map:
      if (maps_[i].is_doubtful)
        again.emplace_back(candidates_[i].address, maps_[i].sample.len);
      else
        accept(maps_[i]);
      break;
    case DecodeOutcome::too_large:
      large.emplace_back(candidates_[i], maps_[i].contents);
      break;
    case DecodeOutcome::no_header:
      absurd.push_back(candidates_[i]);
      break;
    case DecodeOutcome::pending:
    case DecodeOutcome::contradicted:
      again.emplace_back(candidates_[i].address, maps_[i].sample.len);
    }
  // Most strangers show in the header alone, and need no more than a second look at it.
  std::vector<HeaderCandidate> moved = TRY(changed(absurd));
  for (const HeaderCandidate &candidate : moved)
    again.emplace_back(candidate.address, 0);
  census_.counts.rejected_count += absurd.size() - moved.size();
  census_.counts.retried_count += again.size();
  for (const auto &[address, len] : again)
    TRY(settle(address, len));
  for (const auto &[candidate, contents] : large)
    TRY(take_alone(candidate, contents));
  remembering_.finish_chunk();
  remembered_.forget_before(spans_.start(spans.back()));
  return {};
}

Result<> CensusTaker::take_alone(const HeaderCandidate &candidate, std::uint64_t contents) {
  // Any number of headers could point to the same gigabytes; they are read once.
  if (!large_contents_.insert(contents).second) {
    census_.copies.push_back({{candidate.address}, {contents}});
    return {};
  }
  reader_.set_mode(ObjectReader::Mode::bulk);
  TRY(decode({&candidate, 1}, options_alone(0)));
  const DecodedMap map = maps_.front();
  if (map.outcome == DecodeOutcome::map)
    accept(map);
  else if (map.outcome == DecodeOutcome::too_large)
    ++census_.counts.too_large_count;
  else {
    ++census_.counts.retried_count;
    TRY(settle(candidate.address, map.sample.len));
  }
  return {};
}

Result<std::vector<HeaderCandidate>>
CensusTaker::changed(std::span<const HeaderCandidate> candidates) {
  constexpr std::uint64_t kGapBytesMax = 2048;
  std::vector<WantedRange> ranges;
  for (const HeaderCandidate &candidate : candidates)
    ranges.push_back({candidate.address, layout_.header_size});
  std::vector<HeaderCandidate> result;
  TRY(read_sorted(space_, ranges, kGapBytesMax,
                  [&](std::size_t index, std::span<const std::byte> bytes) {
                    auto before = std::span{candidates[index].bytes}.first(layout_.header_size);
                    if (!std::ranges::equal(bytes, before))
                      result.push_back(candidates[index]);
                  }));
  return result;
}

Result<bool> CensusTaker::is_live(std::uint64_t address) {
  TRY(spans_.refresh(space_, address));
  auto span = spans_.find_span(address);
  if (!span || spans_.span_class(*span) != finder_.shape().span_class)
    return false;
  std::vector<HeaderCandidate> candidates;
  TRY(finder_.find({&*span, 1}, candidates));
  return std::ranges::find(candidates, address, &HeaderCandidate::address) != candidates.end();
}

Result<> CensusTaker::settle(std::uint64_t address, std::uint64_t len) {
  // It takes milliseconds to read, in which a program writes to it many times: it will not agree
  // with itself to the last entry, however often it is read.
  constexpr std::uint64_t kLargeLen = 1 << 14;
  const bool is_large = len >= kLargeLen;
  // What is being filled as fast as it can be is told the next time: each try may read gigabytes.
  constexpr unsigned kLargeTries = 5;
  const unsigned tries_max =
      is_large ? std::min(options_.tries_max, kLargeTries) : options_.tries_max;
  std::vector<std::uint64_t> digests; // of each attempt
  for (unsigned attempt = 0; attempt < tries_max && !reader_.is_late(); ++attempt) {
    HeaderCandidate candidate{.address = address};
    auto header = std::span{candidate.bytes}.first(layout_.header_size);
    MemoryRead read{{address}, header};
    TRY(space_.read({&read, 1}));
    // To ask the runtime where each object is takes time in which a large map changes; so at
    // times, and mostly for those, what is known has to do.
    bool is_afresh = (attempt % 4 == 3) == is_large;
    reader_.set_mode(is_afresh ? ObjectReader::Mode::afresh : ObjectReader::Mode::one_map);
    reader_.add_to_digest(header);
    DecodeOptions options = options_alone(attempt);
    options.in_motion = is_large;
    TRY(decode({&candidate, 1}, options));
    const DecodedMap map = maps_.front();
    // What it costs to ask the runtime again is spent when something depends on it.
    bool is_map = read.is_read && map.outcome == DecodeOutcome::map;
    // What only a change meanwhile explains needs one.
    if (is_map && map.sample.is_in_motion && !space_.is_of_many_moments())
      is_map = !TRY(changed({&candidate, 1})).empty();
    if ((is_map || attempt > map.choice_count) && !TRY(is_live(address))) {
      ++census_.counts.gone_count;
      return {};
    }
    if (is_map) {
      accept(map);
      return {};
    }
    if (map.outcome == DecodeOutcome::too_large) {
      ++census_.counts.too_large_count;
      return {};
    }
    // All that was read is as it was at the last attempt of this kind, and contradicts itself:
    // this is no map.
    digests.push_back(reader_.digest());
    if (is_afresh && attempt >= map.choice_count && !is_being_written(header) &&
        digests[attempt] == digests[attempt - map.choice_count]) {
      ++census_.counts.rejected_count;
      return {};
    }
  }
  ++census_.counts.unsettled_count;
  if (census_.unsettled.size() < Census::kUnsettledMax)
    census_.unsettled.push_back({address});
  return {};
}

// What a thread leaves half done holds still for as long as the kernel lets that thread wait; so it
// is no proof against a map. Go source: runtime/map.go (hashWriting), internal/runtime/maps/map.go.
bool CensusTaker::is_being_written(std::span<const std::byte> header) const {
  constexpr std::uint8_t kHashWriting = 4;
  return layout_.maps == MapImplementation::swiss
             ? load<std::uint8_t>(header, layout_.swiss.writing) != 0
             : (load<std::uint8_t>(header, layout_.classic.flags) & kHashWriting) != 0;
}

void CensusTaker::accept(const DecodedMap &map) {
  if (map.contents_span != DecodedMap::kNoSpan &&
      !owners_.insert(map.contents_span, map.contents_slot, spans_.elem_count(map.contents_span)) &&
      orphans_.erase(map.contents) == 0) {
    census_.copies.push_back({map.sample.address, {map.contents}});
    return;
  }
  census_.maps.add(map.sample);
  if (remembers() && !is_looking_again_)
    remembering_.note(map);
}

Result<std::unordered_set<std::uint64_t>>
CensusTaker::owned_by_maps(std::span<const HeaderCopy> copies) {
  constexpr std::size_t kAtOnce = 1 << 14;
  constexpr std::uint64_t kGapBytesMax = 2048;
  const std::uint64_t at =
      layout_.maps == MapImplementation::swiss ? layout_.swiss.dir_ptr : layout_.classic.buckets;
  std::unordered_map<std::uint64_t, std::uint64_t> owner_of; // contents -> header
  for (const HeaderCopy &copy : copies)
    owner_of[copy.contents.value] = 0;
  std::vector<WantedRange> ranges;
  for (std::size_t begin = 0; begin < census_.maps.size(); begin += kAtOnce) {
    ranges.clear();
    for (std::size_t i = begin; i < std::min(begin + kAtOnce, census_.maps.size()); ++i)
      ranges.push_back({census_.maps[i].address.value + at, sizeof(std::uint64_t)});
    std::ranges::sort(ranges, {}, &WantedRange::address);
    TRY(read_sorted(
        space_, ranges, kGapBytesMax, [&](std::size_t index, std::span<const std::byte> bytes) {
          if (bytes.size() != sizeof(std::uint64_t))
            return;
          if (auto owner = owner_of.find(load<std::uint64_t>(bytes, 0)); owner != owner_of.end())
            owner->second = ranges[index].address - at;
        }));
  }
  std::unordered_set<std::uint64_t> owned;
  for (const auto &[contents, header] : owner_of)
    if (header != 0 && TRY(is_live(header)))
      owned.insert(contents);
  return owned;
}

// A map that was read may die, and its table then be another map's, which is no copy.
Result<> CensusTaker::look_again_at_copies() {
  if (census_.copies.empty())
    return {};
  is_looking_again_ = true; // what is remembered is in the order of addresses
  const std::vector<HeaderCopy> copies = std::exchange(census_.copies, {});
  auto owned = TRY(owned_by_maps(copies));
  for (const HeaderCopy &copy : copies) {
    if (owned.contains(copy.contents.value)) {
      census_.copies.push_back(copy);
      continue;
    }
    orphans_.insert(copy.contents.value);
    TRY(settle(copy.address.value, 0));
    if (orphans_.erase(copy.contents.value) == 0)
      owned.insert(copy.contents.value);
  }
  return {};
}

} // namespace

Result<Census> take_census(AddressSpace &space, const HeapAnchors &anchors,
                           const BinaryFacts &facts, const CensusOptions &options) {
  HeapLayout layout = TRY(HeapLayout::from(facts));
  HeapRoot root = TRY_WHILE(find_heap(space, anchors, layout), "finding the heap");
  SpanTable spans = TRY_WHILE(SpanTable::read(space, root, layout), "reading the spans");
  HeapStatistics heap =
      TRY_WHILE(read_heap_statistics(space, anchors, root, facts, spans), "reading the counters");
  std::shared_ptr<TypeCheck> types;
  if (options.memory != nullptr)
    types = options.memory->type_check;
  if (!options.types || options.level == CensusLevel::headers)
    types = nullptr;
  else if (!types)
    types = TRY_WHILE(TypeCheck::of(space, anchors, facts, layout), "reading the types");
  Census census = TRY(CensusTaker(space, layout, root, std::move(spans), types, options).take());
  census.heap = std::move(heap);
  census.type_check = std::move(types);
  return census;
}

} // namespace mapscope
