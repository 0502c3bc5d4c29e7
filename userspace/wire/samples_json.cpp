// What sample_fields.h names, written and read.
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
#include "wire/sample_fields.h"

namespace mapscope {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kSchema = "mapscope.samples/1";
constexpr std::array<std::string_view, std::variant_size_v<RuleInput>> kInputNames = {
    "process_appeared", "process_ended", "census", "rates", "misuse", "verification", "bpf_maps"};
constexpr std::array<std::string_view, 10> kCauseNames = {
    "",         "emptied",     "over_hinted", "mostly_empty", "tombstones",
    "overflow", "old_buckets", "no_hint",     "padding",      "known_defect"};

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
      if (std::string_view{name} == kSignedField ? read_signed(*found, field) : read(*found, field))
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
