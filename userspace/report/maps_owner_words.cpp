// Tables of words; paths and sites in one line.
#include "report/maps_owner_words.h"

#include <vector>

#include <fmt/format.h>

#include "base/format.h"
#include "base/printable.h"
#include "report/trace_labels.h"

namespace mapscope {

std::string_view name_of(OwnerClass owner_class) {
  switch (owner_class) {
  case OwnerClass::none:
    return "";
  case OwnerClass::variable:
    return "variable";
  case OwnerClass::goroutine:
    return "goroutine";
  case OwnerClass::runtime:
    return "runtime";
  }
  return "";
}

std::string_view name_of(StepEvidence evidence) {
  switch (evidence) {
  case StepEvidence::dwarf:
    return "dwarf";
  case StepEvidence::symbol:
    return "symbol";
  case StepEvidence::code:
    return "code";
  case StepEvidence::collector:
    return "collector";
  case StepEvidence::stack:
    return "stack";
  case StepEvidence::static_type:
    return "static_type";
  case StepEvidence::dynamic_type:
    return "dynamic_type";
  case StepEvidence::malloc_header:
    return "malloc_header";
  case StepEvidence::dictionary:
    return "dictionary";
  case StepEvidence::contents:
    return "contents";
  }
  return "";
}

std::string_view name_of(SiteKind kind) { return kind == SiteKind::created ? "created" : "grew"; }

std::string_view words_for(OwnerClass owner_class) {
  switch (owner_class) {
  case OwnerClass::none:
    return "";
  case OwnerClass::variable:
    return "a package variable";
  case OwnerClass::goroutine:
    return "a frame on a goroutine's stack";
  case OwnerClass::runtime:
    return "the runtime: pools, finalizers, caches and the like";
  }
  return "";
}

std::string_view words_for(StepEvidence evidence) {
  switch (evidence) {
  case StepEvidence::dwarf:
    return "the variable's type, by DWARF";
  case StepEvidence::symbol:
    return "the variable's name, by the symbol table";
  case StepEvidence::code:
    return "by the code that uses it";
  case StepEvidence::collector:
    return "the collector follows this word; its type is not known";
  case StepEvidence::stack:
    return "a word in a frame of the goroutine";
  case StepEvidence::static_type:
    return "by the type of what holds it";
  case StepEvidence::dynamic_type:
    return "by the type word of an interface";
  case StepEvidence::malloc_header:
    return "by what the heap says of the object";
  case StepEvidence::dictionary:
    return "by a dictionary of generic code";
  case StepEvidence::contents:
    return "the map's own memory leaves no other type";
  }
  return "";
}

std::string_view words_for(SiteKind kind) {
  return kind == SiteKind::created ? "made at" : "grew at";
}

std::string full_site_text(const SourceFrame &frame) {
  std::string text = frame.function;
  if (frame.file.empty() || frame.line == 0)
    return text;
  return fmt::format("{}{}{}:{}", text, text.empty() ? "" : " ", frame.file, frame.line);
}

std::string owner_text(const MapOwner &owner, bool unicode) {
  constexpr std::string_view kArrow = "→";
  if (owner.reach == Reach::unreachable)
    return "nothing: garbage that the next collection frees";
  if (owner.path.empty())
    return {};
  std::string text = printable(owner.path);
  for (std::size_t at = text.find(kArrow); !unicode && at != text.npos; at = text.find(kArrow, at))
    text.replace(at, kArrow.size(), "->");
  return owner.root_class == OwnerClass::goroutine ? "the stack of " + text : text;
}

namespace {

struct SitesOfKind {
  const SiteShare *first = nullptr; // with the most samples
  std::uint64_t samples = 0;
  bool is_one_line = true;
};

SitesOfKind sites_of(const MapSite &site, SiteKind kind) {
  SitesOfKind found;
  for (const SiteShare &share : site.shares) {
    if (share.kind != kind)
      continue;
    found.samples += share.samples;
    if (found.first == nullptr)
      found.first = &share;
    found.is_one_line = found.is_one_line && share.frame == found.first->frame;
  }
  return found;
}

} // namespace

std::vector<std::string> site_texts(const MapSite &site) {
  std::vector<std::string> texts;
  for (SiteKind kind : {SiteKind::grew, SiteKind::created}) {
    const auto [first, samples, is_one_line] = sites_of(site, kind);
    if (first == nullptr)
      continue;
    std::string_view words = words_for(kind);
    if (site.is_of_pattern)
      words = kind == SiteKind::created ? "maps alike were made at" : "maps alike grew at";
    texts.push_back(fmt::format("{} {} ({})", words, site_text(first->frame),
                                is_one_line ? format_counted(samples, "sample")
                                            : fmt::format("{} of {}, {} elsewhere",
                                                          format_count(first->samples),
                                                          format_counted(samples, "sample"),
                                                          format_count(samples - first->samples))));
  }
  return texts;
}

std::string written_text(std::span<const SiteShare> written_at) {
  if (written_at.empty())
    return {};
  const SiteShare &first = written_at.front();
  std::uint64_t all = 0;
  for (const SiteShare &share : written_at)
    all += share.samples;
  const std::string part =
      first.samples == all ? std::string{} : format_count(first.samples) + " of ";
  return fmt::format("written by {} ({}{} seen)", site_text(first.frame), part,
                     format_counted(all, "write"));
}

const SiteShare *main_site(const MapSite &site) {
  const SitesOfKind grew = sites_of(site, SiteKind::grew);
  const SitesOfKind found = grew.first != nullptr ? grew : sites_of(site, SiteKind::created);
  return site.is_of_pattern && !found.is_one_line ? nullptr : found.first;
}

std::string cut_middle(std::string_view text, std::size_t width) {
  constexpr std::size_t kDots = 3;
  std::vector<std::size_t> starts; // of characters
  for (std::size_t at = 0; at < text.size();
       at += std::max<std::size_t>(1, utf8_length(text.substr(at))))
    starts.push_back(at);
  if (starts.size() <= width)
    return std::string{text};
  if (width <= kDots)
    return std::string(width, '.');
  const std::size_t front = (width - kDots) / 2, back = width - kDots - front;
  return fmt::format("{}...{}", text.substr(0, starts[front]),
                     text.substr(starts[starts.size() - back]));
}

} // namespace mapscope
