// One map of the kernel in words; see bpf_maps_text.h.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/format.h"
#include "base/printable.h"
#include "report/bpf_maps_text.h"
#include "report/bpf_maps_words.h"
#include "report/maps_summary.h"
#include "report/maps_words.h"
#include "report/terminal.h"

namespace mapscope {
namespace {

constexpr std::size_t kListedMax = 50; // of programs, holders and pins; JSON has all

std::string_view words_for(BpfMethod method) {
  switch (method) {
  case BpfMethod::counted:
    return "counted by the kernel itself";
  case BpfMethod::walked:
    return "walked: every key was gone through; what changed meanwhile is in or out";
  case BpfMethod::sampled:
    return "estimated from a sample";
  case BpfMethod::unknown:
    break;
  }
  return "not known";
}

std::string_view words_for(BpfMemoryMethod method) {
  switch (method) {
  case BpfMemoryMethod::accounted:
    return "what it holds now, as the kernel accounts for it";
  case BpfMemoryMethod::charged:
    return "what it was charged for when it was made";
  case BpfMemoryMethod::arithmetic:
    return "this kernel only multiplies sizes, so no figure is told";
  case BpfMemoryMethod::unknown:
    break;
  }
  return {};
}

class BpfMapExplanation {
public:
  BpfMapExplanation(const BpfMapRow &row, bool colour, std::string &out)
      : map_(row.map), facts_(row.map.facts), colour_(colour), out_(out) {}

  void append() {
    out_ +=
        coloured(fmt::format("map {} {}, {}", facts_.id, name_text(facts_), printable(facts_.type)),
                 Colour::bold, colour_) +
        "\n";
    append_layout();
    append_fill();
    append_users();
    append_rates();
    append_keys();
  }

private:
  void row(std::string_view label, std::string_view text) {
    append_labelled(label, text, colour_, out_);
  }

  static std::string size_text(std::uint32_t bytes, const std::string &type) {
    const std::string size = format_counted(bytes, "byte");
    return type.empty() ? size : fmt::format("{}, {}", size, printable(type));
  }

  void append_layout() {
    row("key", size_text(facts_.key_bytes, facts_.key_type));
    row("value", size_text(facts_.value_bytes, facts_.value_type));
    if (facts_.btf_id == 0)
      row("", "made without BTF: names of types are not known");
    row("flags", flags_text());
    if (facts_.extra != 0)
      row("map_extra", fmt::format("{:#x}", facts_.extra));
    if (facts_.is_frozen)
      row("frozen", *facts_.is_frozen ? "yes: system calls can't change it" : "no");
  }

  std::string flags_text() const {
    std::string text = fmt::format("{:#x}", facts_.flags);
    for (const std::string &flag : facts_.flag_names) {
      const std::string_view words = words_for_flag(flag);
      text += fmt::format("; {}{}{}", printable(flag), words.empty() ? "" : ": ", words);
    }
    return text;
  }

  void append_fill() {
    const BpfMapFill &fill = map_.fill;
    std::string text = entries_text(facts_, fill);
    if (fill.fill)
      text += fmt::format(" ({:.1f} %)", 100 * *fill.fill);
    if (fill.error != 0)
      text += fmt::format(", give or take {}",
                          fill.used_bytes ? format_bytes(fill.error) : format_count(fill.error));
    row(fill.used_bytes ? "used" : "entries", text);
    row("", std::string{words_for(fill.method)} +
                (fill.note.empty() ? "" : ": " + printable(fill.note)));
    if (map_.time_to_full) {
      const std::string when = fullness_time_text(*map_.time_to_full);
      row("full", when.empty() ? printable(map_.time_to_full->note)
                               : fmt::format("{}, {}", when, printable(map_.time_to_full->note)));
    }
    std::string memory = facts_.memory_bytes ? format_bytes(*facts_.memory_bytes) : "not known";
    if (const std::string_view words = words_for(facts_.memory_method); !words.empty())
      memory += fmt::format(": {}", words);
    row("memory", memory);
  }

  template <typename Item, typename Text>
  void append_list(std::string_view label, const std::vector<Item> &items, Text text) {
    for (std::size_t i = 0; i < items.size() && i < kListedMax; ++i)
      row(i == 0 ? label : "", text(items[i]));
    if (items.size() > kListedMax)
      row("", fmt::format("and {} more; --json has all", format_count(items.size() - kListedMax)));
  }

