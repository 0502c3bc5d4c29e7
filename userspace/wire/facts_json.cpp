// One description of the fields (exchange), used in both directions.
#include "wire/facts_json.h"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <limits>
#include <type_traits>
#include <utility>

#include <fmt/ranges.h>

#include "base/printable.h"
#include "flow/operation_names.h"
#include "wire/facts_check.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;

// Far above what any real program has.
constexpr std::size_t kTextBytesMax = 64 << 10;
constexpr std::size_t kElementsMax = 65'536;

constexpr std::array kMachineNames = {std::pair{Machine::amd64, std::string_view{"amd64"}},
                                      std::pair{Machine::arm64, std::string_view{"arm64"}}};
constexpr std::array kMapImplementationNames = {
    std::pair{MapImplementation::none, std::string_view{"none"}},
    std::pair{MapImplementation::classic, std::string_view{"classic"}},
    std::pair{MapImplementation::swiss, std::string_view{"swiss"}},
};
constexpr std::array kLayoutSourceNames = {
    std::pair{LayoutSource::dwarf, std::string_view{"dwarf"}},
    std::pair{LayoutSource::table, std::string_view{"table"}},
    std::pair{LayoutSource::nearest, std::string_view{"nearest"}},
    std::pair{LayoutSource::none, std::string_view{"none"}},
};

constexpr const auto &names_of(Machine) { return kMachineNames; }
constexpr const auto &names_of(MapImplementation) { return kMapImplementationNames; }
constexpr const auto &names_of(LayoutSource) { return kLayoutSourceNames; }
constexpr const auto &names_of(map_operation) { return kMapOperationNames; }
constexpr const auto &names_of(heap_request) { return kHeapRequestNames; }

template <typename T>
concept Named = requires(T value) { names_of(value); };

template <Named T> std::string name_of(T value) {
  const auto &names = names_of(value);
  auto found = std::ranges::find(names, value, &std::pair<T, std::string_view>::first);
  return found == names.end() ? std::string{} : std::string{found->second};
}

template <Named T> Result<T> from_name(std::string_view name) {
  const auto &names = names_of(T{});
  auto found = std::ranges::find(names, name, &std::pair<T, std::string_view>::second);
  if (found == names.end())
    return fail(Errc::malformed, "unknown name '{}'", printable(name.substr(0, 64)));
  return found->first;
}

template <typename T> constexpr bool is_address = false;
template <typename Space> constexpr bool is_address<Address<Space>> = true;
template <typename T> constexpr bool is_optional = false;
template <typename T> constexpr bool is_optional<std::optional<T>> = true;
template <typename T> constexpr bool is_vector = false;
template <typename T> constexpr bool is_vector<std::vector<T>> = true;
template <typename T> constexpr bool is_map = false;
template <typename Key, typename T, typename Compare>
constexpr bool is_map<std::map<Key, T, Compare>> = true;

// ---- The fields. `archive` is a Writer or a Reader.

template <typename Archive> void exchange(Archive &archive, GoVersion &version) {
  archive("major", version.major);
  archive("minor", version.minor);
  archive("patch", version.patch);
}

template <typename Archive> void exchange(Archive &archive, ElfRange &range) {
  archive("start", range.start);
  archive("size_bytes", range.size_bytes);
}

template <typename Archive> void exchange(Archive &archive, RuntimeLayout &layout) {
  archive("source", layout.source);
  archive("version", layout.version);
  archive("offsets", layout.offsets);
}

template <typename Archive> void exchange(Archive &archive, ReturnPoint &point) {
  archive("address", point.address);
  archive("offset", point.offset);
}

template <typename Archive> void exchange(Archive &archive, ProbePoint &point) {
  archive("function", point.function);
  archive("entry", point.entry);
  archive("size_bytes", point.size_bytes);
  archive("address", point.address);
  archive("offset", point.offset);
  archive("expected", point.expected);
  archive("emulated", point.emulated);
  archive("on_stack_check", point.on_stack_check);
  archive("returns", point.returns);
}

template <typename Archive> void exchange(Archive &archive, InlinedCopy &copy) {
  archive("function", copy.function);
  archive("into", copy.into);
  archive("address", copy.address);
}

template <typename Archive> void exchange(Archive &archive, FunctionRange &function) {
  archive("function", function.function);
  archive("range", function.range);
}

