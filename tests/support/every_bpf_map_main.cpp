// One BPF map of every type as a program, for end-to-end tests and for a look by hand: prints a
// line of JSON for each map, then `{"ready":true}`, obeys lines on standard input, and ends with
// it.
//
//   every_bpf_map [--level empty|some|full] [--only TYPE]... [--none]
//
//   new TYPE NAME MAX [FLAGS]          one more map, empty
//   btf NAME MAX                       a hash map with BTF, empty
//   fill ID SHARE                      hash types, arrays: exactly the keys 0 .. SHARE *
//   max_entries lookup ID RATE SECONDS HOTSHARE    lookups by bpf(2), so many of them of key 1;
//   answers at the end overfill ID N                      N more keys than fit: how many failed, by
//   errno drop ID                            the map goes away
//
// Each is answered by one line: {"did":"fill",...} or {"error":"..."}.
#include <algorithm>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <poll.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "support/bpf_map_fillings.h"
#include "support/every_bpf_map.h"

namespace mapscope::testing {
namespace {

using nlohmann::json;

void say(const json &line) { std::cout << line.dump() << std::endl; }

json map_json(const MadeBpfMap &map) {
  auto or_null = [](const auto &value) { return value ? json(*value) : json(); };
  return {{"id", map.id},
          {"name", map.name},
          {"type", map.type},
          {"type_number", map.type_number},
          {"key_bytes", map.key_bytes},
          {"value_bytes", map.value_bytes},
          {"max_entries", map.max_entries},
          {"flags", map.flags},
          {"entries", or_null(map.entries)},
          {"set_values", or_null(map.set_values)},
          {"used_bytes", or_null(map.used_bytes)}};
}

bool nobody_listens() {
  pollfd input{.fd = STDIN_FILENO, .events = 0, .revents = 0};
  return ::poll(&input, 1, 0) > 0 && (input.revents & (POLLHUP | POLLERR)) != 0;
}

class MapCommands {
public:
  json obey(const std::string &line) {
    std::istringstream words{line};
    std::string word;
    words >> word;
    if (word == "new")
      return make(words);
    if (word == "btf")
      return make_with_btf(words);
    std::uint32_t id = 0;
    words >> id;
    const MadeBpfMap *map = find(id);
    if (map == nullptr)
      return {{"error", "no such map of this program: " + line}};
    if (word == "fill")
      return fill(*map, words);
    if (word == "lookup")
      return look_up(*map, words);
    if (word == "overfill")
      return overfill(*map, words);
    if (word == "drop")
      return drop(id);
    return {{"error", "no such command: " + line}};
  }

  std::vector<MadeBpfMap> own;
  std::optional<EveryBpfMap> every;

private:
  const MadeBpfMap *find(std::uint32_t id) const {
    auto among = [&](const std::vector<MadeBpfMap> &maps) -> const MadeBpfMap * {
      const auto found = std::ranges::find(maps, id, &MadeBpfMap::id);
      return found == maps.end() ? nullptr : &*found;
    };
    const MadeBpfMap *found = among(own);
    return found != nullptr || !every ? found : among(every->maps());
  }

  json keep(Result<MadeBpfMap> made) {
    if (!made)
      return {{"error", made.error().message()}};
    made->entries = 0;
    own.push_back(std::move(*made));
    json answer = map_json(own.back());
    answer["did"] = "new";
    return answer;
  }

  json make(std::istringstream &words) {
    std::string type, name;
    std::uint32_t max = 0, flags = 0;
    words >> type >> name >> max >> flags;
    return keep(make_bpf_map(type, name, max, flags));
  }

  json make_with_btf(std::istringstream &words) {
    std::string name;
    std::uint32_t max = 0;
    words >> name >> max;
    return keep(make_hash_with_btf(name, max));
  }

