// Follows headers to tables and arrays, a batch of maps with each read, and asks of each object
// whether it was sampled.
#include "heap/sites/sampled_parts.h"

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>

#include "heap/bulk_read.h"
#include "heap/sites/special_lists.h"

namespace mapscope {
namespace {

constexpr std::size_t kMapsAtOnce = 1 << 16;
constexpr std::uint64_t kGapBytesMax = 512;
constexpr std::uint64_t kDirectoryMax = 1 << 22; // tables of one map
constexpr std::size_t kTablesAtOnce = 1 << 20;   // of a batch of maps

class PartFinder {
public:
  PartFinder(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans,
             const AllocationProfile &profile)
      : space_(space), layout_(layout), spans_(spans) {
    for (const SampledObject &object : profile.objects)
      sampled_.emplace(object.address, object.bucket);
  }

  // What lies at the addresses of these maps, and what that points to. In the order of addresses.
  Result<> look_at(std::span<const std::uint64_t> maps);
  // Only what the spans say of these objects now, too: each is read after the map was.
  Result<std::vector<MapPartSample>> confirm(SpecialLists &lists,
                                             const AllocationProfile &profile) const;

private:
  struct Found {
    MapPartSample part;
    std::uint64_t object = 0; // address of the slot
    std::uint32_t span = 0;
  };
  // Something that a map points to.
  struct Part {
    std::uint64_t address = 0, map = 0, count = 0; // of pointers in a directory
  };

  // A slot of the heap that begins at, or (behind a malloc header) just before, this address.
  void ask(std::uint64_t map, std::uint64_t address, bool is_header = false) {
    const auto object = spans_.find_object(address);
    if (!object || object->data() != address)
      return;
    if (auto sample = sampled_.find(object->start); sample != sampled_.end())
      found_.push_back({{map, sample->second, is_header}, object->start, object->span});
  }

  void look_at_swiss(std::uint64_t map, std::span<const std::byte> header,
                     std::vector<Part> &directories);
  void look_at_classic(std::uint64_t map, std::span<const std::byte> header);
  Result<> look_at_directories(std::vector<Part> &directories);
  Result<> look_at_tables(std::vector<Part> &tables);

  AddressSpace &space_;
  const HeapLayout &layout_;
  const SpanTable &spans_;
  std::unordered_map<std::uint64_t, std::uint32_t> sampled_; // bucket by the slot's address
  std::vector<Found> found_;
};

void PartFinder::look_at_swiss(std::uint64_t map, std::span<const std::byte> header,
                               std::vector<Part> &directories) {
  const auto contents = load<std::uint64_t>(header, layout_.swiss.dir_ptr);
  const auto count = load<std::uint64_t>(header, layout_.swiss.dir_len);
  ask(map, contents); // a group or the directory
  if (count != 0 && count <= kDirectoryMax && spans_.find_object_at(contents))
    directories.push_back({contents, map, count});
}

void PartFinder::look_at_classic(std::uint64_t map, std::span<const std::byte> header) {
  ask(map, load<std::uint64_t>(header, layout_.classic.buckets));
  ask(map, load<std::uint64_t>(header, layout_.classic.oldbuckets));
}

Result<> PartFinder::look_at_tables(std::vector<Part> &tables) {
  std::ranges::sort(tables, {}, &Part::address);
  std::vector<WantedRange> ranges;
  for (const Part &table : tables) {
    ask(table.map, table.address);
    ranges.push_back({table.address, layout_.swiss.table_size});
  }
  return read_sorted(
      space_, ranges, kGapBytesMax, [&](std::size_t index, std::span<const std::byte> bytes) {
        if (!bytes.empty())
          ask(tables[index].map, load<std::uint64_t>(bytes, layout_.swiss.table_groups));
      });
}

Result<> PartFinder::look_at_directories(std::vector<Part> &directories) {
  std::ranges::sort(directories, {}, &Part::address);
  std::vector<Part> tables;
  for (std::span<const Part> left = directories; !left.empty();) {
    std::size_t count = 0;
    std::vector<WantedRange> ranges;
    for (std::uint64_t pointers = 0; count < left.size(); ++count) {
      pointers += left[count].count;
      if (count != 0 && pointers > kTablesAtOnce)
        break;
      // Not beyond the object that it is.
      const std::uint64_t fits = spans_.find_object_at(left[count].address)->data_bytes() / 8;
      ranges.push_back(
          {left[count].address, static_cast<std::uint32_t>(std::min(left[count].count, fits) * 8)});
    }
    tables.clear();
    TRY(read_sorted(space_, ranges, kGapBytesMax,
                    [&](std::size_t index, std::span<const std::byte> bytes) {
                      std::uint64_t before = 0; // neighbours are often the same table
                      for (std::size_t at = 0; at < bytes.size(); at += 8)
                        if (auto table = load<std::uint64_t>(bytes, at);
                            std::exchange(before, table) != table && spans_.find_object_at(table))
                          tables.push_back({table, left[index].map, 0});
                    }));
    left = left.subspan(count);
    TRY(look_at_tables(tables));
  }
  return {};
}

Result<> PartFinder::look_at(std::span<const std::uint64_t> maps) {
  std::vector<WantedRange> ranges;
  for (std::uint64_t map : maps) {
    ask(map, map, true);
    ranges.push_back({map, layout_.header_size});
  }
  std::vector<Part> directories;
  TRY(read_sorted(space_, ranges, kGapBytesMax,
                  [&](std::size_t index, std::span<const std::byte> bytes) {
                    if (bytes.empty())
                      return;
                    if (layout_.maps == MapImplementation::swiss)
                      look_at_swiss(maps[index], bytes, directories);
                    else
                      look_at_classic(maps[index], bytes);
                  }));
  return look_at_directories(directories);
}

Result<std::vector<MapPartSample>> PartFinder::confirm(SpecialLists &lists,
                                                       const AllocationProfile &profile) const {
  std::vector<std::uint32_t> spans;
  for (const Found &found : found_)
    spans.push_back(found.span);
  std::ranges::sort(spans);
  spans.erase(std::ranges::unique(spans).begin(), spans.end());
  std::unordered_map<std::uint64_t, std::uint64_t> buckets; // by object: addresses
  for (const SpecialLists::Sample &sample :
       TRY(lists.read(spans, profile.objects.size() * 2 + 1024)))
    buckets[sample.object] = sample.bucket;
  std::vector<MapPartSample> confirmed;
  for (const Found &found : found_)
    if (auto bucket = buckets.find(found.object);
        bucket != buckets.end() && bucket->second == profile.buckets[found.part.bucket].address)
      confirmed.push_back(found.part);
  return confirmed;
}

} // namespace

Result<std::vector<MapPartSample>> find_sampled_parts(AddressSpace &space, const BinaryFacts &facts,
                                                      const HeapLayout &layout,
                                                      const SpanTable &spans, const MapTable &maps,
                                                      const AllocationProfile &profile) {
  if (profile.objects.empty() || maps.size() == 0)
    return std::vector<MapPartSample>{};
  PartFinder finder(space, layout, spans, profile);
  std::vector<std::uint64_t> batch;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    batch.push_back(maps.brief(i).address);
    if (batch.size() < kMapsAtOnce && i + 1 < maps.size())
      continue;
    std::ranges::sort(batch);
    TRY(finder.look_at(batch));
    batch.clear();
  }
  SpecialLists lists = TRY(SpecialLists::open(space, facts, spans));
  return finder.confirm(lists, profile);
}

} // namespace mapscope
