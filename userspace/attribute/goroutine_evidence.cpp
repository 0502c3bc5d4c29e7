// Reads the words of stacks; see goroutine_evidence.h.
#include "attribute/goroutine_evidence.h"

#include <algorithm>
#include <unordered_set>

namespace mapscope {
namespace {

constexpr std::uint32_t kRunning = 2;      // runtime._Grunning
constexpr std::uint32_t kScan = 0x1000;    // runtime._Gscan, beside the status
constexpr std::size_t kCallsMax = 4096;    // different ones that are asked about
constexpr std::size_t kMapFrameWords = 64; // of the frames of map functions: at most some 40
constexpr std::size_t kNearWords = 32;     // where a caller keeps the map that it passes

} // namespace

bool is_map_function(const BinaryFacts &facts, ElfAddress pc) {
  return std::ranges::any_of(facts.map_functions, [pc](const FunctionRange &function) {
    return function.range.contains(pc);
  });
}

GoroutineEvidence::GoroutineEvidence(const GoroutineSnapshot &snapshot, const BinaryFacts &facts,
                                     SourceLines &lines, BinaryNames &names) {
  for (const GoroutineStack &stack : snapshot.goroutines)
    find_calls(stack, facts, lines);
  name_calls(lines, names);
}

void GoroutineEvidence::find_calls(const GoroutineStack &stack, const BinaryFacts &facts,
                                   const SourceLines &lines) {
  Goroutine goroutine{.stack = &stack};
  // Index of the last word that was a return address into a map function, plus one.
  std::size_t map_frame_end = 0;
  auto stopped_at = lines.to_elf({stack.pc});
  bool stopped_in_map =
      (stack.status & ~kScan) != kRunning && stopped_at && is_map_function(facts, *stopped_at);
  for (std::size_t word = 0; word < stack.words.size(); ++word) {
    auto site = lines.call_site({stack.words[word]});
    if (!site || !facts.text.contains(*site))
      continue;
    if (is_map_function(facts, *site)) {
      map_frame_end = word + 1;
    } else if (!facts.runtime_text.contains(*site)) {
      bool below_frame = map_frame_end != 0 && word - map_frame_end < kMapFrameWords;
      bool below_stop = stopped_in_map && goroutine.calls.empty();
      goroutine.calls.push_back({word, {site->value + 1}, below_frame || below_stop});
    }
  }
  if (!goroutine.calls.empty())
    goroutines_.push_back(std::move(goroutine));
}

void GoroutineEvidence::name_calls(SourceLines &lines, BinaryNames &names) {
  std::unordered_set<ElfAddress, Hash> different;
  for (const Goroutine &goroutine : goroutines_)
    for (const Call &call : goroutine.calls)
      if (different.size() < kCallsMax)
        different.insert(call.return_address);
  std::vector<ElfAddress> addresses{different.begin(), different.end()};
  std::ranges::sort(addresses); // a recording keeps the question
  if (addresses.empty())
    return;
  auto types = names.map_types_at_calls(addresses);
  if (!types || types->size() != addresses.size())
    return;
  for (std::size_t at = 0; at < addresses.size(); ++at)
    if (auto &type = (*types)[at]) {
      types_.emplace(addresses[at], std::move(*type));
      lines.want({addresses[at].value - 1});
    }
  lines.ask();
  for (const auto &[address, type] : types_)
    if (auto site = user_frame({&lines.at({address.value - 1}), 1}))
      sites_.emplace(address, std::move(*site));
}

std::vector<OtherGoroutine> GoroutineEvidence::users_of(const MapType *type,
                                                        std::optional<std::uint64_t> map,
                                                        std::uint64_t except) const {
  std::vector<OtherGoroutine> users;
  if (type == nullptr && !map)
    return users;
  for (const Goroutine &goroutine : goroutines_) {
    const auto &words = goroutine.stack->words;
    auto proves = [&](const Call &call) {
      auto passed = types_.find(call.return_address);
      if (passed == types_.end() || (type != nullptr && passed->second != *type))
        return false;
      if (!map)
        return call.is_below_map_function;
      auto first =
          words.begin() + static_cast<std::ptrdiff_t>(call.word - std::min(call.word, kNearWords));
      auto last = words.begin() +
                  static_cast<std::ptrdiff_t>(std::min(call.word + kNearWords, words.size()));
      return std::find(first, last, *map) != last;
    };
    auto call = std::ranges::find_if(goroutine.calls, proves);
    if (goroutine.stack->goid == except || call == goroutine.calls.end())
      continue;
    OtherGoroutine user{.goroutine = goroutine.stack->goid,
                        .evidence = OtherGoroutine::Evidence::on_stack};
    if (auto site = sites_.find(call->return_address); site != sites_.end())
      user.site = site->second;
    users.push_back(std::move(user));
  }
  return users;
}

} // namespace mapscope
