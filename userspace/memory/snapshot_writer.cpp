// Runs of bytes into chunks; see snapshot.h.
#include <utility>

#include <unistd.h>

#include "memory/residency.h"
#include "memory/snapshot.h"
#include "wire/facts_json.h"

namespace mapscope {
namespace {

// Memory compresses by what repeats in it, which every level finds: harder ones take more time
// than they save space.
constexpr int kLevel = 1;

constexpr std::size_t kItemHeadBytesMax = 1 + 10;
constexpr std::size_t kRunHeadBytesMax = 10 + 10;

std::uint64_t system_page_bytes() { return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)); }

} // namespace

Result<std::unique_ptr<SnapshotWriter>> SnapshotWriter::create(Fd file, AddressSpace &space,
                                                               const SnapshotProcess &process) {
  auto chunks = TRY_WHILE(ChunkFile::create(std::move(file), kSnapshotKind), "snapshot");
  std::unique_ptr<SnapshotWriter> writer{new SnapshotWriter{std::move(chunks), space}};
  Bytes body;
  FieldWriter{body}(process.pid, process.exe, process.load_bias.value, process.wall_time_ns);
  const auto facts = nlohmann::json::to_msgpack(facts_to_json(*process.facts));
  const auto facts_bytes = std::as_bytes(std::span{facts});
  body.insert(body.end(), facts_bytes.begin(), facts_bytes.end());
  writer->add_item(SnapshotItem::process, body);
  return writer;
}

SnapshotWriter::SnapshotWriter(ChunkFile file, AddressSpace &space)
    : file_(std::move(file)), space_(space) {
  items_.reserve(kSnapshotChunkBytes);
  memory_.reserve(kSnapshotChunkBytes);
}

Result<> SnapshotWriter::read(std::span<MemoryRead> reads) {
  TRY(space_.read(reads));
  for (const MemoryRead &done : reads) {
    if (done.is_read)
      keep(done.address, done.into);
    if (done.is_read && done.is_clock)
      clocks_.try_emplace(done.address.value, done.into.begin(), done.into.end());
  }
  return {};
}

void SnapshotWriter::keep(ProcessAddress address, std::span<const std::byte> bytes) {
  totals_.byte_count += bytes.size();
  if (totals_.byte_count > kSnapshotBytesMax && status_)
    status_ =
        fail(Errc::unsupported, "more than {} GiB of memory were read, which no snapshot holds",
             kSnapshotBytesMax >> 30);
  while (status_ && !bytes.empty()) {
    const std::size_t used =
        items_.size() + reads_.size() + memory_.size() + kItemHeadBytesMax + 2 * kRunHeadBytesMax;
    if (used >= kSnapshotChunkBytes) {
      close_chunk();
      continue;
    }
    const auto part = bytes.first(std::min(bytes.size(), kSnapshotChunkBytes - used));
    if (run_.size_bytes != 0 && run_.end() != address)
      close_run();
    if (run_.size_bytes == 0)
      run_.start = address;
    run_.size_bytes += part.size();
    memory_.insert(memory_.end(), part.begin(), part.end());
    bytes = bytes.subspan(part.size());
    address.value += part.size();
  }
}

void SnapshotWriter::close_run() {
  if (run_.size_bytes == 0)
    return;
  const auto distance = static_cast<std::int64_t>(run_.start.value - last_end_);
  FieldWriter{reads_}(distance, run_.size_bytes);
  last_end_ = run_.end().value;
  run_ = {};
}

void SnapshotWriter::close_reads() {
  close_run();
  last_end_ = 0;
  if (const Bytes body = std::exchange(reads_, {}); !body.empty())
    add_item(SnapshotItem::reads, body);
}

void SnapshotWriter::keep_roots(const ProgramRoots &roots) {
  add_item(SnapshotItem::roots, roots_to_bytes(roots));
}

void SnapshotWriter::keep_frames(std::span<const ElfAddress> addresses,
                                 std::span<const SourceFrames> answers) {
  add_item(SnapshotItem::frames, frames_to_bytes(addresses, answers));
}

// One that does not fit into a chunk has one for itself.
void SnapshotWriter::add_item(SnapshotItem kind, std::span<const std::byte> body) {
  if (!status_)
    return;
  if (body.size() > kItemBytesMax) {
    status_ =
        fail(Errc::unsupported, "an item of {} bytes is more than a snapshot holds", body.size());
    return;
  }
  if (items_.size() + body.size() > kSnapshotChunkBytes && kind != SnapshotItem::reads)
    close_chunk();
  items_.push_back(static_cast<std::byte>(kind));
  append_uvarint(items_, body.size());
  items_.insert(items_.end(), body.begin(), body.end());
  ++totals_.item_count;
}

void SnapshotWriter::close_chunk() {
  close_reads();
  const std::size_t item_bytes = items_.size();
  items_.insert(items_.end(), memory_.begin(), memory_.end());
  if (status_ && !items_.empty())
    status_ = file_.write(items_, item_bytes, kLevel);
  items_.clear();
  memory_.clear();
}

Result<std::vector<Mapping>> SnapshotWriter::mappings() {
  auto mappings = TRY(space_.mappings());
  Bytes body;
  FieldWriter{body}(mappings);
  add_item(SnapshotItem::mappings, body);
  return mappings;
}

Result<std::vector<PageRun>> SnapshotWriter::resident_pages(std::span<const ProcessRange> ranges) {
  auto runs = TRY(space_.resident_pages(ranges));
  ResidencyAnswer answer{.page_bytes = system_page_bytes(),
                         .ranges = whole_pages(ranges, system_page_bytes()),
                         .runs = std::move(runs)};
  Bytes body;
  FieldWriter{body}(answer);
  add_item(SnapshotItem::residency, body);
  return std::move(answer.runs);
}

Result<> SnapshotWriter::finish() {
  for (const auto &[address, first] : clocks_)
    keep({address}, first); // the last one is what a snapshot answers
  close_reads();            // so that they are counted
  Bytes body;
  FieldWriter{body}(totals_);
  add_item(SnapshotItem::end, body);
  close_chunk();
  if (!status_)
    return std::unexpected(Error{status_.error()}.while_doing("snapshot"));
  return {};
}

} // namespace mapscope
