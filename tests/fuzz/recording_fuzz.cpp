// Any bytes as a recording: into an observer that decodes what it hears and asks for names. To
// mutate what checksums and compression would hide, the input is also taken as the items of one
// chunk.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <span>

#include <zstd.h>

#include "decode/decode.h"
#include "recording/format.h"
#include "recording/recording_reader.h"

using namespace mapscope;

namespace {

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
  static void require(bool sound) {
    if (!sound)
      std::abort();
  }
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

Bytes recording_of(std::span<const std::byte> items) {
  Bytes stored(ZSTD_compressBound(items.size()));
  stored.resize(ZSTD_compress(stored.data(), stored.size(), items.data(), items.size(), 1));
  FileHeader file_header;
  file_header.header_crc = header_crc_of(file_header);
  ChunkHeader header{.stored_bytes = static_cast<std::uint32_t>(stored.size()),
                     .plain_bytes = static_cast<std::uint32_t>(items.size()),
                     .payload_crc = crc_of(stored)};
  header.header_crc = header_crc_of(header);
  Bytes file;
  append(file, std::as_bytes(std::span{&file_header, 1}));
  append(file, std::as_bytes(std::span{&header, 1}));
  append(file, stored);
  return file;
}

void replay_all(RecordingSource source) {
  Listener listener;
  // A file without a beginning has no run, and any other a whole one.
  listener.require_whole(replay(std::move(source), "fuzz", listener).has_value());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size_bytes) {
  const auto bytes = std::as_bytes(std::span{data, size_bytes});
  replay_all(RecordingSource{bytes});

  const Bytes file = recording_of(bytes);
  replay_all(RecordingSource{file});
  return 0;
}
