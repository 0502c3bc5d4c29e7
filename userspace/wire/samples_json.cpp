// Each struct's fields are named once, for writing and for reading.
#include "wire/samples_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/overloaded.h"
#include "base/printable.h"

namespace mapscope {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kSchema = "mapscope.samples/1";
constexpr std::array<std::string_view, std::variant_size_v<RuleInput>> kInputNames = {
    "process_appeared", "process_ended", "census", "rates", "misuse", "verification", "bpf_maps"};
constexpr std::array<std::string_view, 10> kCauseNames = {
    "",         "emptied",     "over_hinted", "mostly_empty", "tombstones",
    "overflow", "old_buckets", "no_hint",     "padding",      "known_defect"};

// The only number that may be below 0: entries become fewer, too.
constexpr const char *kSignedField = "entries_per_second";

// The fields of each struct. `field(name, value)` is the writer's or the reader's.
template <typename Archive, typename T>
concept Of = std::same_as<std::remove_const_t<Archive>, T>;

template <Of<ProcessKey> T> void fields(T &key, auto &&field) {
  field("pid", key.pid);
  field("start_time_ns", key.start_time_ns);
}
template <Of<CgroupIdentity> T> void fields(T &cgroup, auto &&field) {
  field("path", cgroup.path);
  field("container_id", cgroup.container_id);
  field("pod_uid", cgroup.pod_uid);
  field("unit", cgroup.unit);
}
template <Of<ProcessIdentity> T> void fields(T &process, auto &&field) {
  field("key", process.key);
  field("exe", process.exe);
  field("command_line", process.command_line);
  field("uid", process.uid);
  field("user", process.user);
  field("cgroup", process.cgroup);
}
template <Of<SourceFrame> T> void fields(T &frame, auto &&field) {
  field("function", frame.function);
  field("file", frame.file);
  field("line", frame.line);
  field("inlined", frame.inlined);
}
template <Of<SampledMap> T> void fields(T &map, auto &&field) {
  field("address", map.address);
  field("seed", map.seed);
  field("type", map.type);
  field("owner", map.owner);
  field("site", map.site);
  field("unreachable", map.is_unreachable);
  field("len", map.len);
  field("slots", map.slots);
  field("bytes", map.bytes);
  field("reclaimable_bytes", map.reclaimable_bytes);
  field("cause", map.cause);
  field("explanation", map.explanation);
  field("advice", map.advice);
}
template <Of<HeapStatistics> T> void fields(T &heap, auto &&field) {
  field("live_bytes", heap.live_bytes);
  field("allocated_bytes", heap.allocated_bytes);
  field("in_use_bytes", heap.in_use_bytes);
  field("idle_bytes", heap.idle_bytes);
  field("released_bytes", heap.released_bytes);
  field("goal_bytes", heap.goal_bytes);
  field("limit_bytes", heap.limit_bytes);
  field("gc_cycles", heap.gc_cycles);
  field("objects_allocated", heap.objects_allocated);
  field("objects_freed", heap.objects_freed);
}
template <Of<MemoryLimits> T> void fields(T &limits, auto &&field) {
  field("resident_bytes", limits.resident_bytes);
  field("cgroup_bytes", limits.cgroup_bytes);
  field("cgroup_limit_bytes", limits.cgroup_limit_bytes);
  field("go_used_bytes", limits.go_used_bytes);
  field("go_limit_bytes", limits.go_limit_bytes);
}
template <Of<SiteRate> T> void fields(T &rate, auto &&field) {
  field("site", rate.site);
  field("type", rate.type);
  field("growths", rate.growths);
  field("creations", rate.creations);
  field("growths_per_minute", rate.growths_per_minute);
  field("creations_per_second", rate.creations_per_second);
  field("relative_error", rate.relative_error);
  field("slots_max", rate.slots_max);
}
template <Of<FileIoCall> T> void fields(T &call, auto &&field) {
  field("call", call.call);
  field("path", call.path);
  field("operation", call.operation);
  field("site", call.site);
  field("cause", call.cause);
  field("count", call.count);
}
template <Of<ProcessAppeared> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
}
template <Of<ProcessEnded> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
}
template <Of<CensusSample> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
  field("heap", input.heap);
  field("map_count", input.map_count);
  field("map_entries", input.map_entries);
  field("map_bytes", input.map_bytes);
  field("map_reclaimable_bytes", input.map_reclaimable_bytes);
  field("allocated_bytes", input.allocated_bytes);
  field("allocated_by_maps_bytes", input.allocated_by_maps_bytes);
  field("limits", input.limits);
  field("maps", input.maps);
  field("maps_left_out", input.maps_left_out);
  field("unchanged", input.is_unchanged);
}
template <Of<RateSample> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
  field("watched_ns", input.watched_ns);
  field("hits", input.hits);
  field("lost", input.lost);
  field("sites", input.sites);
}
template <Of<MisuseSample> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
  field("message", input.message);
  field("fatal", input.is_fatal);
  field("type", input.type);
  field("site", input.site);
  field("goroutine", input.goroutine);
  field("others", input.others);
}
template <Of<VerifySample> T> void fields(T &input, auto &&field) {
  field("time_ns", input.time_ns);
  field("process", input.process);
  field("verdict", input.verdict);
  field("reasons", input.reasons);
  field("operations", input.operations);
  field("duration_ns", input.duration_ns);
  field("violations", input.violations);
}
template <Of<BpfMapProgram> T> void fields(T &program, auto &&field) {
  field("id", program.id);
  field("name", program.name);
  field("type", program.type);
}
template <Of<BpfMapHolder> T> void fields(T &holder, auto &&field) {
  field("process", holder.process);
  field("directly", holder.directly);
}
template <Of<BpfMapFacts> T> void fields(T &map, auto &&field) {
  field("id", map.id);
  field("name", map.name);
  field("type", map.type);
  field("type_number", map.type_number);
  field("key_bytes", map.key_bytes);
  field("value_bytes", map.value_bytes);
  field("max_entries", map.max_entries);
  field("flags", map.flags);
  field("flag_names", map.flag_names);
  field("extra", map.extra);
  field("btf_id", map.btf_id);
  field("key_type", map.key_type);
  field("value_type", map.value_type);
  field("frozen", map.is_frozen);
  field("memory_bytes", map.memory_bytes);
  field("memory_method", map.memory_method);
  field("pinned_paths", map.pinned_paths);
  field("programs", map.programs);
  field("holders", map.holders);
  field("owner", map.owner);
  field("created_before_wall_ns", map.created_before_wall_ns);
  field("created_by_word", map.created_by_word);
  field("own", map.is_own);
  field("problem", map.problem);
}
template <Of<BpfMapFill> T> void fields(T &fill, auto &&field) {
  field("entries", fill.entries);
  field("used_bytes", fill.used_bytes);
  field("method", fill.method);
  field("error", fill.error);
  field("fill", fill.fill);
  field("note", fill.note);
}
template <Of<BpfRate> T> void fields(T &rate, auto &&field) {
  field("exact", rate.exact);
  field("estimate", rate.estimate);
  field("lower", rate.lower);
  field("upper", rate.upper);
  field("note", rate.note);
}
template <Of<BpfMapRates> T> void fields(T &rates, auto &&field) {
  field("window_ns", rates.window_ns);
  field("system_lookups", rates.system_lookups);
  field("system_updates", rates.system_updates);
  field("system_deletes", rates.system_deletes);
  field("program_lookups", rates.program_lookups);
  field("program_updates", rates.program_updates);
  field("program_deletes", rates.program_deletes);
  field("insert_failures", rates.insert_failures);
  field("sees_program_failures", rates.sees_program_failures);
  field("lost", rates.lost);
}
template <Of<BpfKeyCount> T> void fields(T &count, auto &&field) {
  field("key", count.key);
  field("count", count.count);
}
template <Of<BpfKeyDistribution> T> void fields(T &keys, auto &&field) {
  field("of", keys.of);
  field("sampled", keys.sampled);
  field("distinct", keys.distinct);
  field("top", keys.top);
  field("prefixes", keys.prefixes);
  field("entropy_bits", keys.entropy_bits);
}
template <Of<BpfTimeToFull> T> void fields(T &to_full, auto &&field) {
  field("seconds", to_full.seconds);
  field("lower", to_full.lower);
  field("upper", to_full.upper);
  field(kSignedField, to_full.entries_per_second);
  field("note", to_full.note);
}
template <Of<BpfMapSample> T> void fields(T &map, auto &&field) {
  field("facts", map.facts);
  field("fill", map.fill);
  field("rates", map.rates);
  field("time_to_full", map.time_to_full);
  field("keys", map.keys);
  field("key_file", map.key_file);
}
template <Of<BpfMapsLook> T> void fields(T &look, auto &&field) {
  field("time_ns", look.time_ns);
  field("maps", look.maps);
  field("cpu_ns", look.cpu_ns);
  field("vanished", look.vanished);
  field("not_counted", look.not_counted);
  field("problems", look.problems);
}
template <Of<BpfMapsSample> T> void fields(T &sample, auto &&field) {
  field("time_ns", sample.time_ns);
  field("look", sample.look);
}

