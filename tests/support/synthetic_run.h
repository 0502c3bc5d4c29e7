// A run with every call that a RunObserver can hear, and an observer that writes down what it
// hears: equal lines, equal runs.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "flow/run_observer.h"
#include "wire/facts_json.h"

namespace mapscope {

// Answers from the address alone. The last address of all makes a question fail.
class SyntheticNames final : public BinaryNames {
public:
  static constexpr ElfAddress kFails{0x40ffff};
  std::size_t question_count = 0;

  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override {
    return answer(addresses, [](ElfAddress address) {
      const auto line = static_cast<std::uint32_t>(address.value & 0xff);
      SourceFrames frames = {{"main.inner", "/src/main.go", line, true},
                             {"main.fill", "/src/main.go", line + 1}};
      frames.resize(address.value % 3);
      return frames;
    });
  }
  Result<std::vector<std::optional<MapType>>>
  map_types(std::span<const ElfAddress> descriptors) override {
    return answer(descriptors, type_at);
  }
  Result<std::vector<std::optional<MapType>>>
  map_types_at_calls(std::span<const ElfAddress> return_addresses) override {
    return answer(return_addresses,
                  [](ElfAddress address) { return type_at({address.value + 1}); });
  }

private:
  static std::optional<MapType> type_at(ElfAddress address) {
    if (address.value % 2 == 0)
      return std::nullopt;
    return MapType{.name = fmt::format("map[string]main.T{}", address.value % 10),
                   .key_bytes = 16,
                   .element_bytes = 8,
                   .group_bytes = 200,
                   .group_has_pointers = true};
  }

  template <typename Answer>
  auto answer(std::span<const ElfAddress> addresses, Answer answer_at)
      -> Result<std::vector<decltype(answer_at({}))>> {
    ++question_count;
    if (std::ranges::find(addresses, kFails) != addresses.end())
      return fail(Errc::unsupported, "/srv/app: its parser died");
    std::vector<decltype(answer_at({}))> answers;
    std::ranges::transform(addresses, std::back_inserter(answers), answer_at);
    return answers;
  }
};

// Writes down each call with all that it says, and asks for names whenever it may.
class RunLog final : public RunObserver {
public:
  std::vector<std::string> lines;
  std::uint64_t record_count = 0;
  bool asks = true;

  void start(const RunStart &run) override {
    add("start {} {} {} {}", static_cast<int>(run.machine), run.time_ns, run.wall_offset_ns,
        run.utc_offset_seconds);
  }
  void target_start(const TargetStart &target) override {
    add("target {} at {}: {} {} {} {} bias {} scope {} {} {} {} returns {} first {} warns {}",
        target.index, target.time_ns, target.process.pid, target.process.start_time_ns, target.tgid,
        target.exe, target.load_bias ? fmt::format("{:#x}", target.load_bias->value) : "unknown",
        target.scope.windows, target.scope.outside_refined,
        target.scope.covered_operations.to_string(), target.scope.covered_heap.to_string(),
        target.returns_probed, target.is_first, target.warnings);
    add("facts {}", target.facts ? facts_to_json(*target.facts).dump() : "none");
    names_[target.index] = target.names;
  }
  void record(std::span<const std::byte> bytes) override {
    ++record_count;
    add("record of {}: {:x}", bytes.size(),
        hash_of(bytes.first(std::min<std::size_t>(bytes.size(), 256))));
  }
  void drained() override {
    add("drained");
    ask();
  }
  void goroutines(const GoroutineSnapshot &snapshot) override {
    add("goroutines of {} at {}, all {}", snapshot.index, snapshot.time_ns, snapshot.is_complete);
    for (const GoroutineStack &stack : snapshot.goroutines)
      add("goroutine {} {} {} {} {} {} {} {}", stack.goid, stack.status, stack.pc, stack.sp,
          stack.fp, stack.stack_hi, stack.words_address, stack.words);
    ask();
  }
  void remark(const Remark &remark) override {
    add("remark {} {}", remark.is_doubt, remark.sentence);
  }
  void target_end(const TargetEnd &end) override {
    add("target {} ends {:x}", end.index, hash_of(std::as_bytes(std::span{&end.counts, 1})));
    names_.erase(end.index);
    ask();
  }
  void end(const RunEnd &end) override {
    add("end {}", end.time_ns);
    for (const event_stats &stats : end.events)
      add("events {} {}", stats.sent, stats.lost_ring_full);
    add("cost {} {} {}", say(end.cost.tool_cpu_ns), say(end.cost.kernel_cpu_ns),
        say(end.cost.probe_hits));
    add("command {}", end.command ? say(end.command->exit_status) + say(end.command->signal) : "");
  }

