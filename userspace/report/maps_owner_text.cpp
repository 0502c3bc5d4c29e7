// Rows of a label and a text; each step of a path in two lines.
#include "report/maps_owner_text.h"

#include <fmt/format.h>

#include "base/format.h"
#include "base/printable.h"
#include "report/maps_owner_words.h"
#include "report/maps_summary.h"
#include "report/maps_words.h"
#include "report/terminal.h"
#include "report/trace_labels.h"

namespace mapscope {

namespace {

constexpr std::size_t kLineWidth = 80;
constexpr std::size_t kStepsShown = 40; // of linked structures
constexpr std::size_t kSharesShown = 10;

std::string title(std::string_view text, bool colour) {
  return "\n" + coloured(text, Colour::bold, colour) + "\n";
}

void append_owner_counts(const OwnerCounts &counts, bool colour, std::string &out) {
  const std::uint64_t objects = counts.objects_typed + counts.objects_untyped;
  append_labelled(
      "owners",
      fmt::format("{} reached through {}, {} of known type; {} read{}",
                  format_counted(counts.maps_reached, "map"), format_counted(objects, "object"),
                  percent_text(counts.objects_typed, objects), format_bytes(counts.bytes_read),
                  counts.cpu_ms
                      ? fmt::format(", {} of CPU", format_duration(*counts.cpu_ms * 1'000'000))
                      : ""),
      colour, out);
  auto gap = [&](std::uint64_t count, std::string_view noun, std::string_view what) {
    if (count != 0)
      append_labelled("not seen", fmt::format("{} {}", format_counted(count, noun), what), colour,
                      out);
  };
  if (!counts.stopped_by.empty())
    append_labelled("not reached", printable(counts.stopped_by), colour, out);
  gap(counts.maps_changed, "map",
      "changed, or what leads to it did, while owners were looked for: without an owner");
  gap(counts.goroutines_left_out, "goroutine",
      "running while owners were looked for: what only it holds has none");
}

std::string sites_text(const SiteCounts &sites) {
  if (!sites.was_read)
    return "the program's memory profile could not be read";
  if (sites.is_rate_known && sites.rate_bytes == 0)
    return "the program takes no samples of its allocations: nothing in it asks for its memory "
           "profile";
  if (sites.sampled_objects == 0)
    return "the program has taken no sample of an allocation that is still alive";
  std::string text = fmt::format("from {} that are alive, parts of {} among them",
                                 format_counted(sites.sampled_objects, "sampled object"),
                                 format_counted(sites.sampled_maps, "map"));
  if (sites.is_rate_known)
    text +=
        fmt::format("; the program samples an allocation every {}", format_bytes(sites.rate_bytes));
  return text;
}

void append_learned(const LearnedWrites &learned, bool colour, std::string &out) {
  std::string text = fmt::format(
      "{} in {}; probes were placed {} for {} in all", format_counted(learned.hits, "write"),
      format_duration(learned.duration_ns), format_counted(learned.flash_count, "time"),
      format_duration(learned.attached_ns));
  if (learned.lost != 0)
    text += fmt::format("; no room for {} more", format_count(learned.lost));
  append_labelled("learned from", text, colour, out);
  if (!learned.stopped_by.empty())
    append_labelled("", printable(learned.stopped_by), colour, out);
}

void append_share(const SiteShare &share, std::uint64_t all, std::string_view what,
                  std::string &out) {
  const std::string front = fmt::format("  {:>7} {:>4}  {} ", format_count(share.samples),
                                        percent_text(share.samples, all), what);
  const std::string site = site_text(share.frame);
  const std::size_t room = kLineWidth - front.size();
  out += front + cut_middle(site, room) + "\n";
}

} // namespace

void append_reach(const MapsReport &report, bool colour, std::string &out) {
  if (!report.owners.was_made || !report.owners.is_complete)
    return;
  const MapTotals &garbage = report.unreachable;
  if (garbage.maps == 0)
    return append_labelled("garbage", "none: something leads to every map that could be followed",
                           colour, out);
  append_labelled("garbage",
                  fmt::format("{} of {} are garbage that the next collection frees: {}",
                              format_count(garbage.maps), format_counted(report.totals.maps, "map"),
                              format_bytes(garbage.bytes)),
                  colour, out);
}

void append_owner_footer(const MapsReport &report, bool colour, std::string &out) {
  if (report.totals.maps == 0)
    return;
  out += '\n';
  if (report.owners.was_made) {
    append_owner_counts(report.owners, colour, out);
    append_labelled("sites", sites_text(report.sites), colour, out);
  } else {
    append_labelled("owners", "not looked for; --owners tells who holds each map", colour, out);
  }
  if (report.learned)
    append_learned(*report.learned, colour, out);
}

void append_owner_section(const MapExplanation &map, bool colour, bool unicode, std::string &out) {
  const MapOwner &owner = map.map.owner;
  if (owner.reach == Reach::unknown && owner.path.empty() && map.owner_steps.empty())
    return;
  out += title("owner", colour);
  append_labelled("path", owner_text(owner, unicode), colour, out);
  append_labelled("root", words_for(owner.root_class), colour, out);
  append_labelled("holder", printable(owner.holder), colour, out);
  const std::size_t count = std::min(map.owner_steps.size(), kStepsShown);
  for (std::size_t i = 0; i < count; ++i) {
    const OwnerStep &step = map.owner_steps[i];
    const std::string type = step.type.empty() ? "of unknown type" : printable(step.type);
    // Steps from a pointer to all of what it points to have no name.
    const std::string text = step.text.empty() ? "what it points to" : printable(step.text);
    std::string line = fmt::format("  {:<30}", cut_middle(text, kLineWidth - 6));
    // A long type has a line of its own, under the step.
    if (line.size() + 1 + type.size() > kLineWidth)
      line = line.substr(0, line.find_last_not_of(' ') + 1) + "\n    ";
    else
      line += ' ';
    out += line + coloured(cut_middle(type, kLineWidth - 4), Colour::bold, colour) + "\n";
    out +=
        "    " +
        wrapped(fmt::format("{}{:#x}: {}",
                            step.word.value == 0 ? "" : fmt::format("{:#x} to ", step.word.value),
                            step.object.value, words_for(step.evidence)),
                4, 4) +
        "\n";
  }
  if (map.owner_steps.size() > count)
    out += fmt::format("  and {} more\n", map.owner_steps.size() - count);
}

void append_site_section(const JudgedMap &map, bool colour, std::string &out) {
  if (const std::uint64_t samples = map.site.samples(); !map.site.shares.empty()) {
    out += title(fmt::format("sites, by {} of {}", format_counted(samples, "sample"),
                             map.site.is_of_pattern ? "maps of its type and owner, none of itself"
                                                    : "this map"),
                 colour);
    for (std::size_t i = 0; i < std::min(map.site.shares.size(), kSharesShown); ++i)
      append_share(map.site.shares[i], samples, words_for(map.site.shares[i].kind), out);
    if (map.site.shares.size() > kSharesShown)
      out += fmt::format("  and {} more\n", map.site.shares.size() - kSharesShown);
  }
  if (map.written_at.empty())
    return;
  std::uint64_t hits = 0;
  for (const SiteShare &share : map.written_at)
    hits += share.samples;
  out += title(fmt::format("writes: {} seen", format_count(hits)), colour);
  for (std::size_t i = 0; i < std::min(map.written_at.size(), kSharesShown); ++i)
    append_share(map.written_at[i], hits, "by", out);
  if (map.written_at.size() > kSharesShown)
    out += fmt::format("  and {} more\n", map.written_at.size() - kSharesShown);
}

} // namespace mapscope
