// Tables of words, and text measured in columns.
#include "report/maps_words.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/format.h"
#include "base/printable.h"

namespace mapscope {

std::string_view name_of(MapCause cause) {
  switch (cause) {
  case MapCause::none:
    return "";
  case MapCause::emptied:
    return "emptied";
  case MapCause::over_hinted:
    return "over_hinted";
  case MapCause::mostly_empty:
    return "mostly_empty";
  case MapCause::tombstones:
    return "tombstones";
  case MapCause::overflow:
    return "overflow";
  case MapCause::old_buckets:
    return "old_buckets";
  case MapCause::no_hint:
    return "no_hint";
  case MapCause::padding:
    return "padding";
  case MapCause::known_defect:
    return "known_defect";
  }
  return "";
}

std::string_view name_of(MapEvidence evidence) {
  switch (evidence) {
  case MapEvidence::plausible:
    return "plausible";
  case MapEvidence::consistent:
    return "consistent";
  case MapEvidence::referenced:
    return "referenced";
  case MapEvidence::proved:
    return "proved";
  }
  return "";
}

std::string_view name_of(TypeCertainty certainty) {
  switch (certainty) {
  case TypeCertainty::unknown:
    return "unknown";
  case TypeCertainty::candidate:
    return "candidate";
  case TypeCertainty::exact:
    return "exact";
  }
  return "";
}

std::string_view name_of(MapPart part) {
  switch (part) {
  case MapPart::header:
    return "header";
  case MapPart::directory:
    return "directory";
  case MapPart::table:
    return "table";
  case MapPart::groups:
    return "groups";
  case MapPart::buckets:
    return "buckets";
  case MapPart::old_buckets:
    return "old_buckets";
  case MapPart::overflow_bucket:
    return "overflow_bucket";
  case MapPart::overflow_list:
    return "overflow_list";
  case MapPart::indirect_key:
    return "indirect_key";
  case MapPart::indirect_element:
    return "indirect_element";
  }
  return "";
}

std::string words_for(MapCause cause) {
  if (cause == MapCause::over_hinted)
    return "over-hinted";
  std::string words{name_of(cause)};
  std::ranges::replace(words, '_', ' ');
  return words;
}

std::string_view sentence_for(MapEvidence evidence) {
  switch (evidence) {
  case MapEvidence::plausible:
    return "a header without contents that nothing contradicts";
  case MapEvidence::consistent:
    return "its tables or buckets agree with its header in every count";
  case MapEvidence::referenced:
    return "a typed object points to it as to a map";
  case MapEvidence::proved:
    return "its keys hash to where they lie";
  }
  return "";
}

std::string type_text(const JudgedMap &map) {
  return type_text(map.type, map.candidates, map.candidate_count);
}

std::string type_text(const std::string &type, std::span<const std::string> candidates,
                      std::uint64_t candidate_count) {
  constexpr std::uint64_t kNamedMax = 3; // of more, none is named: it would look like the answer
  if (candidate_count == 0)
    return type.empty() ? "unknown" : printable(type);
  if (candidates.size() == 1 && candidate_count == 1)
    return fmt::format("{} or what has its shape", printable(type));
  if (candidate_count <= kNamedMax && candidates.size() == candidate_count)
    return printable(fmt::format("{}", fmt::join(candidates, " or ")));
  return type.empty()
             ? fmt::format("one of {} types", format_count(candidate_count))
             : fmt::format("{}, one of {} types", printable(type), format_count(candidate_count));
}

std::string percent_text(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0)
    return "-";
  double percent = 100 * static_cast<double>(part) / static_cast<double>(whole);
  // Neither nothing nor all of it is said of what is not.
  if (part != 0 && percent < 1)
    return "<1%";
  if (part < whole && percent > 99)
    return "99%";
  return fmt::format("{:.0f}%", percent);
}

std::string bar_text(std::uint64_t part, std::uint64_t whole, std::size_t width, bool unicode) {
  constexpr std::string_view kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const std::size_t steps = width * (unicode ? 8 : 1);
  std::size_t filled = 0;
  if (whole != 0 && part != 0) {
    double share = std::min(1.0, static_cast<double>(part) / static_cast<double>(whole));
    filled = std::max<std::size_t>(
        1, static_cast<std::size_t>(std::lround(share * static_cast<double>(steps))));
    if (part < whole)
      filled = std::min(filled, steps - 1);
  }
  std::string bar;
  if (!unicode)
    return std::string(filled, '#') + std::string(width - filled, '.');
  for (std::size_t i = 0; i < filled / 8; ++i)
    bar += "█";
  bar += kEighths[filled % 8];
  std::size_t columns = filled / 8 + (filled % 8 != 0);
  return bar + std::string(width - columns, ' ');
}

std::string cut_to(std::string_view text, std::size_t width) {
  std::size_t at = 0, columns = 0, end_of_cut = 0;
  while (at < text.size()) {
    if (columns + 3 <= width)
      end_of_cut = at;
    if (columns == width)
      return std::string{text.substr(0, end_of_cut)} + "...";
    at += std::max<std::size_t>(1, utf8_length(text.substr(at)));
    ++columns;
  }
  return std::string{text};
}

namespace {

// Where the line may break next: a short assignment or call stays in one piece.
std::size_t end_of_word(std::string_view text) {
  constexpr std::size_t kPieceMax = 40;
  std::size_t end = text.find(' ');
  while (end != text.npos) {
    std::string_view piece = text.substr(0, end), rest = text.substr(end + 1);
    bool is_assignment = rest.starts_with("= ") || rest.starts_with(":= ") ||
                         piece.ends_with(" =") || piece.ends_with(" :=");
    bool is_call =
        !piece.starts_with('(') && std::ranges::count(piece, '(') > std::ranges::count(piece, ')');
    std::size_t next = text.find(' ', end + 1);
    if ((!is_assignment && !is_call) || std::min(next, text.size()) > kPieceMax)
      break;
    end = next;
  }
  return end;
}

} // namespace

std::string wrapped(std::string_view text, std::size_t column, std::size_t indent,
                    std::size_t width) {
  std::string out;
  bool is_first = true; // of its line
  while (!text.empty()) {
    std::string_view word = text.substr(0, end_of_word(text));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!is_first && column + 1 + word.size() > width) {
      out += '\n';
      out.append(indent, ' ');
      column = indent;
      is_first = true;
    }
    if (!is_first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    is_first = false;
  }
  return out;
}

std::string time_text(std::uint64_t wall_time_ns) {
  if (wall_time_ns == 0)
    return {};
  auto seconds = static_cast<std::time_t>(wall_time_ns / 1'000'000'000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds));
}

} // namespace mapscope
