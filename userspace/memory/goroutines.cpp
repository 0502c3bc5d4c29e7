// Three bulk reads: the list, the structures, the stacks; and the list again at the end.
#include "memory/goroutines.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"

namespace mapscope {
namespace {

// Of runtime/runtime2.go, since Go 1.17.
constexpr std::uint32_t kIdle = 0, kRunning = 2, kDead = 6, kDeadExtra = 11;
constexpr std::uint32_t kScan = 0x1000; // a flag: the collector looks at its stack

// A Go slice of pointers.
struct Slice {
  std::uint64_t data = 0, len = 0, cap = 0;
};

// Offsets in runtime.g.
struct Layout {
  std::uint32_t stack_lo, stack_hi, pc, sp, bp, self, status, goid;

  std::size_t size_bytes() const {
    return std::max({stack_lo, stack_hi, pc, sp, bp, self, status, goid}) + sizeof(std::uint64_t);
  }
};

Result<std::uint32_t> offset_of(const BinaryFacts &facts, std::string_view field) {
  // The executable may lie, and this much is read of each goroutine.
  constexpr std::uint32_t kOffsetMax = 4096;
  if (const auto offset = facts.layout.find(field); offset && *offset <= kOffsetMax)
    return *offset;
  return fail(Errc::unsupported, "{}: where {} lies is not known", facts.path, field);
}

Result<Layout> layout_of(const BinaryFacts &facts) {
  return Layout{.stack_lo = TRY(offset_of(facts, "runtime.g.stack.lo")),
                .stack_hi = TRY(offset_of(facts, "runtime.g.stack.hi")),
                .pc = TRY(offset_of(facts, "runtime.g.sched.pc")),
                .sp = TRY(offset_of(facts, "runtime.g.sched.sp")),
                .bp = TRY(offset_of(facts, "runtime.g.sched.bp")),
                .self = TRY(offset_of(facts, "runtime.g.sched.g")),
                .status = TRY(offset_of(facts, "runtime.g.atomicstatus")),
                .goid = TRY(offset_of(facts, "runtime.g.goid"))};
}

// One read that has to succeed.
Result<> read_exactly(AddressSpace &memory, ProcessAddress address, std::span<std::byte> into) {
  MemoryRead wanted{.address = address, .into = into};
  TRY(memory.read({&wanted, 1}));
  if (!wanted.is_read)
    return fail(Errc::malformed, "the memory at {:#x} cannot be read", address.value);
  return {};
}

Result<Slice> read_list(AddressSpace &memory, ProcessAddress address) {
  Slice list;
  TRY(read_exactly(memory, address, std::as_writable_bytes(std::span{&list, 1})));
  // Before the first goroutine the slice is nil.
  if (list.len > list.cap || (list.len != 0 && list.data == 0))
    return fail(Errc::malformed, "what lies at {:#x} is no list of goroutines", address.value);
  return list;
}

struct Goroutine {
  GoroutineStack found;
  std::uint64_t stack_lo = 0;
  bool is_alive = false;
};

// Nothing where the bytes at `address` are no g: another object lies there by now.
std::optional<Goroutine> parse_goroutine(const Layout &layout, std::uint64_t address,
                                         std::span<const std::byte> bytes) {
  constexpr std::uint64_t kStackBytesMax = 1ULL << 30; // runtime/proc.go, main: maxstacksize
  const ByteReader reader{bytes};
  const auto word = [&](std::uint32_t offset) {
    return reader.read_at<std::uint64_t>(offset).value_or(0);
  };
  const auto status = reader.read_at<std::uint32_t>(layout.status).value_or(0) & ~kScan;
  Goroutine goroutine{.found = {.goid = word(layout.goid),
                                .status = status,
                                .pc = word(layout.pc),
                                .sp = word(layout.sp),
                                .fp = word(layout.bp),
                                .stack_hi = word(layout.stack_hi)},
                      .stack_lo = word(layout.stack_lo),
                      .is_alive = status != kIdle && status != kDead && status != kDeadExtra};
  if (!goroutine.is_alive)
    return goroutine;
  const GoroutineStack &found = goroutine.found;
  const bool is_sound = word(layout.self) == address && status <= kDeadExtra && found.goid != 0 &&
                        goroutine.stack_lo != 0 && goroutine.stack_lo < found.stack_hi &&
                        found.stack_hi % sizeof(std::uint64_t) == 0 &&
                        found.stack_hi - goroutine.stack_lo <= kStackBytesMax &&
                        ((goroutine.stack_lo <= found.sp && found.sp <= found.stack_hi) ||
                         (found.sp == 0 && status == kRunning));
  return is_sound ? std::optional{std::move(goroutine)} : std::nullopt;
}

struct Goroutines {
  std::vector<Goroutine> alive;
  bool is_complete = true;
};

Result<Goroutines> read_structures(AddressSpace &memory, const Layout &layout,
                                   std::span<const std::uint64_t> addresses) {
  const std::size_t size_bytes = layout.size_bytes();
  std::vector<std::byte> bytes(addresses.size() * size_bytes);
  std::vector<MemoryRead> reads;
  reads.reserve(addresses.size());
  for (std::size_t i = 0; i < addresses.size(); ++i)
    reads.push_back(
        {.address = {addresses[i]}, .into = std::span{bytes}.subspan(i * size_bytes, size_bytes)});
  TRY(memory.read(reads));

  Goroutines goroutines;
  for (const MemoryRead &structure : reads) {
    auto goroutine = structure.is_read
                         ? parse_goroutine(layout, structure.address.value, structure.into)
                         : std::nullopt;
    if (!goroutine)
      goroutines.is_complete = false;
    else if (goroutine->is_alive)
      goroutines.alive.push_back(*std::move(goroutine));
  }
  return goroutines;
}

// Sets aside room for the words that are wanted of a stack.
//
// gogo clears sched.sp when it lets a goroutine run (runtime/asm_amd64.s), and a system call leaves
// there where it was made, so of a running one the outermost words are taken, or those around that
// place where it is further in.
void choose_words(Goroutine &goroutine, std::size_t words_max) {
  constexpr std::uint64_t kWord = sizeof(std::uint64_t);
  GoroutineStack &stack = goroutine.found;
  const auto align_up = [](std::uint64_t address) { return (address + kWord - 1) & ~(kWord - 1); };
  std::uint64_t start = align_up(stack.sp);
  if (stack.status == kRunning) {
    const std::uint64_t lo = align_up(goroutine.stack_lo);
    const std::uint64_t outermost =
        stack.stack_hi - std::min(stack.stack_hi - lo, words_max * kWord);
    start = stack.sp == 0
                ? outermost
                : std::clamp(start - std::min(start, words_max / 2 * kWord), lo, outermost);
  }
  stack.words_address = start;
  stack.words.resize(start < stack.stack_hi ? std::min((stack.stack_hi - start) / kWord, words_max)
                                            : 0);
}

// Fills the words of all; says whether every one could be read.
Result<bool> read_stacks(AddressSpace &memory, std::span<Goroutine> goroutines,
                         std::size_t words_max) {
  std::vector<MemoryRead> reads;
  reads.reserve(goroutines.size());
  for (Goroutine &goroutine : goroutines) {
    choose_words(goroutine, words_max);
    reads.push_back({.address = {goroutine.found.words_address},
                     .into = std::as_writable_bytes(std::span{goroutine.found.words})});
  }
  TRY(memory.read(reads));
  for (std::size_t i = 0; i < reads.size(); ++i)
    if (!reads[i].is_read)
      goroutines[i].found.words.clear();
  return std::ranges::all_of(reads, &MemoryRead::is_read);
}

} // namespace

Result<GoroutineSnapshot> read_goroutines(AddressSpace &memory, const BinaryFacts &facts,
                                          LoadBias bias, const GoroutineLimits &limits) {
  if (facts.all_goroutines.value == 0)
    return fail(Errc::unsupported, "{}: where its goroutines are listed is not known", facts.path);
  const Layout layout = TRY(layout_of(facts));
  const ProcessAddress list_address = bias.to_process(facts.all_goroutines);
  const Slice list = TRY(read_list(memory, list_address));

  std::vector<std::uint64_t> addresses(std::min<std::uint64_t>(list.len, limits.listed_max));
  TRY(read_exactly(memory, {list.data}, std::as_writable_bytes(std::span{addresses})));
  auto [alive, is_complete] = TRY(read_structures(memory, layout, addresses));
  std::ranges::stable_partition(
      alive, [](const Goroutine &goroutine) { return goroutine.found.status == kRunning; });
  is_complete &= addresses.size() == list.len && alive.size() <= limits.stacks_max;
  alive.resize(std::min(alive.size(), limits.stacks_max));
  is_complete &= TRY(read_stacks(memory, alive, limits.words_max));

  const Slice list_afterwards = TRY(read_list(memory, list_address));
  GoroutineSnapshot snapshot;
  snapshot.is_complete = is_complete && list_afterwards.len == list.len;
  snapshot.goroutines.reserve(alive.size());
  for (Goroutine &goroutine : alive)
    snapshot.goroutines.push_back(std::move(goroutine.found));
  return snapshot;
}

} // namespace mapscope
