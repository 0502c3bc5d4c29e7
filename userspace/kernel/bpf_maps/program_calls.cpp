// Run counts times call sites; see program_calls.h.
//
// A program's rate is of the runs that ended between the two moments at which its count was read.
// The lower bound is the fewest calls of any path, the upper the most; the estimate lies in the
// middle, where it is never further from the truth than half of what lies between them.
#include "kernel/bpf_maps/program_calls.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "base/clock.h"
#include "base/handle.h"
#include "kernel/bpf_maps/call_sites.h"
#include "kernel/bpf_maps/call_sites_symbols.h"
#include "kernel/bpf_maps/program_calls_reader.h"

namespace mapscope {

namespace {

constexpr std::uint64_t kHeldEntriesMax = 16384; // of maps of programs and maps, in one window
constexpr std::uint32_t kNetfilterType = 32; // BPF_PROG_TYPE_NETFILTER, since 6.4: the last known

// What is learnt of a program once.
struct AnalysedProgram {
  std::uint32_t type = 0;
  std::vector<std::uint32_t> map_ids;
  ProgramCallSites sites;
  std::string problem; // why there are no sites
};

// A program in a window.
struct ProgramInWindow {
  ProgramGlance glance;
  const AnalysedProgram *analysed = nullptr;
  double runs_per_second = 0;
  bool has_runs = false;
  bool has_lower = true;
  std::string uncounted; // why its runs are not all that it ran, a phrase
};

std::string title_of(const ProgramGlance &glance) {
  return glance.name.empty() ? fmt::format("program {}", glance.identity.id)
                             : fmt::format("program {} ({})", glance.identity.id, glance.name);
}

// Types of which some programs may sleep: one run can last longer than the window.
bool may_sleep(std::uint32_t type) {
  switch (type) {
  case BPF_PROG_TYPE_KPROBE: // sleepable uprobes
  case BPF_PROG_TYPE_TRACING:
  case BPF_PROG_TYPE_LSM:
  case BPF_PROG_TYPE_STRUCT_OPS:
  case BPF_PROG_TYPE_SYSCALL:
    return true;
  default:
    return false;
  }
}

// All that programs add to one rate of one map.
class RateSum {
public:
  void add(const ProgramInWindow &program, const CallsPerRun &calls, bool beyond_runs) {
    if (program.has_lower)
      lower_ += program.runs_per_second * static_cast<double>(calls.fewest);
    if (calls.most == 0)
      return;
    if (!program.uncounted.empty())
      give_up(program.uncounted);
    else if (calls.most)
      upper_ += program.runs_per_second * static_cast<double>(*calls.most);
    else if (program.has_runs || beyond_runs || may_sleep(program.glance.type))
      give_up(fmt::format("{} calls in a loop, a callback or a timer", title_of(program.glance)));
  }
  // On one of several maps that another map holds.
  void add_inner(const ProgramInWindow &program, CallsPerRun calls, bool beyond_runs) {
    calls.fewest = 0;
    add(program, calls, beyond_runs);
    if (calls.most != 0 && program.has_runs && note_.empty()) {
      is_shared_ = true;
      note_ = fmt::format("{} reaches it through a map of maps: which it took is not known",
                          title_of(program.glance));
    }
  }
  BpfRate told() const {
    BpfRate rate{.lower = lower_, .note = note_};
    if (!has_upper_)
      return rate;
    rate.upper = upper_;
    if (is_shared_)
      return rate;
    rate.estimate = lower_ + (upper_ - lower_) / 2;
    if (lower_ < upper_)
      rate.note = "runs times the calls of a path: the middle of the shortest and the longest";
    return rate;
  }

private:
  void give_up(const std::string &why) {
    if (has_upper_)
      note_ = why;
    has_upper_ = false;
  }

  double lower_ = 0, upper_ = 0;
  bool has_upper_ = true, is_shared_ = false;
  std::string note_;
};

struct MapSums {
  RateSum lookups, updates, deletes;

