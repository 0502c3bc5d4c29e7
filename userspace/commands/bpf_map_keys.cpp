// Lines of text, or one JSON document (schema mapscope.bpf_keys/1); see bpf_map_keys.h.
#include "commands/bpf_map_keys.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <limits>
#include <memory>
#include <span>
#include <string>

#include <fmt/format.h>

#include "base/printable.h"
#include "base/write_all.h"
#include "kernel/bpf_maps/key_reader.h"
#include "kernel/bpf_maps/map_facts.h"
#include "report/json_writer.h"

namespace mapscope {
namespace {

using DataBytes = std::span<const std::byte>;

std::string hex_of(DataBytes bytes) {
  std::string text;
  for (const std::byte byte : bytes)
    fmt::format_to(std::back_inserter(text), "{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

class KeyPrinter {
public:
  KeyPrinter(const BpfMapFacts &map, const PrintKeysOptions &options, const Fd &output)
      : map_(map), options_(options), output_(output), formatter_(MapDataFormatter::of(map)) {}

  void begin() {
    if (!options_.json)
      return;
    json_.open_object();
    json_.key("schema").string("mapscope.bpf_keys/1");
    json_.key("id").number(map_.id);
    json_.key("name").string(map_.name);
    json_.key("type").string(map_.type);
    json_.key("keys").open_array();
  }

  // False: no more is wanted, or nobody reads on.
  bool add(DataBytes key, DataBytes value) {
    if (options_.limit != 0 && count_ == options_.limit) {
      is_cut_ = true;
      return false;
    }
    ++count_;
    options_.json ? add_json(key, value) : add_text(key, value);
    constexpr std::size_t kPageBytes = 64 << 10;
    if (page_.size() >= kPageBytes)
      flush();
    return written_.has_value();
  }

  Result<> finish(const KeyReadAnswer &answer) {
    TRY(std::move(written_));
    const bool is_complete = answer.is_complete && !is_cut_;
    const std::string stopped = is_cut_ ? fmt::format("--limit {} was reached", options_.limit)
                                : answer.stopped.empty() ? "it is not known why"
                                                         : answer.stopped;
    if (options_.json) {
      json_.close_array();
      json_.key("count").number(count_);
      json_.key("complete").boolean(is_complete);
      is_complete ? json_.key("stopped").null() : json_.key("stopped").string(stopped);
      json_.close_object();
      page_ += '\n';
    } else {
      page_ += is_complete ? fmt::format("# all {} keys\n", count_)
                           : fmt::format("# {} keys; there may be more: {}\n", count_, stopped);
    }
    const std::string page = std::exchange(page_, {});
    return write_all(output_, std::as_bytes(std::span{page}));
  }

private:
  void add_text(DataBytes key, DataBytes value) {
    page_ += printable(formatter_.key(key));
    if (options_.with_values)
      page_ += ": " + printable(formatter_.value(value));
    page_ += '\n';
  }

  void add_json(DataBytes key, DataBytes value) {
    json_.open_object();
    json_.key("key").string(formatter_.key(key));
    json_.key("key_hex").string(hex_of(key));
    if (options_.with_values) {
      json_.key("value").string(formatter_.value(value));
      json_.key("value_hex").string(hex_of(value));
    }
    json_.close_object();
  }

  // The writer of JSON looks at the last character to tell whether a comma is due.
  void flush() {
    written_ = write_all(output_, std::as_bytes(std::span{page_}.first(page_.size() - 1)));
    page_.erase(0, page_.size() - 1);
  }

  const BpfMapFacts &map_;
  const PrintKeysOptions &options_;
  const Fd &output_;
  MapDataFormatter formatter_;
  std::string page_;
  JsonWriter json_{page_};
  Result<> written_;
  std::uint64_t count_ = 0;
  bool is_cut_ = false;
};

} // namespace

Result<> print_bpf_map_keys(const PrintKeysOptions &options, const Fd &output) {
  const MapFactsAnswer facts = TRY(find_bpf_maps({.with_holders = false}));
  const auto map =
      std::ranges::find(facts.maps, options.id, [](const BpfMapFacts &it) { return it.id; });
  if (map == facts.maps.end())
    return fail(Errc::not_found, "there is no map {}", options.id);
  KeyPrinter printer{*map, options, output};
  printer.begin();
  const std::uint64_t keys_max = // one more tells whether there are more
      options.limit == 0 || options.limit == std::numeric_limits<std::uint64_t>::max()
          ? std::numeric_limits<std::uint64_t>::max()
          : options.limit + 1;
  const KeyReadAnswer answer =
      TRY(read_keys(*map, {.keys_max = keys_max, .with_values = options.with_values},
                    [&](DataBytes key, DataBytes value) { return printer.add(key, value); }));
  return printer.finish(answer);
}

} // namespace mapscope
