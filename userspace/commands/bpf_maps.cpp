// `mapscope bpf-maps`: look, choose, print; once, or again and again.
#include "commands/bpf_maps.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>

#include "base/clock.h"
#include "base/write_all.h"
#include "commands/bpf_map_keys.h"
#include "commands/bpf_maps_options.h"
#include "commands/messages.h"
#include "commands/output.h"
#include "commands/progress.h"
#include "pipeline/event_loop.h"
#include "report/bpf_maps_json.h"
#include "report/bpf_maps_text.h"
#include "report/terminal.h"

namespace mapscope {
namespace {

constexpr auto kBpfMapsFooter =
    R"(How full a map is comes from the kernel's own counter where its type has one (c), else
from going through its keys (w), else from a sample (s); what can't be known is shown
as - and never as 0. --explain ID says for one map how each figure was come by.

Rates are counted in a window, in which every system call of the host is a little
slower: calls of bpf(2) exactly, lookups by programs as an estimate with bounds, from
their runs and the calls in their code.

Exit status: 0 done; 2 wrong usage; 3 could not tell (no such map, or its keys can't be
read); 4 not permitted.

Examples:
  sudo mapscope bpf-maps
  sudo mapscope bpf-maps --sort memory --top 5
  sudo mapscope bpf-maps --type hash,lru_hash --watch 5
  sudo mapscope bpf-maps --rates 5s --sort lookups
  sudo mapscope bpf-maps --explain 42
  sudo mapscope bpf-maps --keys 42 --values --limit 100)";

// Tells a look that the user has had enough, while it waits for the end of its window.
class StopTeller {
public:
  explicit StopTeller(const StopSignals &signals)
      : thread_([this, &signals](const std::stop_token &over) {
          constexpr std::chrono::milliseconds kStep{100};
          while (!over.stop_requested() && !told_)
            told_ = wait_for(signals, Fd{}, -1, kStep) == Wake::stopped;
        }) {}

  const std::atomic<bool> *told() const { return &told_; }

private:
  std::atomic<bool> told_ = false;
  std::jthread thread_; // last: it uses the other
};

Result<> print_bytes(const Fd &output, const std::string &text) {
  return write_all(output, std::as_bytes(std::span{text}));
}

Result<std::string> bpf_look(BpfMapWatch &watch, const BpfMapsOptions &options,
                             const BpfMapsRequest &request, bool colour,
                             const std::atomic<bool> *stop) {
  const BpfMapsLook look = TRY(watch.look(request.look, stop));
  const BpfMapsReport report = report_of(look, request.selection, now_ns(CLOCK_REALTIME));
  if (!options.explain)
    return options.json ? bpf_maps_json(report) : bpf_maps_text(report, colour);
  if (report.rows.empty())
    return fail(Errc::not_found, "there is no map {}", *options.explain);
  return options.json ? bpf_map_explanation_json(report) : bpf_map_explanation_text(report, colour);
}

Result<> watch_bpf_maps(BpfMapWatch &watch, const BpfMapsOptions &options,
                        const BpfMapsRequest &request, const Fd &output) {
  constexpr std::string_view kHomeAndClear = "\x1b[H\x1b[2J\x1b[3J";
  const StopSignals signals = TRY(StopSignals::block());
  const StopTeller stop{signals};
  const bool colour = wants_colour(output.get());
  std::chrono::nanoseconds pause{};
  do {
    const std::uint64_t begun_ns = now_ns();
    std::string text = TRY(bpf_look(watch, options, request, colour, stop.told()));
    if (*stop.told())
      break; // a look that was cut short
    if (colour && !options.json)
      text.insert(0, kHomeAndClear);
    TRY(print_bytes(output, text));
    // What a look took belongs to the pause.
    const std::chrono::nanoseconds taken{now_ns() - begun_ns};
    pause = std::max<std::chrono::nanoseconds>(request.pause - taken, {});
  } while (wait_for(signals, Fd{}, -1, std::chrono::ceil<std::chrono::milliseconds>(pause)) ==
           Wake::timer);
  return {};
}

Result<> bpf_maps(const BpfMapsOptions &options) {
  const BpfMapsRequest request = TRY(bpf_maps_request_of(options));
  const Fd output = TRY(open_output(options.output, false));
  if (options.keys)
    return print_bpf_map_keys({.id = *options.keys,
                               .limit = options.limit,
                               .with_values = options.values,
                               .json = options.json},
                              output);
  std::string text;
  {
    auto progress = std::make_unique<Progress>("looking at the kernel's maps");
    const auto watch = TRY(BpfMapWatch::start());
    if (options.watch_seconds > 0) {
      progress.reset();
      return watch_bpf_maps(*watch, options, request, output);
    }
    text = TRY(bpf_look(*watch, options, request, wants_colour(output.get()), nullptr));
  }
  return print_bytes(output, text);
}

} // namespace

void add_bpf_maps(CLI::App &app, std::function<int()> &selected) {
  auto options = std::make_shared<BpfMapsOptions>();
  CLI::App *command = app.add_subcommand(
      "bpf-maps", "The kernel's own maps: how full, how busy, whose, and when they will be full");
  command->footer(kBpfMapsFooter);
  add_bpf_maps_options(*command, *options);
  command->callback([options, &selected] {
    selected = [options] {
      const Result<> done = bpf_maps(*options);
      return done ? as_int(ExitStatus::done)
                  : fail_with(done.error(), "root, or the capability CAP_SYS_ADMIN, which the "
                                            "kernel asks of who looks at all maps");
    };
  });
}

} // namespace mapscope
