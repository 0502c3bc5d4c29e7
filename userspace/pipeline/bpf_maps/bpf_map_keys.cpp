// Keys of a window, of a map, and in a file; see bpf_map_keys.h and bpf_map_watch.h.
#include "pipeline/bpf_maps/bpf_map_keys.h"

#include <span>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/write_all.h"
#include "judge/key_distribution.h"
#include "kernel/bpf_maps/key_reader.h"
#include "pipeline/bpf_maps/bpf_map_watch.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kHeldKeysMax = 4'096; // of a sample

// Lines of a file, a page of them in memory at a time.
class KeyFile {
public:
  KeyFile(Fd file, std::uint64_t bytes_max) : file_(std::move(file)), bytes_max_(bytes_max) {}

  // False: the line does not fit any more, or could not be written.
  bool add(std::string_view line) {
    constexpr std::size_t kLastLineMax = 256, kPageBytes = 64 << 10;
    if (bytes_ + line.size() + 1 + kLastLineMax > bytes_max_) {
      is_full_ = true;
      return false;
    }
    page_ += line;
    page_ += '\n';
    bytes_ += line.size() + 1;
    if (page_.size() >= kPageBytes)
      written_ = flush();
    return written_.has_value();
  }

  Result<> finish(const std::string &last_line) {
    TRY(std::move(written_));
    page_ += last_line + "\n";
    return flush();
  }

  bool is_full() const { return is_full_; }

private:
  Result<> flush() {
    const std::string page = std::exchange(page_, {});
    return write_all(file_, std::as_bytes(std::span{page}));
  }

  Fd file_;
  std::uint64_t bytes_ = 0, bytes_max_;
  std::string page_;
  Result<> written_;
  bool is_full_ = false;
};

std::string last_line_of(const KeyReadAnswer &answer, bool is_full, std::uint64_t bytes_max) {
  if (is_full)
    return fmt::format("# {} keys; more did not fit into {} bytes", answer.keys, bytes_max);
  return answer.is_complete
             ? fmt::format("# all {} keys", answer.keys)
             : fmt::format("# {} keys; there are more: {}", answer.keys,
                           answer.stopped.empty() ? "it is not known why" : answer.stopped);
}

} // namespace

std::optional<BpfKeyDistribution> distribution_of_keys(const BpfMapFacts &map,
                                                       const LookedUpKeys &looked_up) {
  const MapDataFormatter formatter = MapDataFormatter::of(map);
  const auto text = [&](std::span<const std::byte> key) {
    // Of long keys a window has but the beginning.
    return formatter.key(key) + (key.size() < map.key_bytes ? "..." : "");
  };
  if (const auto found = looked_up.find(map.id); found != looked_up.end()) {
    BpfKeyDistribution answer = key_distribution(found->second.keys, text);
    answer.of = found->second.by_programs ? "lookups by programs" : "lookups through bpf(2)";
    return answer;
  }
  std::vector<std::vector<std::byte>> held;
  const auto read = read_keys(map, {.keys_max = kHeldKeysMax}, [&](auto key, auto) {
    held.emplace_back(key.begin(), key.end());
    return held.size() < kHeldKeysMax;
  });
  if (!read || held.empty())
    return std::nullopt;
  BpfKeyDistribution answer = key_distribution(held, text);
  answer.of =
      read->is_complete ? "the keys that the map holds" : "a part of the keys that the map holds";
  return answer;
}

Result<std::uint64_t> write_key_file(const BpfMapFacts &map, const std::string &path,
                                     std::uint64_t bytes_max) {
  Fd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!fd)
    return std::unexpected(Error::from_errno(fmt::format("making {}", path)));
  KeyFile file{std::move(fd), bytes_max};
  const MapDataFormatter formatter = MapDataFormatter::of(map);
  std::uint64_t keys = 0;
  auto read = read_keys(map, {}, [&](std::span<const std::byte> key, auto) {
    const bool fits = file.add(formatter.key(key));
    keys += fits;
    return fits;
  });
  if (!read) {
    ::unlink(path.c_str());
    return std::unexpected(std::move(read).error());
  }
  read->keys = keys;
  TRY_WHILE(file.finish(last_line_of(*read, file.is_full(), bytes_max)), "writing {}", path);
  return keys;
}

} // namespace mapscope