  static std::uint64_t hash_of(std::span<const std::byte> bytes) {
    std::uint64_t hash = 0;
    for (std::byte byte : bytes)
      hash = hash * 31 + static_cast<std::uint64_t>(byte);
    return hash;
  }

private:
  template <typename... Args> void add(fmt::format_string<Args...> format, Args &&...args) {
    lines.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename T> static std::string say(const std::optional<T> &value) {
    return value ? fmt::format("{}", *value) : "none";
  }

  // For old places and for new ones.
  void ask() {
    if (!asks)
      return;
    const std::vector<ElfAddress> places = {{0x401000}, {0x401000 + record_count}};
    for (const auto &[index, names] : names_) {
      if (!names)
        continue;
      add("frames {}", say(names->symbolize(places)));
      add("types {}", say(names->map_types(places)));
      add("types at calls {}", say(names->map_types_at_calls(places)));
      add("failing {}", say(names->symbolize(std::vector{places[0], SyntheticNames::kFails})));
    }
  }

  static std::string say(const SourceFrames &frames) {
    std::string text;
    for (const SourceFrame &frame : frames)
      text += fmt::format("{} {}:{} {}, ", frame.function, frame.file, frame.line, frame.inlined);
    return text;
  }
  static std::string say(const std::optional<MapType> &type) {
    return type ? fmt::format("{} {} {} {} {}", type->name, type->key_bytes, type->element_bytes,
                              type->group_bytes, type->group_has_pointers)
                : "none";
  }
  template <typename T> static std::string say(const Result<std::vector<T>> &answers) {
    if (!answers)
      return answers.error().message();
    std::string text;
    for (const T &answer : *answers)
      text += "[" + say(answer) + "]";
    return text;
  }

  std::map<std::uint32_t, std::shared_ptr<BinaryNames>> names_; // by target
};

// Whoever analyses is called first, and who records last.
class BothObservers final : public RunObserver {
public:
  BothObservers(RunObserver &first, RunObserver &last) : first_(first), last_(last) {}