  void add(const ProgramInWindow &program, const MapCallSites &sites) {
    lookups.add(program, sites.lookups, sites.beyond_runs);
    updates.add(program, sites.updates, sites.beyond_runs);
    deletes.add(program, sites.deletes, sites.beyond_runs);
  }
  void add_inner(const ProgramInWindow &program, const MapCallSites &sites) {
    lookups.add_inner(program, sites.lookups, sites.beyond_runs);
    updates.add_inner(program, sites.updates, sites.beyond_runs);
    deletes.add_inner(program, sites.deletes, sites.beyond_runs);
  }
};

bool has_calls(const MapCallSites &sites) {
  return sites.lookups.most != 0 || sites.updates.most != 0 || sites.deletes.most != 0;
}

} // namespace

struct ProgramCalls::State {
  std::optional<KernelCalls> calls;
  std::map<ProgramIdentity, AnalysedProgram> analysed;
  std::unordered_map<std::uint32_t, HolderKind> holders; // of maps that programs use

  Fd statistics; // the kernel counts while it is open
  std::uint64_t begun_ns = 0;
  std::map<std::uint32_t, ProgramGlance> at_begin;
  std::set<std::uint32_t> tail_called;
  std::set<std::uint32_t> types_in_doubt; // of which any program may be: not all tables were read