  void append_users() {
    row("owner", facts_.is_own ? "mapscope" : printable(facts_.owner));
    if (facts_.created_before_wall_ns)
      row("made", fmt::format("before {}{}{}", time_text(*facts_.created_before_wall_ns),
                              facts_.created_by_word.empty() ? "" : ": ",
                              printable(facts_.created_by_word)));
    append_list("pinned at", facts_.pinned_paths,
                [](const std::string &path) { return printable(path); });
    append_list("programs", facts_.programs, [](const BpfMapProgram &program) {
      return fmt::format("{} {}, {}", program.id, printable(program.name), printable(program.type));
    });
    append_list("held by", facts_.holders,
                [](const BpfMapHolder &holder) { return holder_text(holder); });
    if (facts_.programs.empty() && facts_.holders.empty() && facts_.pinned_paths.empty())
      row("held by", "nobody that can be seen: another map may hold it, or a link");
    row("note", printable(facts_.problem));
  }

  static std::string holder_text(const BpfMapHolder &holder) {
    const ProcessIdentity &process = holder.process;
    std::string text = fmt::format("pid {} {}", process.key.pid,
                                   process.exe.empty() ? "" : printable(process.exe));
    if (!process.cgroup.unit.empty())
      text += fmt::format(", unit {}", printable(process.cgroup.unit));
    if (!process.cgroup.container_id.empty())
      text += fmt::format(", container {}", process.cgroup.container_id.substr(0, 12));
    return text + (holder.directly ? "" : ", through a program or link that uses it");
  }

  void append_rates() {
    if (!map_.rates || map_.rates->window_ns == 0)
      return;
    const BpfMapRates &rates = *map_.rates;
    row("rates", fmt::format("in a window of {}", format_duration(rates.window_ns)));
    const auto add = [&](std::string_view label, const BpfRate &system, const BpfRate &program) {
      row("  " + std::string{label},
          fmt::format("{} by system calls{}; {} by programs{}", rate_text(system),
                      how_known(system), rate_text(program), how_known(program)));
    };
    add("lookups", rates.system_lookups, rates.program_lookups);
    add("updates", rates.system_updates, rates.program_updates);
    add("deletes", rates.system_deletes, rates.program_deletes);
    std::string failed;
    for (const auto &[name, count] : rates.insert_failures)
      failed += fmt::format("{}{} {}", failed.empty() ? "" : ", ", format_count(count), name);
    if (failed.empty())
      failed = "none seen";
    row("  failed",
        failed + (rates.sees_program_failures
                      ? ""
                      : "; of system calls only: programs' failures can't be seen here"));
  }

  static std::string how_known(const BpfRate &rate) {
    const bool is_never = rate.upper == 0; // its note says why
    std::string how = rate.exact                   ? "counted"
                      : rate.estimate && !is_never ? "runs times call sites"
                                                   : "";
    if (!rate.note.empty())
      how += (how.empty() ? "" : ": ") + printable(rate.note);
    return how.empty() ? "" : fmt::format(" ({})", how);
  }

  void append_keys() {
    if (!map_.keys || map_.keys->sampled == 0)
      return;
    const BpfKeyDistribution &keys = *map_.keys;
    row("keys",
        fmt::format("from {}: {} sampled, {} different; {:.1f} bits of entropy", printable(keys.of),
                    format_count(keys.sampled), format_count(keys.distinct), keys.entropy_bits));
    for (const BpfKeyCount &key : keys.top)
      row("", fmt::format("{:>4} {}", percent_text(key.count, keys.sampled), printable(key.key)));
    for (const BpfKeyCount &prefix : keys.prefixes)
      row("", fmt::format("{:>4} begin with {}", percent_text(prefix.count, keys.sampled),
                          printable(prefix.key)));
  }

  const BpfMapSample &map_;
  const BpfMapFacts &facts_;
  bool colour_;
  std::string &out_;
};

} // namespace

std::string bpf_map_explanation_text(const BpfMapsReport &report, bool colour) {
  std::string out;
  for (const BpfMapRow &row : report.rows) {
    BpfMapExplanation{row, colour, out}.append();
    for (const std::string &advice : row.advice)
      append_labelled("->", printable(advice), colour, out);
  }
  for (const std::string &problem : report.problems)
    append_labelled("note", printable(problem), colour, out);
  return out;
}

} // namespace mapscope
