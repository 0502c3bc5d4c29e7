// Loads a snapshot, of which every byte may be wrong.
#include "memory/snapshot.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "wire/chunk_reader.h"
#include "wire/facts_json.h"
#include "wire/message.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kPageBytesMin = 4096, kPageBytesMax = 1 << 20;

// In the order of addresses and apart from each other.
template <typename Things, typename RangeOf>
bool are_apart(const Things &things, RangeOf range_of) {
  std::uint64_t end = 0;
  return std::ranges::all_of(things, [&](const auto &thing) {
    const ProcessRange range = range_of(thing);
    const bool is_apart = range.start.value >= end && range.end().value >= range.start.value;
    end = range.end().value;
    return is_apart;
  });
}

} // namespace

Result<std::unique_ptr<Snapshot>> Snapshot::open(Fd file, std::string path) {
  return open(TRY_WHILE(ByteSource::open(std::move(file)), "{}", path), std::move(path));
}

Result<std::unique_ptr<Snapshot>> Snapshot::open(ByteSource file, std::string path) {
  std::unique_ptr<Snapshot> snapshot{new Snapshot{std::move(path)}};
  TRY_WHILE(snapshot->load(std::move(file)), "{}", snapshot->path_);
  return snapshot;
}

Result<> Snapshot::load(ByteSource file) {
  auto chunks = TRY(ChunkReader::open(std::move(file), kSnapshotKind));
  while (true) {
    const ChunkReader::Step step = TRY(chunks.next());
    if (!step.gap.empty())
      return fail(Errc::malformed, "{}", step.gap);
    if (!step.items)
      break;
    TRY_WHILE(take_chunk(*step.items, step.words), "chunk {} of the snapshot", step.number);
  }
  if (!has_ended_)
    return fail(Errc::malformed, "the snapshot breaks off: it was not finished");
  return {};
}

Result<> Snapshot::take_chunk(std::span<const std::byte> items, std::span<const std::byte> memory) {
  ByteReader rest{items}, bytes{memory};
  while (rest.size() > 0) {
    const auto kind = TRY(rest.read<SnapshotItem>());
    const std::uint64_t length = TRY(rest.read_uvarint());
    const ByteReader body = TRY(rest.window(0, length));
    rest = TRY(rest.from(length));
    if (has_ended_ || has_process_ == (kind == SnapshotItem::process))
      return fail(Errc::malformed, "an item of kind {} where none can be",
                  static_cast<unsigned>(kind));
    TRY_WHILE(take_item(kind, body, bytes), "item {}", totals_.item_count);
    ++totals_.item_count;
  }
  if (bytes.size() != 0)
    return fail(Errc::malformed, "{} bytes belong nowhere", bytes.size());
  return {};
}

Result<> Snapshot::take_item(SnapshotItem kind, ByteReader body, ByteReader &memory) {
  switch (kind) {
  case SnapshotItem::process:
    return take_process(body);
  case SnapshotItem::reads:
    return take_reads(body, memory);
  case SnapshotItem::mappings: {
    FieldReader fields{body};
    fields(mappings_.emplace());
    TRY(fields.finish());
    if (!are_apart(*mappings_,
                   [](const Mapping &one) { return ProcessRange{one.start, one.size_bytes}; }))
      return fail(Errc::malformed, "mappings are not in the order of addresses");
    return {};
  }
  case SnapshotItem::residency:
    return take_residency(body);
  case SnapshotItem::roots:
    return answers_->take_roots(body.bytes(), RootPlaces::of(*process_.facts));
  case SnapshotItem::frames:
    return answers_->take_frames(body);
  case SnapshotItem::end: {
    SnapshotTotals totals;
    FieldReader fields{body};
    fields(totals);
    TRY(fields.finish());
    if (totals != totals_)
      return fail(Errc::malformed, "the snapshot is not what its end says");
    has_ended_ = true;
    return {};
  }
  }
  return fail(Errc::malformed, "an item of kind {}", static_cast<unsigned>(kind));
}

Result<> Snapshot::take_process(ByteReader body) {
  FieldReader fields{body};
  fields(process_.pid, process_.exe, process_.load_bias.value, process_.wall_time_ns);
  TRY(fields.status());
  process_.facts =
      std::make_shared<const BinaryFacts>(TRY(facts_from_json(TRY(decode_message(fields.rest())))));
  has_process_ = true;
  return {};
}

Result<> Snapshot::take_reads(ByteReader body, ByteReader &memory) {
  std::uint64_t at = 0;
  while (body.size() > 0) {
    const std::uint64_t zigzag = TRY(body.read_uvarint());
    const std::uint64_t size_bytes = TRY(body.read_uvarint());
    at += zigzag >> 1 ^ (~(zigzag & 1) + 1);
    const ByteReader bytes = TRY(memory.window(0, size_bytes));
    memory = TRY(memory.from(size_bytes));
    totals_.byte_count += size_bytes;
    if (totals_.byte_count > kSnapshotBytesMax || !memory_.write({at}, bytes.bytes()))
      return fail(Errc::malformed, "{} bytes at {:#x} are too many", size_bytes, at);
    at += size_bytes;
  }
  return {};
}

Result<> Snapshot::take_residency(ByteReader body) {
  ResidencyAnswer answer;
  FieldReader fields{body};
  fields(answer);
  TRY(fields.finish());
  residency_runs_ += answer.runs.size() + answer.ranges.size();
  if (++residency_answers_ > kResidencyAnswersMax || residency_runs_ > kResidencyRunsMax)
    return fail(Errc::malformed, "more is told about pages than is kept");
  if (!std::has_single_bit(answer.page_bytes) || answer.page_bytes < kPageBytesMin ||
      answer.page_bytes > kPageBytesMax)
    return fail(Errc::malformed, "pages of {} bytes", answer.page_bytes);
  if (!are_apart(answer.ranges, [](const ProcessRange &range) { return range; }) ||
      !are_apart(answer.runs, [](const PageRun &run) { return run.range; }))
    return fail(Errc::malformed, "ranges of pages are not in the order of addresses");
  residency_.add(answer.ranges, std::move(answer.runs), answer.page_bytes);
  return {};
}

Result<> Snapshot::read(std::span<MemoryRead> reads) {
  for (MemoryRead &wanted : reads)
    wanted.is_read = memory_.read(wanted.address, wanted.into);
  return {};
}

Result<std::vector<Mapping>> Snapshot::mappings() {
  if (!mappings_)
    return fail(Errc::unsupported, "{}: the mappings of the process are not in it", path_);
  return *mappings_;
}

Result<std::vector<PageRun>> Snapshot::resident_pages(std::span<const ProcessRange> ranges) {
  return TRY_WHILE(residency_.answer(ranges), "{}", path_);
}

} // namespace mapscope