// What its absence says as well.
bool is_nothing(const Json &json) {
  return json.is_string()       ? json.get_ref<const std::string &>().empty()
         : json.is_structured() ? json.empty()
                                : json == 0 || json == false;
}

// Texts may hold bytes that are no UTF-8, which JSON can't.
Json json_of(const std::string &text) { return printable(text); }
Json json_of(ProcessAddress address) { return fmt::format("{:#x}", address.value); }
Json json_of(MapCause cause) { return kCauseNames[static_cast<std::size_t>(cause)]; }
Json json_of(BpfMethod method) {
  return method == BpfMethod::unknown ? "" : kBpfMethodNames[static_cast<std::size_t>(method)];
}
Json json_of(BpfMemoryMethod method) {
  return method == BpfMemoryMethod::unknown
             ? ""
             : kBpfMemoryMethodNames[static_cast<std::size_t>(method)];
}
Json json_of(const std::map<std::string, std::uint64_t> &counts) { return counts; }
template <typename T>
  requires std::is_arithmetic_v<T>
Json json_of(T number) {
  return number;
}
template <typename T> Json json_of(const std::vector<T> &list);
template <typename T>
  requires std::is_class_v<T>
Json json_of(const T &value) {
  Json object = Json::object();
  fields(value, [&object]<typename Field>(const char *name, const Field &field) {
    if constexpr (requires { field.has_value(); }) {
      if (field)
        object[name] = json_of(*field);
    } else if (Json json = json_of(field); !is_nothing(json)) {
      object[name] = std::move(json);
    }
  });
  return object;
}
template <typename T> Json json_of(const std::vector<T> &list) {
  Json array = Json::array();
  for (const T &value : list)
    array.push_back(json_of(value));
  return array;
}