template <typename Archive> void exchange(Archive &archive, RuntimeVariables &variables) {
  archive("heap", variables.heap);
  archive("gc_controller", variables.gc_controller);
  archive("statistics", variables.statistics);
  archive("hash_keys", variables.hash_keys);
  archive.added("memory_profile_rate", variables.memory_profile_rate);
  archive.added("memory_buckets", variables.memory_buckets);
}

template <typename Archive> void exchange(Archive &archive, BinaryFacts &facts) {
  archive("path", facts.path);
  archive("build_id", facts.build_id);
  archive("file_size_bytes", facts.file_size_bytes);
  archive("machine", facts.machine);
  archive("is_pie", facts.is_pie);
  archive("is_stripped", facts.is_stripped);
  archive("has_dwarf", facts.has_dwarf);
  archive("entry", facts.entry);
  archive("entry_offset", facts.entry_offset);
  archive("go_version", facts.go_version);
  archive("version", facts.version);
  archive.added("is_known_release", facts.is_known_release);
  archive("experiments", facts.experiments);
  archive("build_settings", facts.build_settings);
  archive("main_module", facts.main_module);
  archive("uses_cgo", facts.uses_cgo);
  archive("uses_pgo", facts.uses_pgo);
  archive("map_implementation", facts.map_implementation);
  archive("function_count", facts.function_count);
  archive("text", facts.text);
  archive("runtime_text", facts.runtime_text);
  archive("syscall6", facts.syscall6);
  archive("systemstack_switch", facts.systemstack_switch);
  archive("module_data", facts.module_data);
  archive("all_goroutines", facts.all_goroutines);
  archive("tls_offset", facts.tls_offset);
  archive.added("variables", facts.variables);
  archive.added("zeroed_data", facts.zeroed_data);
  archive.added("types", facts.types);
  archive("layout", facts.layout);
  archive("operations", facts.operations);
  archive("heap_requests", facts.heap_requests);
  archive("misuse", facts.misuse);
  archive.added("map_writes", facts.map_writes);
  archive("inlined_copies", facts.inlined_copies);
  archive("map_functions", facts.map_functions);
  archive("map_ranges", facts.map_ranges);
  archive("warnings", facts.warnings);
}

// ---- Writing.

template <typename T> Json written(T &value);

class Writer {
public:
  template <typename T> void operator()(const char *key, T &value) {
    object_[key] = written(value);
  }
  template <typename T> void added(const char *key, T &value) { (*this)(key, value); }
  Json take() { return std::move(object_); }

private:
  Json object_ = Json::object();
};

template <typename T> Json written(T &value) {
  if constexpr (std::integral<T> || std::same_as<T, std::string>) {
    return value;
  } else if constexpr (Named<T>) {
    return name_of(value);
  } else if constexpr (is_address<T>) {
    return value.value == 0 ? Json{} : Json(fmt::format("{:#x}", value.value));
  } else if constexpr (is_optional<T>) {
    return value ? written(*value) : Json{};
  } else if constexpr (std::same_as<T, std::vector<std::uint8_t>>) {
    return fmt::format("{:02x}", fmt::join(value, ""));
  } else if constexpr (is_vector<T>) {
    Json array = Json::array();
    for (auto &element : value)
      array.push_back(written(element));
    return array;
  } else if constexpr (is_map<T>) {
    Json object = Json::object();
    for (auto &[key, element] : value) {
      if constexpr (Named<typename T::key_type>)
        object[name_of(key)] = written(element);
      else
        object[key] = written(element);
    }
    return object;
  } else {
    Writer writer;
    exchange(writer, value);
    return writer.take();
  }
}

// ---- Reading.

template <typename T> Result<> read(const Json &json, T &value);

// Reads members until one fails; what failed is told by result().
class Reader {
public:
  explicit Reader(const Json &object) : object_(object) {}

  template <typename T> void operator()(const char *key, T &value) {
    if (!result_)
      return;
    auto member = object_.find(key);
    result_ = member == object_.end() ? fail(Errc::malformed, "missing") : read(*member, value);
    if (!result_)
      result_ = std::unexpected(std::move(result_).error().while_doing(key));
  }
  // What the first recordings do not have.
  template <typename T> void added(const char *key, T &value) {
    if (object_.contains(key))
      (*this)(key, value);
  }
  Result<> result() && { return std::move(result_); }

private:
  const Json &object_;
  Result<> result_;
};

