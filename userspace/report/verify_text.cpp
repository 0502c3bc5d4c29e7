// The verdict first, then what it rests on, in rows of a label and wrapped text.
#include "report/verify_text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include "base/format.h"
#include "base/printable.h"
#include "report/call_text.h"
#include "report/event_losses.h"
#include "report/terminal.h"
#include "report/verify_words.h"

namespace mapscope {

namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kIndent = 17;
constexpr std::size_t kViolationsShown = 3;
constexpr std::size_t kSentencesShown = 3;

// Rows of one screen. A row without a label goes on with the one before it.
class Rows {
public:
  explicit Rows(bool colour) : colour_(colour) {}

  void add(std::string_view label, std::string_view text, std::size_t indent = kIndent) {
    std::string line = coloured(fmt::format("{:<{}}", label, indent), Colour::dim, colour_);
    std::size_t column = indent;
    bool is_first = true;
    while (!text.empty()) {
      std::string_view word = text.substr(0, text.find(' '));
      if (!is_first && column + 1 + word.size() > kWidth) {
        out_ += line + "\n";
        line = std::string(indent, ' ');
        column = indent;
        is_first = true;
      }
      line += is_first ? std::string{word} : " " + std::string{word};
      column += word.size() + (is_first ? 0 : 1);
      is_first = false;
      text.remove_prefix(std::min(word.size() + 1, text.size()));
    }
    out_ += line + "\n";
  }
  void headline(std::string_view text, Colour colour) {
    out_ += coloured(text, colour, colour_) + "\n";
  }
  void blank() { out_ += "\n"; }
  std::string take() { return std::move(out_); }

private:
  bool colour_;
  std::string out_;
};

std::string joined(const std::vector<std::string> &parts, std::string_view separator = ", ") {
  return fmt::format("{}", fmt::join(parts, separator));
}

// Each operation once, where the kinds are known: one growth enters several functions.
std::uint64_t counted_operations(const OperationTotals &totals) {
  std::uint64_t known = totals.created.value_or(0) + totals.grown.value_or(0) +
                        totals.split.value_or(0) + totals.cleared.value_or(0) +
                        totals.pruned.value_or(0) + totals.first_groups.value_or(0);
  return known > 0 ? known : totals.observed;
}

void add_headline(const Verdict &verdict, Rows &rows) {
  switch (verdict.outcome) {
  case Outcome::clean:
    rows.headline(fmt::format("CLEAN: no file call inside any of {}",
                              format_counted(counted_operations(verdict.operations),
                                             "observed map operation")),
                  Colour::green);
    break;
  case Outcome::violated:
    rows.headline(fmt::format("VIOLATED: {} inside map operations",
                              format_counted(verdict.file_calls_inside, "file call")),
                  Colour::red);
    break;
  case Outcome::inconclusive:
    rows.headline(
        "INCONCLUSIVE: no file call was seen in a map operation, but not all could be seen",
        Colour::yellow);
    break;
  }
}

void add_sentences(std::string_view label, std::size_t indent,
                   const std::vector<std::string> &sentences, Rows &rows) {
  std::size_t shown = std::min(sentences.size(), kSentencesShown);
  for (std::size_t at = 0; at < shown; ++at)
    rows.add(label, printable(sentences[at]), indent);
  if (shown < sentences.size())
    rows.add(label, fmt::format("and {} more; --json has all", sentences.size() - shown), indent);
}

std::string site_text(const AttributedCall &call) {
  if (!call.site)
    return "at an unknown line";
  return fmt::format("at {} ({}:{})", printable(call.site->function), printable(call.site->file),
                     call.site->line);
}

std::string witnesses_text(Witnesses witnesses) {
  if (witnesses.window && witnesses.stack)
    return "window and stack";
  return witnesses.window ? "window alone" : "stack alone";
}

void add_violations(const Verdict &verdict, Rows &rows) {
  std::size_t shown = std::min(verdict.violations.size(), kViolationsShown);
  for (std::size_t at = 0; at < shown; ++at) {
    const auto &[call, count] = verdict.violations[at];
    std::string text;
    append_call(call, text);
    rows.add("  !",
             fmt::format("{}{} in map {} {}, goroutine {}, seen by {}", text,
                         count > 1 ? fmt::format(", {} times,", format_count(count)) : "",
                         call.operation.value_or("operation"), site_text(call),
                         call.goroutine ? fmt::format("{}", *call.goroutine) : "unknown",
                         witnesses_text(call.witnesses)),
             4);
    if (call.cause)
      rows.add("", "cause: " + *call.cause, 4);
  }
  std::uint64_t rest = verdict.violations.size() - shown + verdict.violations_not_shown;
  if (rest > 0)
    rows.add("  !", fmt::format("and {}; --json has them", format_counted(rest, "more group")), 4);
}

void add_target(const Verdict &verdict, Rows &rows) {
  const VerifyTarget &target = verdict.run.target;
  std::vector<std::string> parts = {
      fmt::format("{}, pid {}", printable(target.exe), target.process.pid)};
  if (!target.go_version.empty())
    parts.push_back(printable(target.go_version));
  if (auto implementation = word_for(target.map_implementation); !implementation.empty())
    parts.push_back(fmt::format("{} maps", implementation));
  parts.push_back("watched for " + format_duration(verdict.run.duration_ns));
  if (!verdict.run.scope.windows)
    parts.push_back("--light");
  rows.add("target", joined(parts));
}

void add_operations(const Verdict &verdict, Rows &rows) {
  const OperationTotals &totals = verdict.operations;
  std::vector<std::string> parts;
  std::vector<std::string> unseen;
  auto add = [&](std::string_view what, const std::optional<std::uint64_t> &count) {
    if (count)
      parts.push_back(fmt::format("{} {}", format_count(*count), what));
    else
      unseen.emplace_back(what);
  };
  add("created", totals.created);
  add("grown", totals.grown);
  add("split", totals.split);
  add("cleared", totals.cleared);
  if (totals.copied.value_or(0) > 0)
    parts.push_back(format_count(*totals.copied) + " of the created are copies");
  if (totals.pruned.value_or(0) > 0)
    parts.push_back(format_count(*totals.pruned) + " attempts to get rid of tombstones");
  std::string text = joined(parts);
  if (!unseen.empty())
    text += fmt::format("{}not observed: {}", text.empty() ? "" : "; ", joined(unseen));
  rows.add("map operations", text);
  if (totals.on_stack > 0)
    rows.add("", format_counted(totals.on_stack, "probe hit") +
                     " on maps whose header lies on a goroutine's stack");
  rows.add("", "Not counted: small maps that stay on a goroutine's stack, as no call makes them.");
}

std::string heap_text(const HeapTotals &heap) {
  std::vector<std::string> parts;
  if (heap.large_allocations)
    parts.push_back(fmt::format("{} ({})",
                                format_counted(*heap.large_allocations, "large allocation"),
                                format_bytes(heap.large_allocation_bytes.value_or(0))));
  if (heap.grown_count)
    parts.push_back(fmt::format("heap grown {} for {}", format_counted(*heap.grown_count, "time"),
                                format_bytes(heap.grown_bytes.value_or(0))));
  return parts.empty() ? "not observed" : joined(parts);
}

// What map growth meant for the kernel, in words.
std::string growth_text(const Verdict &verdict) {
  std::uint64_t growths =
      verdict.operations.grown.value_or(0) + verdict.operations.split.value_or(0);
  std::uint64_t memory = verdict.inside[CALL_CLASS_MEMORY];
  if (memory == 0)
    return growths == 0 ? ""
                        : "No map growth caused a memory call: the heap had the memory already.";
  std::string text =
      fmt::format("{} inside map operations.", format_counted(memory, "memory call"));
  if (memory * 2 < growths)
    text += " Most growth causes no system call at all.";
  return text;
}

void add_memory(const Verdict &verdict, Rows &rows) {
  rows.add("asked of heap", "by map operations: " + heap_text(verdict.heap_inside));
  rows.add("", "by the rest: " + heap_text(verdict.heap_outside));

  std::vector<std::string> parts;
  for (const auto &[name, calls] : verdict.memory_calls)
    if (calls.calls > 0)
      parts.push_back(
          fmt::format("{} {}{}", format_count(calls.calls), name,
                      calls.bytes ? fmt::format(" ({})", format_bytes(*calls.bytes)) : ""));
  if (auto brk = verdict.memory_calls.find("brk");
      brk != verdict.memory_calls.end() && brk->second.calls == 0)
    parts.emplace_back("0 brk (Go itself never moves the break)");
  rows.add("asked of kernel", joined(parts));
  if (std::string text = growth_text(verdict); !text.empty())
    rows.add("", text);
}

std::string classes_text(const ClassTotals &totals, bool with_zero_file) {
  std::vector<std::string> parts;
  auto add = [&](call_class klass) {
    if (totals[klass] > 0 || (klass == CALL_CLASS_FILE && with_zero_file))
      parts.push_back(fmt::format("{} {}", format_count(totals[klass]), word_for(klass)));
  };
  for (std::size_t klass = CALL_CLASS_FILE; klass < CALL_CLASS_COUNT; ++klass)
    add(static_cast<call_class>(klass));
  add(CALL_CLASS_OTHER);
  return parts.empty() ? "none" : joined(parts);
}

bool any(const ClassTotals &totals) {
  return std::ranges::any_of(totals, [](std::uint64_t count) { return count > 0; });
}

void add_calls(const Verdict &verdict, Rows &rows) {
  rows.add("calls inside", classes_text(verdict.inside, true));
  rows.add("calls outside", classes_text(verdict.outside, true) +
                                (verdict.run.scope.outside_refined
                                     ? ""
                                     : " (by the call alone: file includes pipes and sockets)"));
  std::vector<std::string> examples;
  for (const FileCallExample &example : verdict.outside_examples)
    examples.push_back(fmt::format("{} {}", example.call, path_text(example.path)));
  if (!examples.empty())
    rows.add("", "for example: " + joined(examples));
  if (any(verdict.io_uring_inside) || any(verdict.io_uring_outside))
    rows.add("io_uring",
             fmt::format("inside: {}; outside: {}", classes_text(verdict.io_uring_inside, true),
                         classes_text(verdict.io_uring_outside, false)));
}

void add_witnesses(const Verdict &verdict, Rows &rows) {
  const WitnessTotals &witnesses = verdict.witnesses;
  if (!witnesses.both) {
    rows.add("witnesses",
             fmt::format("stack alone (--light): {}",
                         format_counted(witnesses.stack_only + witnesses.under_write, "call")));
    return;
  }
  std::uint64_t disagreements = witnesses.window_only.value_or(0) + witnesses.stack_only;
  rows.add(
      "witnesses",
      fmt::format("window and stack agree on {}; {}{}", format_counted(*witnesses.both, "call"),
                  disagreements == 0 ? "no disagreement"
                                     : fmt::format("{} by the window alone, {} by the stack alone",
                                                   format_count(witnesses.window_only.value_or(0)),
                                                   format_count(witnesses.stack_only)),
                  witnesses.under_write == 0
                      ? ""
                      : fmt::format("; {} straight under a write, where only the stack can see",
                                    format_count(witnesses.under_write))));
}

void add_events(const Verdict &verdict, Rows &rows) {
  const VerifyCounts &counts = verdict.counts;
  const EventLosses losses = event_losses(counts.events, counts.kernel.lost, counts.dropped);
  const std::uint64_t lost = losses.lost_total();
  rows.add("events", fmt::format("{} sent, {} lost", format_count(losses.sent),
                                 lost == 0 ? "none" : format_count(lost)));
}

void add_cost(const VerifyCost &cost, Rows &rows) {
  std::vector<std::string> parts;
  if (cost.tool_cpu_ns)
    parts.push_back("mapscope " + format_duration(*cost.tool_cpu_ns) + " of CPU");
  if (cost.kernel_cpu_ns)
    parts.push_back("its kernel programs " + format_duration(*cost.kernel_cpu_ns));
  if (cost.probe_hits)
    parts.push_back(format_counted(*cost.probe_hits, "probe hit"));
  if (!parts.empty())
    rows.add("cost", joined(parts));
}

void add_command(const std::optional<CommandEnd> &command, Rows &rows) {
  if (!command)
    return;
  if (command->signal)
    rows.add("command", fmt::format("ended by signal {} ({})", *command->signal,
                                    ::strsignal(*command->signal)));
  else if (command->exit_status)
    rows.add("command", fmt::format("exited with status {}", *command->exit_status));
  else
    rows.add("command", "still runs");
}

} // namespace

std::string verify_text(const Verdict &verdict, bool colour) {
  Rows rows{colour};
  add_headline(verdict, rows);
  add_violations(verdict, rows);
  add_sentences("  -", 4, verdict.reasons, rows);
  rows.blank();
  add_target(verdict, rows);
  add_operations(verdict, rows);
  add_memory(verdict, rows);
  add_calls(verdict, rows);
  add_witnesses(verdict, rows);
  add_events(verdict, rows);
  add_cost(verdict.run.cost, rows);
  add_command(verdict.run.command, rows);
  add_sentences("note", kIndent, verdict.run.notes, rows);
  return rows.take();
}

} // namespace mapscope
