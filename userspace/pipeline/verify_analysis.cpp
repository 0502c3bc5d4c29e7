// From records to a verdict; see verify_analysis.h.
#include "pipeline/verify_analysis.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "attribute/system_calls.h"
#include "base/overloaded.h"
#include "decode/decode.h"
#include "go/unknown_release.h"
#include "pipeline/probe_hits.h"
#include "pipeline/target_lookup.h"

namespace mapscope {
namespace {

// On arm64 always: where g lies from the thread pointer is not known (Go source:
// runtime/tls_arm64.s).
constexpr std::string_view kCallsOfC =
    "The program is linked with C code, and where its threads keep their goroutine is not known: "
    "whether system calls of C code were inside a map operation is open.";

} // namespace

void VerifyAnalysis::target_start(const TargetStart &start) {
  if (start.is_first)
    first_ = start;
  auto attributor = std::make_unique<CallAttributor>(start.process, *start.facts, *start.names);
  Target &target = targets_[start.index] = {start, std::move(attributor)};
  if (start.load_bias)
    set_load_bias(target, *start.load_bias);
}

void VerifyAnalysis::set_load_bias(Target &target, LoadBias bias) {
  target.attributor->set_load_bias(bias);
  target.knows_load_bias = true;
}

void VerifyAnalysis::record(std::span<const std::byte> record) {
  if (auto event = decode(record))
    take(*event);
  else
    ++counts_.dropped[static_cast<std::size_t>(DropReason::malformed)];
}

void VerifyAnalysis::take(const Event &event) {
  const event_header &header = event.header;
  std::visit(overloaded{[&](const system_call_event &call) { take_call(header, call); },
                        [&](const system_call_detail_event &call) { take_call(header, call); },
                        [&](const system_call_result_event &call) { take_call(header, call); },
                        [&](const io_uring_submit_event &call) { take_call(header, call); },
                        [&](const image_entry_event &entry) {
                          if (auto target = targets_.find(header.target); target != targets_.end())
                            set_load_bias(target->second, {entry.load_bias});
                        },
                        [](const auto &) {}},
             event.body);
}

template <typename Call>
void VerifyAnalysis::take_call(const event_header &header, const Call &call) {
  Target *target = target_of(targets_, header);
  if (target == nullptr) {
    ++counts_.dropped[static_cast<std::size_t>(DropReason::unknown_target)];
    return;
  }
  if constexpr (std::is_same_v<Call, system_call_result_event>) {
    if (!target->attributor->add(call))
      ++counts_.dropped[static_cast<std::size_t>(DropReason::unpaired_result)];
  } else {
    target->attributor->add(call);
  }
}

void VerifyAnalysis::drained() {
  for (auto &[index, target] : targets_)
    for (const AttributedCall &call : target.attributor->take())
      judge_.add(call);
}

void VerifyAnalysis::remark(const Remark &remark) {
  (remark.is_doubt ? run_.doubts : run_.notes).push_back(remark.sentence);
}

// The calls that still wait for a result, and the counters.
void VerifyAnalysis::target_end(const TargetEnd &end) {
  auto target = targets_.find(end.index);
  if (target == targets_.end())
    return;
  for (const AttributedCall &call : target->second.attributor->take_all())
    judge_.add(call);
  note_attribution(target->second.attributor->counts());
  counts_.kernel = sum_of(counts_.kernel, end.counts);
  if (target->second.start.is_first && !target->second.knows_load_bias)
    run_.doubts.emplace_back("the program never reached its first instruction, so where it was "
                             "loaded is not known, and no call could be attributed");
  targets_.erase(target);
}

void VerifyAnalysis::note_attribution(const CallAttributor::Counts &counts) {
  if (counts.unsymbolized > 0)
    run_.notes.push_back(fmt::format("{} addresses could not be turned into source lines: {}",
                                     counts.unsymbolized, counts.symbolizer_error));
  if (counts.waiting_full > 0)
    run_.notes.push_back(
        fmt::format("{} calls are told without their results, since too many were under way",
                    counts.waiting_full));
}

void VerifyAnalysis::end(const RunEnd &end) {
  counts_.calls = named_counts(machine_, counts_.kernel);
  counts_.events = end.events;
  run_.cost = end.cost;
  run_.command = end.command;
  if (!first_)
    return;
  const BinaryFacts &facts = *first_->facts;
  run_.target = {first_->process, first_->exe, facts.go_version, facts.map_implementation,
                 facts.build_id};
  run_.scope = first_->scope;
  run_.duration_ns = end.time_ns - first_->time_ns;
  if (!facts.is_known_release)
    run_.doubts.push_back(possible_blind_spot(facts));
  if (facts.uses_cgo && !facts.tls_offset)
    run_.doubts.emplace_back(kCallsOfC);
  std::ranges::copy(facts.warnings, std::back_inserter(run_.notes));
  std::ranges::copy(first_->warnings, std::back_inserter(run_.notes));
}

Result<Verdict> VerifyAnalysis::verdict() {
  if (!first_)
    return fail(Errc::malformed, "there is no process that a verdict could be about");
  return judge_.finish(std::move(run_), std::move(counts_));
}

} // namespace mapscope
