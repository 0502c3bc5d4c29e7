// Concludes from what was on the stack when the runtime noticed; see misuse_attributor.h.
#include "attribute/misuse_attributor.h"

#include <algorithm>
#include <functional>
#include <iterator>

#include "attribute/go_names.h"
#include "attribute/map_header.h"

namespace mapscope {
namespace {

// Every goroutine that uses the map may report; more than some processors have threads.
constexpr std::size_t kReportsMax = 256;
constexpr std::size_t kOthersMax = 16;
// How far the frame of the map function's caller reaches, where its end is not seen.
constexpr std::size_t kCallerFrameWords = 64;

// The innermost user function on the stack: the return address into it is that of a call of a
// map function. Its depth; empty: none was recorded.
std::optional<std::size_t> caller_depth(const NamedStack &stack) {
  for (std::size_t depth = 1; depth < stack.call_stack.frames.size(); ++depth) {
    const SourceFrames &frames = stack.call_stack.frames[depth];
    if (!frames.empty() && !is_runtime_function(frames.back().function))
      return depth;
  }
  return std::nullopt;
}

// Words of the frames of the map function and of its caller.
std::span<const __u64> words_of_call(const map_misuse_event &event, const NamedStackPtr &stack) {
  auto words =
      std::span{event.words}.first(std::min<std::size_t>(event.word_count, std::size(event.words)));
  auto depth = stack ? caller_depth(*stack) : std::nullopt;
  if (!depth)
    return words;
  auto call = std::ranges::find(words, stack->pcs[*depth].value);
  auto from_call = words.subspan(static_cast<std::size_t>(call - words.begin()));
  std::size_t caller_words = std::min(from_call.size(), kCallerFrameWords);
  if (*depth + 1 < stack->pcs.size()) {
    auto end = std::ranges::find(from_call, stack->pcs[*depth + 1].value);
    if (end != from_call.end())
      caller_words = static_cast<std::size_t>(end - from_call.begin());
  }
  return words.first(words.size() - from_call.size() + caller_words);
}

// hashWriting of runtime/map.go; writing of internal/runtime/maps/map.go.
bool is_being_written(const misuse_map &map, MapImplementation implementation) {
  return implementation == MapImplementation::classic ? (map.header[1] & 4) != 0
                                                      : ((map.header[4] >> 16) & 0xff) == 1;
}

} // namespace

void MisuseAttributor::add(const map_misuse_event &event, NamedStackPtr stack) {
  if (reports_.size() >= kReportsMax) {
    ++dropped_;
    return;
  }
  reports_.push_back({.event = event, .stack = std::move(stack)});
}

std::vector<MisuseReport> MisuseAttributor::take(bool all, const Knowledge &known) {
  std::vector<Report> reports = take_complete(all);
  if (reports.empty())
    return {};
  find_maps(reports);
  find_types(reports, known);
  GoroutineEvidence evidence;
  if (snapshot_)
    evidence = {*snapshot_, facts_, known.lines, known.names};
  std::vector<MisuseReport> concluded;
  for (const Report &report : reports)
    concluded.push_back(conclude(report, reports, evidence, known));
  snapshot_.reset();
  return concluded;
}

std::vector<MisuseAttributor::Report> MisuseAttributor::take_complete(bool all) {
  auto waits = [&](const Report &report) {
    return !all && !snapshot_ && !report.has_waited && report.event.misuse == MAP_MISUSE_CONCURRENT;
  };
  auto waiting = std::ranges::stable_partition(reports_, std::not_fn(waits));
  std::vector<Report> complete{std::make_move_iterator(reports_.begin()),
                               std::make_move_iterator(waiting.begin())};
  reports_.erase(reports_.begin(), waiting.begin());
  for (Report &report : reports_)
    report.has_waited = true;
  return complete;
}

void MisuseAttributor::find_maps(std::span<Report> reports) const {
  for (Report &report : reports) {
    const map_misuse_event &event = report.event;
    auto words = words_of_call(event, report.stack);
    auto candidates =
        std::span{event.maps}.first(std::min<std::size_t>(event.map_count, std::size(event.maps)));
    std::vector<misuse_map> left;
    std::ranges::copy_if(candidates, std::back_inserter(left), [&](const misuse_map &map) {
      bool is_new = std::ranges::find(left, map.address, &misuse_map::address) == left.end();
      return is_new && is_being_written(map, facts_.map_implementation) &&
             read_map_header(map.header, facts_.map_implementation, facts_.version) &&
             std::ranges::find(words, map.address) != words.end();
    });
    if (left.size() != 1)
      continue;
    report.map = left[0];
    bool is_on_stack = left[0].address >= event.sp && left[0].address < event.stack_hi;
    report.place = is_on_stack ? MapPlace{event.stack_hi - left[0].address, event.goid}
                               : MapPlace{left[0].address, 0};
  }
}

// By the call, which passes the descriptor; else by what the map was seen as; else by the one
// descriptor that lies in the frames.
void MisuseAttributor::find_types(std::span<Report> reports, const Knowledge &known) const {
  std::vector<ElfAddress> calls;
  std::vector<Report *> callers;
  for (Report &report : reports) {
    auto depth = report.stack ? caller_depth(*report.stack) : std::nullopt;
    auto address = depth ? known.lines.to_elf(report.stack->pcs[*depth]) : std::nullopt;
    if (!address)
      continue;
    calls.push_back(*address);
    callers.push_back(&report);
  }
  if (!calls.empty())
    if (auto types = known.names.map_types_at_calls(calls); types && types->size() == calls.size())
      for (std::size_t at = 0; at < calls.size(); ++at)
        if (auto &type = (*types)[at])
          callers[at]->type = std::make_shared<const MapType>(std::move(*type));

  for (Report &report : reports) {
    if (report.type == nullptr && report.place)
      if (const TrackedMap *map = known.maps.find(*report.place))
        if (const MapTypePtr *type = known.types.find(map->type))
          report.type = *type;
    if (report.type != nullptr)
      continue;
    std::vector<ElfAddress> words;
    for (std::uint64_t word : words_of_call(report.event, report.stack))
      if (auto address = known.lines.to_elf({word}))
        words.push_back(*address);
    auto types = known.names.map_types(words);
    if (!types)
      continue;
    std::vector<MapType> different;
    for (auto &type : *types)
      if (type && std::ranges::find(different, *type) == different.end())
        different.push_back(std::move(*type));
    if (different.size() == 1)
      report.type = std::make_shared<const MapType>(std::move(different[0]));
  }
}

MisuseReport MisuseAttributor::conclude(const Report &report, std::span<const Report> all,
                                        const GoroutineEvidence &evidence,
                                        const Knowledge &known) const {
  const map_misuse_event &event = report.event;
  MisuseReport told{.header = event.header,
                    .goroutine = event.goid,
                    .stack = call_stack_of(report.stack),
                    .misuse = {.is_fatal = event.misuse == MAP_MISUSE_CONCURRENT,
                               .message = event.message,
                               .type = report.type}};
  MapGrower grower;
  if (report.map) {
    MapSight sight;
    if (auto header =
            read_map_header(report.map->header, facts_.map_implementation, facts_.version))
      sight.seed = header->seed;
    const TrackedMap &map = known.maps.see(*report.place, sight).map;
    told.misuse.map = identity_of(map, *report.place, report.map->address);
    grower = map.grower.goroutine == event.goid ? map.other_grower : map.grower;
  }
  if (!told.misuse.is_fatal)
    return told;

  auto &others = told.misuse.others;
  auto add = [&](OtherGoroutine other) {
    bool is_new =
        std::ranges::find(others, other.goroutine, &OtherGoroutine::goroutine) == others.end();
    if (is_new && other.goroutine != event.goid && others.size() < kOthersMax)
      others.push_back(std::move(other));
  };
  for (const Report &other : all) {
    bool is_other_map = report.map && other.map && report.map->address != other.map->address;
    if (other.event.misuse == MAP_MISUSE_CONCURRENT && other.event.goid != 0 && !is_other_map)
      add({.goroutine = other.event.goid,
           .site = other.stack ? other.stack->call_stack.site : std::nullopt,
           .evidence = OtherGoroutine::Evidence::reported});
  }
  auto address = report.map ? std::optional<std::uint64_t>{report.map->address} : std::nullopt;
  for (OtherGoroutine &user : evidence.users_of(report.type.get(), address, event.goid))
    add(std::move(user));
  if (others.empty() && grower.goroutine != 0) {
    auto stack = known.stacks.use(grower.stack);
    add({.goroutine = grower.goroutine,
         .site = stack ? stack->call_stack.site : std::nullopt,
         .evidence = OtherGoroutine::Evidence::grew_it});
  }
  return told;
}

} // namespace mapscope
