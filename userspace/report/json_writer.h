// JSON written straight into a string, for streams of events where a document tree for each would
// cost more than the event. One helper escapes every text.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace mapscope {

// Appends `text` as a JSON string, quotes included. Bytes that are no UTF-8 come out as U+FFFD.
void append_json_string(std::string_view text, std::string &out);

// Appends to `out`; commas are its work, balance is the caller's.
class JsonWriter {
public:
  explicit JsonWriter(std::string &out) : out_(out) {}

  void open_object() { open('{'); }
  void close_object() { out_ += '}'; }
  void open_array() { open('['); }
  void close_array() { out_ += ']'; }

  // Names are literals of ours: nothing in them needs an escape.
  JsonWriter &key(std::string_view name) {
    separate();
    out_ += '"';
    out_ += name;
    out_ += "\":";
    return *this;
  }

  void null() { raw("null"); }
  void boolean(bool value) { raw(value ? "true" : "false"); }
  void number(std::integral auto value) {
    fmt::format_int digits{value};
    raw({digits.data(), digits.size()});
  }
  void string(std::string_view text) {
    separate();
    append_json_string(text, out_);
  }
  // A string: JSON numbers above 2^53 lose digits in many readers.
  void hex(std::uint64_t value);
  // Microseconds with nanoseconds behind the point: 1234.567
  void microseconds(std::uint64_t value_ns);
  // Text that is JSON already.
  void raw(std::string_view json) {
    separate();
    out_ += json;
  }

  template <std::integral T> void number(const std::optional<T> &value) {
    value ? number(*value) : null();
  }
  template <typename Text> void string(const std::optional<Text> &text) {
    text ? string(std::string_view{*text}) : null();
  }

private:
  void separate() {
    if (out_.empty())
      return;
    const char last = out_.back();
    if (last != '{' && last != '[' && last != ':' && last != '\n')
      out_ += ',';
  }
  void open(char bracket) {
    separate();
    out_ += bracket;
  }

  std::string &out_;
};

} // namespace mapscope
