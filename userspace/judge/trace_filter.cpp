// The options' words on one side, events on the other.
#include "judge/trace_filter.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <variant>

#include "flow/memory_calls.h"
#include "judge/option_words.h"

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
    filter.min_bytes_ = TRY(parse_size("--min-bytes", *text.min_bytes));
  if (text.map)
    filter.map_ = TRY(parse_map_address("--map", *text.map));
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
  return type && matches_type_name(type_, type->name);
}

bool TraceFilter::passes_site(const TraceEvent &event) const {
  if (site_.empty())
    return true;
  const SourceFrame *site = site_of(event);
  return site != nullptr && (site->function.contains(site_) ||
                             fmt::format("{}:{}", site->file, site->line).contains(site_));
}

} // namespace mapscope
