// Keys to whoever wants them, a page at a time; see key_reader.h.
#include "kernel/bpf_maps/key_reader.h"

#include "kernel/bpf_maps/key_walk.h"

namespace mapscope {

Result<KeyReadAnswer> read_keys(const BpfMapFacts &map, const KeyReadOptions &options,
                                const std::function<bool(std::span<const std::byte> key,
                                                         std::span<const std::byte> value)> &take) {
  KeyReadAnswer answer;
  auto walk = TRY(MapKeyWalk::open(map, options.with_values));
  while (!walk.is_over()) {
    const MapKeyPage page = TRY(walk.next());
    const std::size_t value_bytes = page.count == 0 ? 0 : page.values.size() / page.count;
    for (std::size_t i = 0; i < page.count; ++i) {
      if (answer.keys >= options.keys_max) {
        answer.stopped = "that was enough";
        return answer;
      }
      ++answer.keys;
      if (!take(page.keys.subspan(i * map.key_bytes, map.key_bytes),
                page.values.subspan(i * value_bytes, value_bytes))) {
        answer.stopped = "that was enough";
        return answer;
      }
    }
  }
  answer.stopped = walk.stopped();
  answer.is_complete = answer.stopped.empty();
  return answer;
}

} // namespace mapscope
