// The options' words on one side, events on the other.
#include "judge/trace_filter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <memory>
#include <variant>

#include "flow/memory_calls.h"

namespace mapscope {

namespace {

struct Word {
  std::string_view word;
  std::string_view short_form; // as people say it: --only grow,mmap
  std::array<TraceKind, 2> kinds;
};

constexpr Word one(std::string_view word, std::string_view short_form, TraceKind kind) {
  return {word, short_form, {kind, kind}};
}

constexpr auto kWords = std::to_array<Word>(
    {one("created", "create", TraceKind::map_created),
     one("grown", "grow", TraceKind::map_grown),
     one("split", "split", TraceKind::map_split),
     one("rehashed", "rehash", TraceKind::map_rehashed),
     one("cleared", "clear", TraceKind::map_cleared),
     one("cloned", "clone", TraceKind::map_cloned),
     one("heap", "heap", TraceKind::heap_grown),
     one("large", "large", TraceKind::large_allocation),
     one("memory", "memory", TraceKind::memory_call),
     one("file", "file", TraceKind::file_call),
     one("misuse", "misuse", TraceKind::map_misuse),
     {"process", "process", {TraceKind::process_exec, TraceKind::process_exit}}});

std::size_t index_of(TraceKind kind) { return static_cast<std::size_t>(kind); }

const AttributedCall *call_of(const TraceEvent &event) {
  const auto *call = std::get_if<std::shared_ptr<const AttributedCall>>(&event.what);
  return call == nullptr ? nullptr : call->get();
}

// Base 16 with 0x in front, else base 10; all of the text.
std::optional<std::uint64_t> number_of(std::string_view text, int base) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  struct Unit {
    std::string_view suffix;
    unsigned shift;
  };
  constexpr auto units = std::to_array<Unit>({{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"B", 0}});
  std::string_view digits = text;
  unsigned shift = 0;
  for (const Unit &unit : units)
    if (digits.ends_with(unit.suffix)) {
      digits.remove_suffix(unit.suffix.size());
      shift = unit.shift;
      break;
    }
  auto value = number_of(digits, 10);
  if (!value || *value > (UINT64_MAX >> shift))
    return fail(Errc::usage, "--min-bytes \"{}\": a number of bytes, or one with KiB, MiB or GiB",
                text);
  return *value << shift;
}

Result<ProcessAddress> parse_address(std::string_view text) {
  auto value = text.starts_with("0x") ? number_of(text.substr(2), 16) : std::nullopt;
  if (!value || *value == 0)
    return fail(Errc::usage, "--map \"{}\": the address of a map, as trace shows it: 0xc000012340",
                text);
  return ProcessAddress{*value};
}

// Whether `text` is `pattern` with any text for each '*'. Linear but for going back to the newest
// star, which suffices: an earlier star can always leave more to a later one.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t star = pattern.npos;
  std::size_t resume = 0;
  std::size_t position = 0;
  while (position < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = position;
    } else if (at < pattern.size() && pattern[at] == text[position]) {
      ++at;
      ++position;
    } else if (star != pattern.npos) {
      at = star + 1;
      position = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == pattern.npos;
}

MapTypePtr type_of(const TraceEvent &event) {
  if (const auto *change = std::get_if<MapChange>(&event.what))
    return change->type;
  if (const auto *misuse = std::get_if<std::shared_ptr<const MapMisuse>>(&event.what))
    return (*misuse)->type;
  return nullptr;
}

std::optional<ProcessAddress> map_of(const TraceEvent &event) {
  const std::optional<MapIdentity> *map = nullptr;
  if (const auto *change = std::get_if<MapChange>(&event.what))
    map = &change->map;
  else if (const auto *misuse = std::get_if<std::shared_ptr<const MapMisuse>>(&event.what))
    map = &(*misuse)->map;
  return map != nullptr && *map ? (*map)->address : std::nullopt;
}

} // namespace

Result<> TraceFilter::add_only(std::string_view word) {
  const auto *found = std::ranges::find_if(
      kWords, [word](const Word &known) { return known.word == word || known.short_form == word; });
  if (found != kWords.end()) {
    for (TraceKind kind : found->kinds)
      kinds_.set(index_of(kind));
    return {};
  }
  if (find_memory_call(word) == nullptr)
    return fail(Errc::usage,
                "--only \"{}\": there are created, grown, split, rehashed, cleared, cloned, heap, "
                "large, memory, file, misuse, process, and names of memory calls (mmap)",
                word);
  calls_.emplace(word);
  return {};
}

Result<TraceFilter> TraceFilter::parse(const TraceFilterText &text) {
  TraceFilter filter;
  if (!text.only.empty())
    filter.kinds_.reset();
  for (std::string_view list : text.only)
    while (true) {
      auto comma = list.find(',');
      TRY(filter.add_only(list.substr(0, comma)));
      if (comma == list.npos)
        break;
      list.remove_prefix(comma + 1);
    }
  if (text.min_bytes)
    filter.min_bytes_ = TRY(parse_bytes(*text.min_bytes));
  if (text.map)
    filter.map_ = TRY(parse_address(*text.map));
  filter.type_ = text.type.value_or("");
  filter.site_ = text.site.value_or("");
  return filter;
}

bool TraceFilter::wants(TraceKind kind) const {
  return kinds_[index_of(kind)] || (kind == TraceKind::memory_call && !calls_.empty());
}

bool TraceFilter::passes(const TraceEvent &event) const {
  return passes_kind(event) && passes_bytes(event) && passes_map(event) && passes_type(event) &&
         passes_site(event);
}

bool TraceFilter::passes_kind(const TraceEvent &event) const {
  if (kinds_[index_of(event.kind)])
    return true;
  return event.kind == TraceKind::memory_call && calls_.contains(call_of(event)->name);
}

bool TraceFilter::passes_bytes(const TraceEvent &event) const {
  if (min_bytes_ == 0)
    return true;
  if (const auto *change = std::get_if<MapChange>(&event.what))
    return change->bytes && *change->bytes >= min_bytes_;
  if (const auto *request = std::get_if<HeapRequest>(&event.what))
    return request->bytes >= min_bytes_;
  if (event.kind != TraceKind::memory_call)
    return true;
  auto bytes = asked_bytes(*call_of(event));
  return !bytes || *bytes >= min_bytes_;
}

bool TraceFilter::passes_map(const TraceEvent &event) const {
  return !map_ || map_of(event) == map_;
}

bool TraceFilter::passes_type(const TraceEvent &event) const {
  if (type_.empty())
    return true;
  MapTypePtr type = type_of(event);
  if (!type)
    return false;
  return type_.contains('*') ? matches(type_, type->name) : type->name.contains(type_);
}

bool TraceFilter::passes_site(const TraceEvent &event) const {
  if (site_.empty())
    return true;
  const SourceFrame *site = site_of(event);
  return site != nullptr && (site->function.contains(site_) ||
                             fmt::format("{}:{}", site->file, site->line).contains(site_));
}

} // namespace mapscope