// Null is what is absent. Reads fields until one is wrong; `error` then says which.
class SampleReader {
public:
  explicit SampleReader(const SampleLimits &limits) : limits_(limits) {}

  template <typename T> bool read(const Json &json, T &value) {
    if constexpr (std::is_same_v<T, bool>)
      return json.is_boolean() && (value = json.get<bool>(), true);
    else if constexpr (std::unsigned_integral<T>)
      return read_number(json, value);
    else if constexpr (std::floating_point<T>)
      return json.is_number() && std::isfinite(value = json.get<T>()) && value >= 0;
    else if constexpr (std::is_same_v<T, std::string>)
      return json.is_string() && json.get_ref<const std::string &>().size() <= limits_.text_bytes &&
             (value = printable(json.get_ref<const std::string &>()), true);
    else if constexpr (std::is_same_v<T, ProcessAddress>)
      return read_address(json, value);
    else if constexpr (std::is_same_v<T, MapCause>)
      return read_name(json, kCauseNames, value);
    else if constexpr (std::is_same_v<T, BpfMethod>)
      return read_name(json, kBpfMethodNames, value);
    else if constexpr (std::is_same_v<T, BpfMemoryMethod>)
      return read_name(json, kBpfMemoryMethodNames, value);
    else
      return read_fields(json, value);
  }
  template <typename T> bool read(const Json &json, std::optional<T> &value) {
    return read(json, value.emplace());
  }
  template <typename T> bool read(const Json &json, std::vector<T> &list) {
    if (!json.is_array() || json.size() > limits_.list_length)
      return false;
    for (const Json &one : json)
      if (!read(one, list.emplace_back()))
        return false;
    return true;
  }

