// From records to trace events; see trace_analysis.h.
#include "pipeline/trace_analysis.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <type_traits>
#include <utility>

#include <fmt/ranges.h>

#include "decode/decode.h"
#include "go/unknown_release.h"
#include "pipeline/target_lookup.h"

namespace mapscope {
namespace {

struct OperationWords {
  map_operation operation;
  std::string_view words;
};

// What a probe tells, of those that a depth or a filter leaves out.
constexpr std::array kOperationWords = {
    OperationWords{MAP_OPERATION_MAKE_SMALL, "creations without a size hint"},
    OperationWords{MAP_OPERATION_NEW_MAP, "creations with a hint"},
    OperationWords{MAP_OPERATION_MAKE, "creations with a hint"},
    OperationWords{MAP_OPERATION_GROW_TO_TABLE, "growth past eight entries"},
    OperationWords{MAP_OPERATION_REHASH, "growth of tables"},
    OperationWords{MAP_OPERATION_HASH_GROW, "growth"},
    OperationWords{MAP_OPERATION_CLEAR, "clearing"},
    OperationWords{MAP_OPERATION_PRUNE, "getting rid of tombstones"},
};

// Empty: everything is looked at that a line of trace could be about.
std::string not_all_told(const VerifyScope &scope) {
  std::vector<std::string_view> left_out;
  for (const OperationWords &row : kOperationWords)
    if (!scope.covered_operations.test(row.operation))
      left_out.push_back(row.words);
  return left_out.empty() ? std::string{}
                          : fmt::format("not all told: {}", fmt::join(left_out, ", "));
}

// What of the events that arrived could not be told, by the names that JSON has for it.
std::vector<NamedCount> unknown_of(const TraceAttributor::Counts &counts) {
  return {{"stacks_unknown", counts.stacks_unknown},
          {"addresses_unnamed", counts.addresses_unnamed},
          {"types_unknown", counts.types_unknown},
          {"maps_forgotten", counts.maps_forgotten},
          {"returns_lost", counts.returns_lost},
          {"calls_without_result", counts.calls_without_result},
          {"misuses_dropped", counts.misuses_dropped}};
}

} // namespace

void TraceAnalysis::target_start(const TargetStart &start) {
  sink_.target(start);
  std::ranges::copy(start.warnings, std::back_inserter(end_.notes));
  for (std::string note :
       {not_all_told(start.scope),
        start.facts->is_known_release ? std::string{} : possible_blind_spot(*start.facts)})
    if (!note.empty() && std::ranges::find(end_.notes, note) == end_.notes.end())
      end_.notes.push_back(std::move(note));
  auto attributor = std::make_unique<TraceAttributor>(start.process, *start.facts, *start.names,
                                                      start.returns_probed);
  if (start.load_bias)
    attributor->set_load_bias(*start.load_bias);
  targets_[start.index] = {start, std::move(attributor)};
}

void TraceAnalysis::record(std::span<const std::byte> record) {
  auto event = decode(record);
  if (!event) {
    ++end_.dropped[static_cast<std::size_t>(DropReason::malformed)];
    return;
  }
  std::visit([&](const auto &body) { take(event->header, body); }, event->body);
}

template <typename Body> void TraceAnalysis::take(const event_header &header, const Body &body) {
  // Of processes that are no targets (yet) these are told too.
  constexpr bool kMayBeStrange = std::is_same_v<Body, process_exec_event> ||
                                 std::is_same_v<Body, process_exit_event> ||
                                 std::is_same_v<Body, process_fork_event>;
  Target *target = target_of(targets_, header);
  if (target == nullptr) {
    if constexpr (!kMayBeStrange)
      ++end_.dropped[static_cast<std::size_t>(DropReason::unknown_target)];
    return;
  }
  if constexpr (std::is_same_v<Body, image_entry_event>) {
    target->attributor->set_load_bias({body.load_bias});
  } else if constexpr (std::is_same_v<Body, system_call_result_event>) {
    if (!target->attributor->add(body))
      ++end_.dropped[static_cast<std::size_t>(DropReason::unpaired_result)];
  } else if constexpr (!std::is_same_v<Body, process_fork_event>) {
    target->attributor->add(body);
  }
}

void TraceAnalysis::drained() {
  if (targets_.size() == 1) {
    hand_on(targets_.begin()->second.attributor->take());
    return;
  }
  std::vector<TraceEvent> events;
  for (auto &[index, target] : targets_)
    std::ranges::move(target.attributor->take(), std::back_inserter(events));
  std::ranges::stable_sort(events, {}, &TraceEvent::time_ns);
  hand_on(std::move(events));
}

void TraceAnalysis::hand_on(std::vector<TraceEvent> events) {
  for (const TraceEvent &event : events)
    sink_.event(event);
  sink_.flush();
}

void TraceAnalysis::goroutines(const GoroutineSnapshot &snapshot) {
  if (auto target = targets_.find(snapshot.index); target != targets_.end())
    target->second.attributor->add(snapshot);
}

void TraceAnalysis::remark(const Remark &remark) { end_.notes.push_back(remark.sentence); }

void TraceAnalysis::target_end(const TargetEnd &end) {
  auto target = targets_.find(end.index);
  if (target == targets_.end())
    return;
  hand_on(target->second.attributor->take_all());
  attribution_ += target->second.attributor->counts();
  std::ranges::transform(end_.lost, end.counts.lost, end_.lost.begin(), std::plus{});
  targets_.erase(target);
}

void TraceAnalysis::end(const RunEnd &end) {
  end_.time_ns = end.time_ns;
  end_.events = end.events;
  end_.command = end.command;
  end_.unknown = unknown_of(attribution_);
  if (!attribution_.error.empty())
    end_.notes.push_back(fmt::format("names could not be found: {}", attribution_.error));
  sink_.end(end_);
}

} // namespace mapscope