  void start(const RunStart &it) override { first_.start(it), last_.start(it); }
  void target_start(const TargetStart &it) override {
    first_.target_start(it), last_.target_start(it);
  }
  void record(std::span<const std::byte> it) override { first_.record(it), last_.record(it); }
  void drained() override { first_.drained(), last_.drained(); }
  void goroutines(const GoroutineSnapshot &it) override {
    first_.goroutines(it), last_.goroutines(it);
  }
  void remark(const Remark &it) override { first_.remark(it), last_.remark(it); }
  void target_end(const TargetEnd &it) override { first_.target_end(it), last_.target_end(it); }
  void end(const RunEnd &it) override { first_.end(it), last_.end(it); }

private:
  RunObserver &first_, &last_;
};

inline std::shared_ptr<const BinaryFacts> synthetic_facts(std::string path) {
  auto facts = std::make_shared<BinaryFacts>();
  facts->path = std::move(path);
  facts->file_size_bytes = 0x8000;
  facts->machine = Machine::arm64;
  facts->entry = {0x401000};
  facts->go_version = "go1.26.8";
  facts->text = {{0x401000}, 0x2000};
  facts->layout = {LayoutSource::table, "go1.26.8", {{"runtime.g.goid", 152}}};
  return facts;
}

inline TargetStart synthetic_target(std::uint32_t index, std::shared_ptr<BinaryNames> names) {
  TargetStart target;
  target.index = index;
  target.time_ns = 5'000;
  target.process = {.pid = 100 + index, .start_time_ns = 0xffff'ffff'ffff'ffff};
  target.tgid = 4'000'000 + index;
  target.exe = "/srv/app";
  target.facts = synthetic_facts("/srv/app");
  target.names = std::move(names);
  target.scope.covered_operations.set(MAP_OPERATION_REHASH);
  target.scope.covered_heap.set();
  return target;
}

inline std::vector<std::byte> synthetic_record(std::size_t size_bytes, std::uint64_t time_ns) {
  std::vector<std::byte> record(std::max(size_bytes, sizeof(event_header)), std::byte{7});
  event_header header{};
  header.time_ns = time_ns;
  header.kind = EVENT_KIND_MAP_OPERATION;
  header.size_bytes = static_cast<__u16>(size_bytes);
  std::memcpy(record.data(), &header, sizeof(header));
  record.resize(size_bytes);
  return record;
}

inline GoroutineSnapshot synthetic_goroutines(std::uint32_t index) {
  return {
      .index = index,
      .time_ns = 6'000,
      .is_complete = true,
      .goroutines = {{.goid = 1, .status = 2, .pc = 0x401005, .words = {1, ~0ULL, 0xc000010000}},
                     {.goid = ~0ULL,
                      .status = ~0U,
                      .pc = 1,
                      .sp = 2,
                      .fp = 3,
                      .stack_hi = 4,
                      .words_address = 5}}};
}

inline RunEnd synthetic_end() {
  RunEnd end{.time_ns = 9'000,
             .cost = {.tool_cpu_ns = 1, .probe_hits = 3},
             .command = CommandEnd{.exit_status = -1}};
  for (std::uint64_t i = 0; event_stats & stats : end.events)
    stats = {.sent = ++i, .lost_ring_full = i * i << 40};
  return end;
}

// Tells the whole of it to `observer`; records of `record_bytes`, `record_count` each time.
inline void tell_synthetic_run(RunObserver &observer, std::shared_ptr<BinaryNames> names,
                               std::size_t record_bytes = 40, std::size_t record_count = 3) {
  const auto records = [&](std::uint64_t time_ns) {
    for (std::size_t i = 0; i < record_count; ++i)
      observer.record(synthetic_record(record_bytes, time_ns + i));
    observer.drained();
  };
  observer.start({.machine = Machine::arm64,
                  .time_ns = 4'000,
                  .wall_offset_ns = -1'700'000'000'000'000'000,
                  .utc_offset_seconds = -3'600});
  TargetStart first = synthetic_target(0, names);
  first.is_first = first.returns_probed = true;
  first.load_bias = LoadBias{0x5555'0000'0000};
  first.warnings = {"one sentence", "", "and another"};
  observer.target_start(first);
  records(5'000);
  observer.remark({.is_doubt = true, .sentence = "something was lost"});
  TargetStart second = synthetic_target(1, nullptr);
  second.facts = nullptr;
  second.exe = "/bin/sh";
  observer.target_start(second);
  observer.record({}); // of no bytes at all
  records(6'000);
  observer.goroutines(synthetic_goroutines(1));
  TargetEnd end{.index = 1};
  auto *words = reinterpret_cast<std::uint64_t *>(&end.counts);
  std::iota(words, words + sizeof(end.counts) / sizeof(*words), 1);
  words[0] = ~0ULL;
  observer.target_end(end);
  observer.target_start(synthetic_target(1, names)); // the index again
  observer.drained();
  observer.remark({.is_doubt = false, .sentence = "something worth reading"});
  records(7'000);
  observer.target_end({.index = 0});
  observer.target_end({.index = 1});
  observer.end(synthetic_end());
}

} // namespace mapscope