template <std::integral T> Result<> read_number(const Json &json, T &value) {
  if (json.is_number_unsigned()) {
    const auto number = json.get<std::uint64_t>();
    if (!std::in_range<T>(number))
      return fail(Errc::malformed, "{} is too large", number);
    value = static_cast<T>(number);
    return {};
  }
  if (!json.is_number_integer())
    return fail(Errc::malformed, "not a whole number");
  const auto number = json.get<std::int64_t>();
  if (!std::in_range<T>(number))
    return fail(Errc::malformed, "{} is out of range", number);
  value = static_cast<T>(number);
  return {};
}

Result<> read_text(const Json &json, std::string &value) {
  const auto *text = json.get_ptr<const std::string *>();
  if (text == nullptr)
    return fail(Errc::malformed, "not a text");
  if (text->size() > kTextBytesMax)
    return fail(Errc::malformed, "a text of {} bytes", text->size());
  value = printable(*text);
  return {};
}

Result<> read_hexadecimal(const Json &json, std::uint64_t &value) {
  std::string text;
  TRY(read_text(json, text));
  const char *end = text.data() + text.size();
  if (!text.starts_with("0x"))
    return fail(Errc::malformed, "not an address");
  auto [stop, error] = std::from_chars(text.data() + 2, end, value, 16);
  if (error != std::errc{} || stop != end)
    return fail(Errc::malformed, "not an address");
  return {};
}

// "55488b": two digits a byte.
Result<> read_bytes(const Json &json, std::vector<std::uint8_t> &value) {
  std::string text;
  TRY(read_text(json, text));
  for (std::size_t at = 0; at < text.size(); at += 2) {
    const char *end = text.data() + std::min(at + 2, text.size());
    auto [stop, error] = std::from_chars(text.data() + at, end, value.emplace_back(), 16);
    if (error != std::errc{} || stop != text.data() + at + 2)
      return fail(Errc::malformed, "not pairs of hexadecimal digits");
  }
  return {};
}

template <typename T> Result<> read_elements(const Json &json, std::vector<T> &value) {
  if (!json.is_array() || json.size() > kElementsMax)
    return fail(Errc::malformed, "not an array, or one of more than {} elements", kElementsMax);
  for (const Json &element : json) {
    T read_element{};
    TRY_WHILE(read(element, read_element), "element {}", value.size());
    value.push_back(std::move(read_element));
  }
  return {};
}

template <typename T> Result<> read_entries(const Json &json, T &value) {
  if (!json.is_object() || json.size() > kElementsMax)
    return fail(Errc::malformed, "not an object, or one of more than {} members", kElementsMax);
  for (const auto &[key, element] : json.items()) {
    if (key.size() > kTextBytesMax)
      return fail(Errc::malformed, "a key of {} bytes", key.size());
    typename T::mapped_type read_element{};
    TRY_WHILE(read(element, read_element), "{}", printable(key.substr(0, 64)));
    if constexpr (Named<typename T::key_type>)
      value.emplace(TRY(from_name<typename T::key_type>(key)), std::move(read_element));
    else
      value.emplace(printable(key), std::move(read_element));
  }
  return {};
}

template <typename T> Result<> read(const Json &json, T &value) {
  if constexpr (std::same_as<T, bool>) {
    if (!json.is_boolean())
      return fail(Errc::malformed, "neither true nor false");
    value = json.get<bool>();
    return {};
  } else if constexpr (std::integral<T>) {
    return read_number(json, value);
  } else if constexpr (std::same_as<T, std::string>) {
    return read_text(json, value);
  } else if constexpr (Named<T>) {
    std::string name;
    TRY(read_text(json, name));
    value = TRY(from_name<T>(name));
    return {};
  } else if constexpr (is_address<T>) {
    return json.is_null() ? Result<>{} : read_hexadecimal(json, value.value);
  } else if constexpr (is_optional<T>) {
    return json.is_null() ? Result<>{} : read(json, value.emplace());
  } else if constexpr (std::same_as<T, std::vector<std::uint8_t>>) {
    return read_bytes(json, value);
  } else if constexpr (is_vector<T>) {
    return read_elements(json, value);
  } else if constexpr (is_map<T>) {
    return read_entries(json, value);
  } else {
    if (!json.is_object())
      return fail(Errc::malformed, "not an object");
    Reader reader{json};
    exchange(reader, value);
    return std::move(reader).result();
  }
}

} // namespace

nlohmann::json facts_to_json(const BinaryFacts &facts) {
  BinaryFacts copy = facts; // exchange() serves both directions, so it takes what can be written
  return written(copy);
}

Result<BinaryFacts> facts_from_json(const nlohmann::json &json) {
  BinaryFacts facts;
  TRY(read(json, facts));
  TRY(check_facts(facts));
  return facts;
}

} // namespace mapscope
