// Escapes as RFC 8259 asks, and no more.
#include "report/json_writer.h"

#include <cstddef>
#include <iterator>

#include "base/printable.h"
#include "report/append.h"

namespace mapscope {

namespace {

constexpr bool stands_for_itself(char character) {
  return character >= 0x20 && character < 0x7f && character != '"' && character != '\\';
}

void append_escaped(char character, std::string &out) {
  switch (character) {
  case '"':
    out += "\\\"";
    break;
  case '\\':
    out += "\\\\";
    break;
  case '\n':
    out += "\\n";
    break;
  case '\t':
    out += "\\t";
    break;
  default:
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(character));
  }
}

} // namespace

void append_json_string(std::string_view text, std::string &out) {
  out += '"';
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && stands_for_itself(text[plain]))
      ++plain;
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty())
      break;
    std::size_t length = utf8_length(text);
    if (length == 1)
      append_escaped(text.front(), out);
    else if (length == 0)
      out += "\xef\xbf\xbd";
    else
      out += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  out += '"';
}

void JsonWriter::hex(std::uint64_t value) {
  separate();
  out_ += '"';
  append_hex(value, out_);
  out_ += '"';
}

void JsonWriter::microseconds(std::uint64_t value_ns) {
  number(value_ns / 1000);
  out_ += '.';
  append_decimals(value_ns % 1000, 3, out_);
}

} // namespace mapscope