  Result<std::map<std::uint32_t, ProgramGlance>> glance_at_all();
  const AnalysedProgram &analyse(const ProgramGlance &program);
  HolderKind holder(std::uint32_t map_id);
  void find_tail_called();
  std::vector<ProgramInWindow> in_window(const std::map<std::uint32_t, ProgramGlance> &at_end);
  void tell_uncounted(std::vector<ProgramInWindow> &programs) const;
  void add_inner(const ProgramInWindow &program, std::map<std::uint32_t, MapSums> &sums,
                 std::uint64_t &entries_left);
  ProgramCallsAnswer answer(const std::vector<ProgramInWindow> &programs);
};

Result<std::map<std::uint32_t, ProgramGlance>> ProgramCalls::State::glance_at_all() {
  std::map<std::uint32_t, ProgramGlance> programs;
  for (auto id : TRY(all_program_ids())) {
    auto glance = glance_at_program(id);
    if (glance)
      programs.emplace(id, std::move(*glance));
    else if (glance.error().code() != Errc::not_found)
      return std::unexpected(std::move(glance).error());
  }
  return programs;
}

const AnalysedProgram &ProgramCalls::State::analyse(const ProgramGlance &program) {
  auto [found, is_new] = analysed.try_emplace(program.identity);
  if (!is_new)
    return found->second;
  AnalysedProgram &result = found->second;
  result.type = program.type;
  auto code = read_program_code(program.identity.id);
  if (!code) {
    result.problem = code.error().message();
    return result;
  }
  result.map_ids = std::move(code->map_ids);
  auto sites = find_call_sites(
      code->instructions, [this](std::int32_t distance) { return calls->helper_of(distance); });
  if (sites)
    result.sites = std::move(*sites);
  else
    result.problem = fmt::format("the code of {}: {}", title_of(program), sites.error().message());
  return result;
}

HolderKind ProgramCalls::State::holder(std::uint32_t map_id) {
  auto [found, is_new] = holders.try_emplace(map_id, HolderKind::neither);
  if (is_new)
    found->second = holder_kind(map_id).value_or(HolderKind::neither);
  return found->second;
}

// What may be the target of a tail call: its runs are in no count. A map of programs can't be in a
// map of maps, so all of them are in the lists of those that jump through them, and programs only
// jump to their own type.
void ProgramCalls::State::find_tail_called() {
  std::map<std::uint32_t, std::set<std::uint32_t>> jump_tables; // types of their users
  for (const auto &[identity, program] : analysed)
    if (program.sites.has_tail_calls || !program.problem.empty())
      for (auto map_id : program.map_ids)
        if (holder(map_id) == HolderKind::of_programs)
          jump_tables[map_id].insert(program.type);
  std::uint64_t entries_left = kHeldEntriesMax;
  for (const auto &[map_id, types] : jump_tables) {
    const auto held = ids_held_by(map_id, entries_left);
    tail_called.insert(held.ids.begin(), held.ids.end());
    if (!held.is_complete)
      types_in_doubt.insert(types.begin(), types.end());
  }
}

std::vector<ProgramInWindow>
ProgramCalls::State::in_window(const std::map<std::uint32_t, ProgramGlance> &at_end) {
  std::vector<ProgramInWindow> programs;
  for (const auto &[id, end] : at_end) {
    const auto found = at_begin.find(id);
    const bool was_there = found != at_begin.end() && found->second.identity == end.identity;
    const auto since = was_there ? found->second.read_at_ns : begun_ns;
    const auto before = was_there ? found->second.runs : 0;
    const auto runs = end.runs - std::min(before, end.runs);
    const auto elapsed_ns = std::max<std::uint64_t>(end.read_at_ns - since, 1);
    programs.push_back(
        {.glance = end,
         .analysed = &analyse(end),
         .runs_per_second = static_cast<double>(runs) * 1e9 / static_cast<double>(elapsed_ns),
         .has_runs = runs != 0});
  }
  for (const auto &[id, begin] : at_begin) {
    const auto found = at_end.find(id);
    if (found == at_end.end() || found->second.identity != begin.identity)
      programs.push_back({.glance = begin,
                          .analysed = &analyse(begin),
                          .uncounted = fmt::format("{} ended meanwhile", title_of(begin))});
  }
  return programs;
}

// Which programs ran more often than their count says.
void ProgramCalls::State::tell_uncounted(std::vector<ProgramInWindow> &programs) const {
  std::set<std::uint32_t> replaced; // BTF of programs
  bool is_any_replaced = false;
  for (const auto &program : programs)
    if (program.glance.type == BPF_PROG_TYPE_EXT) {
      replaced.insert(program.glance.replaces_in_btf);
      is_any_replaced |= program.glance.replaces_in_btf == 0; // before 6.0
    }
  for (auto &program : programs) {
    const auto &glance = program.glance;
    // A function of it may be another now, which makes none of its calls.
    if (glance.btf_id != 0 && (is_any_replaced || replaced.contains(glance.btf_id)))
      program.has_lower = false;
    if (!program.uncounted.empty())
      continue;
    const bool is_tail_called = tail_called.contains(glance.identity.id);
    if (is_tail_called || types_in_doubt.contains(glance.type))
      program.uncounted =
          fmt::format("{} {} the target of tail calls, which are not counted as runs",
                      title_of(glance), is_tail_called ? "is" : "may be");
    else if (glance.type == BPF_PROG_TYPE_EXT)
      program.uncounted = fmt::format("{} replaces a function of another program, whose calls "
                                      "are not counted as runs",
                                      title_of(glance));
    else if (glance.is_offloaded)
      program.uncounted = fmt::format("{} runs on a device", title_of(glance));
    else if (glance.type > kNetfilterType)
      program.uncounted = fmt::format("{} is of type {}, which this build does not know",
                                      title_of(glance), glance.type);
  }
}

// Which of the maps that other maps hold it took is not known: it is in the bounds of all of them.
void ProgramCalls::State::add_inner(const ProgramInWindow &program,
                                    std::map<std::uint32_t, MapSums> &sums,
                                    std::uint64_t &entries_left) {
  const auto &inner = program.analysed->sites.inner;
  if (!has_calls(inner))
    return;
  std::set<std::uint32_t> ids;
  bool is_complete = true;
  for (auto map_id : program.analysed->map_ids)
    if (holder(map_id) == HolderKind::of_maps) {
      const auto held = ids_held_by(map_id, entries_left);
      ids.insert(held.ids.begin(), held.ids.end());
      is_complete = is_complete && held.is_complete;
    }
  if (!is_complete)
    for (const auto &[id, sum] : sums)
      ids.insert(id);
  for (auto id : ids)
    sums[id].add_inner(program, inner);
}

ProgramCallsAnswer ProgramCalls::State::answer(const std::vector<ProgramInWindow> &programs) {
  ProgramCallsAnswer answer;
  std::map<std::uint32_t, MapSums> sums;
  std::uint64_t unread = 0;
  std::string first_unread;
  for (const auto &program : programs) {
    const auto &analysed_program = *program.analysed;
    if (!analysed_program.problem.empty() && unread++ == 0)
      first_unread = analysed_program.problem;
    for (auto map_id : analysed_program.map_ids) {
      if (!analysed_program.problem.empty()) {
        ProgramInWindow unknown = program;
        unknown.uncounted = analysed_program.problem;
        sums[map_id].add(unknown, {});
      } else if (auto found = analysed_program.sites.maps.find(map_id);
                 found != analysed_program.sites.maps.end()) {
        sums[map_id].add(program, found->second);
      } else { // its code does not name it; what it lost sight of may be it
        MapCallSites lost = analysed_program.sites.lost;
        lost.lookups.fewest = lost.updates.fewest = lost.deletes.fewest = 0;
        sums[map_id].add(program, lost);
      }
    }
  }
  std::uint64_t entries_left = kHeldEntriesMax;
  for (const auto &program : programs)
    add_inner(program, sums, entries_left);
  for (const auto &[id, sum] : sums)
    answer.rates[id] = {.lookups = sum.lookups.told(),
                        .updates = sum.updates.told(),
                        .deletes = sum.deletes.told()};
  if (unread != 0)
    answer.problems.push_back(
        fmt::format("The calls of {} BPF programs could not be found in their code: {}.", unread,
                    first_unread));
  if (!types_in_doubt.empty())
    answer.problems.push_back(fmt::format("The maps of programs for tail calls could not be read "
                                          "whole, or have more than {} entries: "
                                          "programs of their types have no upper bounds.",
                                          kHeldEntriesMax));
  return answer;
}

ProgramCalls::ProgramCalls(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProgramCalls::ProgramCalls(ProgramCalls &&) noexcept = default;
ProgramCalls &ProgramCalls::operator=(ProgramCalls &&) noexcept = default;
ProgramCalls::~ProgramCalls() = default;

ProgramCalls ProgramCalls::start() { return ProgramCalls{std::make_unique<State>()}; }

Result<void> ProgramCalls::begin() {
  if (!state_->calls)
    state_->calls = TRY(KernelCalls::read());
  state_->tail_called.clear();
  state_->types_in_doubt.clear();
  // What is dear comes first, so that runs are taxed for the window only.
  for (const auto &[id, program] : TRY(state_->glance_at_all()))
    state_->analyse(program);
  state_->find_tail_called();
  Fd statistics{bpf_enable_stats(BPF_STATS_RUN_TIME)};
  if (!statistics) {
    const bool is_old = errno == EINVAL;
    auto error = Error::from_errno("switching BPF statistics on");
    return is_old ? fail(Errc::unsupported, "{} (5.8 and newer have them)", error.message())
                  : std::unexpected(std::move(error));
  }
  state_->begun_ns = now_ns();
  state_->at_begin = TRY(state_->glance_at_all());
  state_->statistics = std::move(statistics);
  return {};
}

Result<ProgramCallsAnswer> ProgramCalls::end() {
  if (!state_->statistics)
    return fail(Errc::usage, "no window was begun");
  const auto read_at_end = state_->glance_at_all();
  const auto ended_ns = now_ns();
  state_->statistics.reset();
  const auto at_end = TRY(read_at_end);
  auto programs = state_->in_window(at_end);
  state_->find_tail_called();
  state_->tell_uncounted(programs);
  auto answer = state_->answer(programs);
  answer.window_ns = ended_ns - state_->begun_ns;
  // Programs and maps that are gone are forgotten.
  std::erase_if(state_->analysed, [&](const auto &analysed) {
    const auto found = at_end.find(analysed.first.id);
    return found == at_end.end() || found->second.identity != analysed.first;
  });
  state_->holders.clear();
  return answer;
}

} // namespace mapscope
