// Any bytes as a recording: into an observer that decodes what it hears and asks for names. To
// mutate what checksums and compression would hide, the input is also taken as the items and words
// of one chunk. And as records, which have to come back as they were.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include <zstd.h>

#include "decode/decode.h"
#include "fuzz/fuzz_target.h"
#include "recording/format.h"
#include "recording/record_coder.h"
#include "recording/recording_reader.h"

using namespace mapscope;

namespace {

void require(bool sound) {
  if (!sound)
    std::abort();
}

// Holds a replay to the order of calls that observers rely on.
class Listener final : public RunObserver {
public:
  void start(const RunStart &) override { require(!started_), started_ = true; }
  void target_start(const TargetStart &target) override {
    require_running();
    require(targets_.emplace(target.index, target.names).second);
  }
  void record(std::span<const std::byte> record) override {
    require_running();
    (void)decode(record);
  }
  void drained() override { require_running(), ask(); }
  void goroutines(const GoroutineSnapshot &snapshot) override {
    require_running();
    require(targets_.contains(snapshot.index));
    ask();
  }
  void remark(const Remark &) override { require_running(); }
  void target_end(const TargetEnd &end) override {
    require_running();
    require(targets_.erase(end.index) == 1);
  }
  void end(const RunEnd &) override {
    require_running();
    require(targets_.empty());
    ended_ = true;
  }
  void require_whole(bool whole) { require(started_ == whole && ended_ == whole); }

private:
  void require_running() { require(started_ && !ended_); }
  void ask() {
    const ElfAddress places[] = {{0}, {0x401000}};
    for (const auto &[index, names] : targets_)
      if (names) {
        (void)names->symbolize(places);
        (void)names->map_types(places);
        (void)names->map_types_at_calls(places);
      }
  }

  bool started_ = false, ended_ = false;
  std::map<std::uint32_t, std::shared_ptr<BinaryNames>> targets_;
};

void append(Bytes &file, std::span<const std::byte> bytes) {
  file.insert(file.end(), bytes.begin(), bytes.end());
}

// One chunk of these items, whose records have these words.
Bytes recording_of(std::span<const std::byte> items, std::span<const std::byte> words) {
  Bytes plain{items.begin(), items.end()};
  append(plain, words);
  Bytes stored(ZSTD_compressBound(plain.size()));
  stored.resize(ZSTD_compress(stored.data(), stored.size(), plain.data(), plain.size(), 1));
  const FileHeader file_header = file_header_of(kRecordingKind);
  ChunkHeader header{.stored_bytes = static_cast<std::uint32_t>(stored.size()),
                     .plain_bytes = static_cast<std::uint32_t>(plain.size()),
                     .item_bytes = static_cast<std::uint32_t>(items.size()),
                     .payload_crc = crc_of(stored)};
  header.header_crc = header_crc_of(header);
  Bytes file;
  append(file, std::as_bytes(std::span{&file_header, 1}));
  append(file, std::as_bytes(std::span{&header, 1}));
  append(file, stored);
  return file;
}

void replay_all(ByteSource source) {
  Listener listener;
  // A file without a beginning has no run, and any other a whole one.
  listener.require_whole(replay(std::move(source), "fuzz", listener).has_value());
}

// Cuts the bytes into records at what they say of lengths, which have to come back as they were.
void code_and_decode(std::span<const std::byte> bytes) {
  RecordEncoder encoder;
  std::vector<std::pair<std::span<const std::byte>, Bytes>> coded; // records, control bytes
  Bytes words;
  while (!bytes.empty()) {
    const std::size_t length_wish = 1 + 8 * static_cast<std::size_t>(bytes.front());
    const auto record = bytes.first(std::min(bytes.size(), length_wish));
    bytes = bytes.subspan(record.size());
    if (RecordEncoder::can_encode(record))
      encoder.encode(record, coded.emplace_back(record, Bytes{}).second, words);
  }
  RecordDecoder decoder;
  decoder.reset(words);
  for (const auto &[record, controls] : coded) {
    const auto decoded = decoder.decode(ByteReader{controls});
    require(decoded && std::ranges::equal(*decoded, record));
  }
  require(decoder.unused_bytes() == 0);
}

} // namespace

MAPSCOPE_FUZZ_TARGET(recording_fuzz, data, size_bytes) {
  const auto bytes = std::as_bytes(std::span{data, size_bytes});
  replay_all(ByteSource{bytes});

  // The first two bytes say how many of the others are words.
  const std::size_t wish = size_bytes < 2 ? 0 : data[0] | std::size_t{data[1]} << 8;
  const auto rest = bytes.subspan(std::min<std::size_t>(2, size_bytes));
  const std::size_t word_bytes = std::min(wish, rest.size());
  const Bytes file = recording_of(rest.first(rest.size() - word_bytes), rest.last(word_bytes));
  replay_all(ByteSource{file});

  code_and_decode(bytes);
  return 0;
}