  static json fill(const MadeBpfMap &map, std::istringstream &words) {
    double share = 0;
    words >> share;
    const auto wanted = static_cast<std::uint32_t>(share * map.max_entries + 0.5);
    if (auto put = put_bpf_keys(map, 0, wanted); !put)
      return {{"error", put.error().message()}};
    std::vector<std::byte> key(map.key_bytes), zero(stored_value_bytes(map));
    for (std::uint32_t i = wanted; i < map.max_entries; ++i) {
      std::memcpy(key.data(), &i, std::min<std::size_t>(key.size(), sizeof(i)));
      if (map.type.ends_with("array"))
        (void)bpf_map_update_elem(map.fd.get(), key.data(), zero.data(), BPF_EXIST);
      else
        (void)bpf_map_delete_elem(map.fd.get(), key.data()); // most were not there
    }
    return {{"did", "fill"}, {"id", map.id}, {"entries", wanted}};
  }

  // In slices of some milliseconds, each with as many lookups as were due by then.
  static json look_up(const MadeBpfMap &map, std::istringstream &words) {
    double rate = 0, seconds = 0, hot_share = 0;
    words >> rate >> seconds >> hot_share;
    std::vector<std::byte> key(map.key_bytes), value(stored_value_bytes(map));
    const std::uint64_t begin = now_ns();
    std::uint64_t done = 0, hot = 0;
    for (double elapsed = 0; elapsed < seconds && !nobody_listens();
         elapsed = static_cast<double>(now_ns() - begin) / 1e9) {
      for (; static_cast<double>(done) < elapsed * rate; ++done) {
        const bool is_hot = static_cast<double>(hot) < static_cast<double>(done + 1) * hot_share;
        hot += is_hot ? 1 : 0;
        const auto which =
            is_hot ? 1u : static_cast<std::uint32_t>(done % std::max(map.max_entries, 1u));
        std::memcpy(key.data(), &which, std::min<std::size_t>(key.size(), sizeof(which)));
        (void)bpf_map_lookup_elem(map.fd.get(), key.data(), value.data());
      }
      ::usleep(2000);
    }
    const double elapsed = static_cast<double>(now_ns() - begin) / 1e9;
    return {
        {"did", "lookup"}, {"id", map.id}, {"lookups", done}, {"hot", hot}, {"seconds", elapsed}};
  }

  static json overfill(const MadeBpfMap &map, std::istringstream &words) {
    std::uint32_t more = 0;
    words >> more;
    std::vector<std::byte> key(map.key_bytes);
    const std::vector<std::byte> value(stored_value_bytes(map), std::byte{1});
    json failures = json::object();
    for (std::uint32_t i = 0; i < map.max_entries + more; ++i) {
      std::memcpy(key.data(), &i, std::min<std::size_t>(key.size(), sizeof(i)));
      if (bpf_map_update_elem(map.fd.get(), key.data(), value.data(), BPF_ANY) == 0)
        continue;
      const std::string name = ::strerrorname_np(errno);
      failures[name] = failures.value(name, 0) + 1;
    }
    return {{"did", "overfill"}, {"id", map.id}, {"failures", failures}};
  }

  json drop(std::uint32_t id) {
    const auto gone = std::erase_if(own, [&](const MadeBpfMap &map) { return map.id == id; });
    if (gone == 0)
      return {{"error", "only maps of `new` and `btf` can be dropped"}};
    return {{"did", "drop"}, {"id", id}};
  }
};

int run_every_bpf_map(int count, char **words) {
  CLI::App app{"One BPF map of every type"};
  BpfMapLevel level = BpfMapLevel::some;
  std::vector<std::string> only;
  bool none = false;
  app.add_option("--level", level)
      ->transform(
          CLI::CheckedTransformer(std::map<std::string, BpfMapLevel>{{"empty", BpfMapLevel::empty},
                                                                     {"some", BpfMapLevel::some},
                                                                     {"full", BpfMapLevel::full}}));
  app.add_option("--only", only);
  app.add_flag("--none", none);
  CLI11_PARSE(app, count, words);

  MapCommands commands;
  if (!none)
    commands.every = EveryBpfMap::make(level, only);
  if (commands.every) {
    for (const MadeBpfMap &map : commands.every->maps())
      say(map_json(map));
    for (const RefusedBpfMap &refused : commands.every->refused())
      say({{"refused", refused.type}, {"reason", refused.reason}});
  }
  say({{"ready", true}});
  for (std::string line; std::getline(std::cin, line);)
    if (!line.empty())
      say(commands.obey(line));
  return 0;
}

} // namespace
} // namespace mapscope::testing

int main(int count, char **words) { return mapscope::testing::run_every_bpf_map(count, words); }
