// Opens, closes, and divides by the time between; see bpf_map_rates.h.
#include "pipeline/bpf_maps/bpf_map_rates.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/format.h"
#include "kernel/bpf_maps/key_reader.h"

namespace mapscope {
namespace {

std::string name_of_errno(int error_number) {
  const char *name = ::strerrorname_np(error_number);
  return name != nullptr ? name : fmt::format("errno {}", error_number);
}

// Seen, all of it: a rate without bounds.
BpfRate seen_rate(std::uint64_t count, std::uint64_t window_ns) {
  return {.exact = static_cast<double>(count) * 1e9 / static_cast<double>(window_ns)};
}

constexpr std::size_t kSampledMapsMax = 16; // that CallWindow::open() takes

std::string lost_text(const CallWindowAnswer &answer) {
  std::string text =
      fmt::format("{} of bpf(2) could not be counted", format_counted(answer.lost, "call"));
  for (const auto &[name, count] : answer.lost_by_name)
    if (count != 0)
      text += fmt::format(", {} {}", name, format_count(count));
  return text;
}

BpfRate not_seen(std::string why) { return {.note = std::move(why)}; }

void add_calls(const MapCalls &calls, const CallWindowAnswer &answer, bool sees_programs,
               BpfMapRates &rates) {
  rates.system_lookups = seen_rate(calls.lookups, answer.window_ns);
  rates.system_updates = seen_rate(calls.updates, answer.window_ns);
  rates.system_deletes = seen_rate(calls.deletes, answer.window_ns);
  for (const auto &[error_number, count] : calls.system_failures)
    rates.insert_failures[name_of_errno(error_number)] += count;
  rates.sees_program_failures = sees_programs;
  rates.lost = answer.lost;
  if (!sees_programs)
    return;
  for (const auto &[error_number, count] : calls.program_failures)
    rates.insert_failures[name_of_errno(error_number)] += count;
  rates.program_updates = seen_rate(calls.program_updates, answer.window_ns);
  rates.program_deletes = seen_rate(calls.program_deletes, answer.window_ns);
}

// What a program can't reach it does not call.
BpfRate never_called() {
  return {.estimate = 0, .lower = 0, .upper = 0, .note = "no program uses it"};
}

void add_programs(const BpfMapFacts &map, const ProgramCallsAnswer &answer, bool may_be_inner,
                  BpfMapRates &rates) {
  const auto found = answer.rates.find(map.id);
  ProgramCallRates estimated;
  if (found != answer.rates.end())
    estimated = found->second;
  else if (may_be_inner || !map.programs.empty())
    estimated.lookups = estimated.updates = estimated.deletes =
        not_seen("programs reach it through another map, if at all");
  else
    estimated.lookups = estimated.updates = estimated.deletes = never_called();
  rates.program_lookups = std::move(estimated.lookups);
  // What was seen is better than any estimate.
  if (!rates.program_updates.exact)
    rates.program_updates = std::move(estimated.updates);
  if (!rates.program_deletes.exact)
    rates.program_deletes = std::move(estimated.deletes);
}

// Some of them were seen, perhaps not all: no bound is below that.
void raise_to(const BpfRate &seen, BpfRate &rate) {
  const double least = seen.exact.value_or(0);
  rate.lower = std::max(rate.lower, least);
  if (rate.estimate)
    rate.estimate = std::max(*rate.estimate, least);
  if (rate.upper)
    rate.upper = std::max(*rate.upper, least);
}

} // namespace

std::optional<InnerMaps> inner_maps_of(std::span<const BpfMapFacts> maps) {
  constexpr std::uint64_t kInnerMax = 100'000; // of one map; more are not gone through
  InnerMaps ids;
  for (const BpfMapFacts &map : maps) {
    if (map.type != "array_of_maps" && map.type != "hash_of_maps")
      continue;
    // The value of such a map is the id of the map that it holds.
    const auto read =
        read_keys(map, {.keys_max = kInnerMax, .with_values = true}, [&](auto, auto value) {
          std::uint32_t id = 0;
          if (value.size() != sizeof(id))
            return false; // then it is not complete
          std::memcpy(&id, value.data(), sizeof(id));
          ids.insert(id);
          return true;
        });
    if (!read || !read->is_complete)
      return std::nullopt;
  }
  return ids;
}

BpfMapRates rates_of(const BpfMapFacts &map, const std::optional<CallWindowAnswer> &calls,
                     const std::optional<ProgramCallsAnswer> &programs,
                     const std::optional<InnerMaps> &inner_maps) {
  BpfMapRates rates;
  if (calls && calls->window_ns != 0) {
    rates.window_ns = calls->window_ns;
    const auto found = calls->calls.find(map.id);
    add_calls(found != calls->calls.end() ? found->second : MapCalls{}, *calls,
              calls->sees_programs_of(map.type_number), rates);
  } else {
    rates.system_lookups = rates.system_updates = rates.system_deletes =
        not_seen("calls of bpf(2) were not counted");
  }
  if (programs && programs->window_ns != 0) {
    rates.window_ns = rates.window_ns != 0 ? rates.window_ns : programs->window_ns;
    add_programs(map, *programs, !inner_maps || inner_maps->contains(map.id), rates);
  } else {
    rates.program_lookups = not_seen("runs of programs were not counted");
    if (!rates.program_updates.exact)
      rates.program_updates = rates.program_deletes = rates.program_lookups;
  }
  if (calls && calls->window_ns != 0)
    if (const auto found = calls->calls.find(map.id); found != calls->calls.end())
      raise_to(seen_rate(found->second.program_lookups, calls->window_ns), rates.program_lookups);
  return rates;
}

Result<> BpfMapRateWindow::open_calls(const std::vector<std::uint32_t> &sample_keys_of) {
  if (!calls_)
    calls_ = TRY(CallWindow::load());
  std::vector<std::uint32_t> ids = sample_keys_of;
  if (ids.size() > kSampledMapsMax) {
    problems_.push_back(fmt::format("looked-up keys are sampled of {} maps: not of {} more",
                                    kSampledMapsMax, ids.size() - kSampledMapsMax));
    ids.resize(kSampledMapsMax);
  }
  return calls_->open(ids);
}

void BpfMapRateWindow::open(const RatesWanted &wanted) {
  problems_.clear();
  calls_are_open_ = programs_are_open_ = false;
  if (wanted.system_calls && calls_refused_.empty()) {
    if (auto opened = open_calls(wanted.sample_keys_of))
      calls_are_open_ = true;
    else
      calls_refused_ = fmt::format("calls of bpf(2) are not counted: {}", opened.error().message());
  }
  if (wanted.system_calls && !calls_refused_.empty())
    problems_.push_back(calls_refused_);
  if (!wanted.programs)
    return;
  if (!programs_)
    programs_ = ProgramCalls::start();
  if (auto begun = programs_->begin())
    programs_are_open_ = true;
  else
    problems_.push_back(
        fmt::format("runs of programs are not counted: {}", begun.error().message()));
}

LookedUpKeys BpfMapRateWindow::close(BpfMapsLook &look,
                                     const std::optional<InnerMaps> &inner_maps) {
  std::optional<CallWindowAnswer> calls;
  std::optional<ProgramCallsAnswer> programs;
  if (programs_are_open_) {
    if (auto answer = programs_->end())
      programs = *std::move(answer);
    else
      problems_.push_back(
          fmt::format("runs of programs are not known: {}", answer.error().message()));
  }
  if (calls_are_open_) {
    if (auto answer = calls_->close())
      calls = *std::move(answer);
    else
      problems_.push_back(
          fmt::format("calls of bpf(2) are not known: {}", answer.error().message()));
  }
  for (BpfMapSample &map : look.maps)
    map.rates = rates_of(map.facts, calls, programs, inner_maps);
  for (std::string &problem : problems_)
    look.problems.push_back(std::move(problem));
  if (programs)
    look.problems.insert(look.problems.end(), programs->problems.begin(), programs->problems.end());
  if (calls && !calls->programs_unseen.empty())
    look.problems.push_back(
        fmt::format("updates and deletes by programs are estimates: {}", calls->programs_unseen));
  if (calls && calls->lost != 0)
    look.problems.push_back(lost_text(*calls));
  LookedUpKeys keys;
  if (!calls)
    return keys;
  for (auto &[id, of_map] : calls->calls) {
    const bool by_programs = of_map.program_looked_up.size() > of_map.looked_up.size();
    auto &sample = by_programs ? of_map.program_looked_up : of_map.looked_up;
    if (!sample.empty())
      keys[id] = {.keys = std::move(sample), .by_programs = by_programs};
  }
  return keys;
}

} // namespace mapscope
