// MessagePack under limits.
#include "wire/message.h"

#include <string>
#include <utility>
#include <vector>

namespace mapscope {
namespace {

using Json = nlohmann::json;

// Builds JSON as nlohmann::json::from_msgpack would, and gives up at a limit (the interface is
// that of nlohmann::json_sax). The library's own
// parser recurses once per level, so depth is what keeps the stack whole.
class LimitedBuilder {
public:
  explicit LimitedBuilder(const WireLimits &limits) : limits_(limits) {}

  bool null() { return add(nullptr); }
  bool boolean(bool value) { return add(value); }
  bool number_integer(std::int64_t value) { return add(value); }
  bool number_unsigned(std::uint64_t value) { return add(value); }
  bool number_float(double, const std::string &) { return stop("a fraction"); }
  bool string(std::string &value) {
    return value.size() > limits_.text_bytes ? stop("a text that is too long")
                                             : add(std::move(value));
  }
  bool binary(Json::binary_t &value) {
    return value.empty() || value.size() > limits_.byte_string_bytes || value.has_subtype()
               ? stop("a byte string")
               : add(std::move(value));
  }
  bool start_object(std::size_t) { return open(Json::object()); }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string &value) {
    key_ = std::move(value);
    return key_.size() <= limits_.text_bytes || stop("a key that is too long");
  }
  bool parse_error(std::size_t position, const std::string &, const Json::exception &) {
    return stop(fmt::format("no MessagePack at byte {}", position));
  }

  Result<Json> take() && {
    if (!problem_.empty())
      return fail(Errc::malformed, "{}", problem_);
    return std::move(root_);
  }

private:
  bool stop(std::string problem) {
    if (problem_.empty())
      problem_ = std::move(problem);
    return false;
  }

  // Where the next value goes; elements of the containers above stay put meanwhile, since
  // only the innermost one grows.
  Json &place(Json value) {
    if (open_.empty())
      return root_ = std::move(value);
    Json &container = *open_.back();
    if (container.is_object())
      return container[std::move(key_)] = std::move(value);
    return container.emplace_back(std::move(value));
  }

  bool add(Json value) {
    if (++value_count_ > limits_.value_count)
      return stop("too many values");
    place(std::move(value));
    return true;
  }

  bool open(Json container) {
    if (open_.size() >= limits_.depth)
      return stop("values nested too deep");
    if (++value_count_ > limits_.value_count)
      return stop("too many values");
    open_.push_back(&place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  const WireLimits &limits_;
  Json root_;
  std::vector<Json *> open_;
  std::string key_;
  std::size_t value_count_ = 0;
  std::string problem_;
};

} // namespace

Result<Json> decode_message(std::span<const std::byte> bytes, const WireLimits &limits) {
  const auto *first = reinterpret_cast<const std::uint8_t *>(bytes.data());
  LimitedBuilder builder{limits};
  Json::sax_parse(first, first + bytes.size(), &builder, Json::input_format_t::msgpack);
  return std::move(builder).take();
}

} // namespace mapscope