  bool read(const Json &json, std::map<std::string, std::uint64_t> &counts) {
    if (!json.is_object() || json.size() > limits_.list_length)
      return false;
    for (const auto &[name, count] : json.items())
      if (name.size() > limits_.text_bytes || !read(count, counts[printable(name)]))
        return false;
    return true;
  }

  const std::string &wrong_field() const { return wrong_; }

private:
  template <typename T> bool read_fields(const Json &json, T &value) {
    if (!json.is_object())
      return false;
    bool is_right = true;
    fields(value, [&](const char *name, auto &field) {
      auto found = is_right ? json.find(name) : json.end();
      if (found == json.end() || found->is_null())
        return;
      if (name == kSignedField ? read_signed(*found, field) : read(*found, field))
        return;
      is_right = false;
      wrong_ = wrong_.empty() ? std::string{name} : fmt::format("{}.{}", name, wrong_);
    });
    return is_right;
  }

  template <std::unsigned_integral T> static bool read_number(const Json &json, T &value) {
    if (!json.is_number_unsigned() || !std::in_range<T>(json.get<std::uint64_t>()))
      return false;
    value = json.get<T>();
    return true;
  }

  static bool read_address(const Json &json, ProcessAddress &address) {
    if (!json.is_string())
      return false;
    const auto &text = json.get_ref<const std::string &>();
    if (!text.starts_with("0x"))
      return false;
    auto [end, error] =
        std::from_chars(text.data() + 2, text.data() + text.size(), address.value, 16);
    return error == std::errc{} && end == text.data() + text.size();
  }

  template <typename T> static bool read_signed(const Json &json, T &value) {
    if constexpr (std::floating_point<T>)
      return json.is_number() && std::isfinite(value = json.get<T>());
    return false;
  }

  template <typename Enum>
  static bool read_name(const Json &json, std::span<const std::string_view> names, Enum &value) {
    if (!json.is_string())
      return false;
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == json.get_ref<const std::string &>()) {
        value = static_cast<Enum>(i);
        return true;
      }
    return false;
  }

  const SampleLimits &limits_;
  std::string wrong_;
};

template <std::size_t Index = 0>
Result<RuleInput> input_from_json(std::size_t index, const Json &json, const SampleLimits &limits) {
  if constexpr (Index < std::variant_size_v<RuleInput>) {
    if (index != Index)
      return input_from_json<Index + 1>(index, json, limits);
    std::variant_alternative_t<Index, RuleInput> input;
    SampleReader reader{limits};
    if (!reader.read(json, input))
      return fail(Errc::malformed, "the field {} is not what it should be", reader.wrong_field());
    return input;
  }
  return fail(Errc::malformed, "no such input");
}

} // namespace

std::string sample_to_line(const RuleInput &input) {
  Json json = std::visit([](const auto &one) { return json_of(one); }, input);
  json["schema"] = kSchema;
  json["input"] = kInputNames[input.index()];
  return json.dump();
}

Result<RuleInput> sample_from_line(std::string_view line, const SampleLimits &limits) {
  if (line.size() > limits.line_bytes)
    return fail(Errc::malformed, "a line of {} bytes; {} are allowed", line.size(),
                limits.line_bytes);
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object())
    return fail(Errc::malformed, "no JSON object");
  const auto schema = json.find("schema");
  const auto name = json.find("input");
  if (schema == json.end() || *schema != kSchema)
    return fail(Errc::malformed, "its schema is not {}", kSchema);
  for (std::size_t i = 0; i < kInputNames.size(); ++i)
    if (name != json.end() && *name == kInputNames[i])
      return input_from_json(i, json, limits);
  return fail(Errc::malformed, "its input is none of {}", fmt::join(kInputNames, ", "));
}

Result<std::vector<RuleInput>> samples_from_text(std::string_view text,
                                                 const SampleLimits &limits) {
  std::vector<RuleInput> inputs;
  for (std::size_t number = 1; !text.empty(); ++number) {
    if (number > limits.line_count)
      return fail(Errc::malformed, "more than {} lines", limits.line_count);
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty())
      inputs.push_back(TRY_WHILE(sample_from_line(line, limits), "line {}", number));
  }
  return inputs;
}

} // namespace mapscope
