// Loading, reading and reading out; see map_count_records.h.
#include "kernel/bpf_maps/map_count_records.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "base/handle.h"
#include "kernel/libbpf_words.h"
#include "kernel/skeleton.h"
#include "kernel/uprobes.h"
#include "skeletons/bpf_map_count.skel.h"

namespace mapscope {
namespace {

constexpr std::size_t kProgramCount = 3;
constexpr std::array<const char *, kProgramCount> kLackedWords = {
    "positions and counts of their own", "the counters of hash maps", "used slots"};

std::array<bpf_program *, kProgramCount> programs_of(const bpf_map_count_bpf &skeleton) {
  return {skeleton.progs.count_own, skeleton.progs.count_by_counter, skeleton.progs.count_by_slots};
}

} // namespace

struct MapCountPrograms::State {
  struct Part {
    Loaded<bpf_map_count_bpf> skeleton;
    std::vector<BpfLink> links;
  };
  // All programs in one, or each by itself where that was refused.
  std::vector<Part> parts;
  std::string problem;

  Result<void> load_part(const std::array<bool, kProgramCount> &wanted) {
    keep_libbpf_words();
    auto opened = TRY(Opened<bpf_map_count_bpf>::open());
    const auto programs = programs_of(*opened.operator->());
    for (std::size_t i = 0; i < kProgramCount; ++i)
      bpf_program__set_autoload(programs[i], wanted[i]);
    Part part{TRY(std::move(opened).load()), {}};
    for (std::size_t i = 0; i < kProgramCount; ++i) {
      if (!wanted[i])
        continue;
      part.links.emplace_back(bpf_program__attach_iter(programs[i], nullptr));
      if (!part.links.back())
        return std::unexpected(Error::from_errno("attaching to the iterator over maps"));
    }
    parts.push_back(std::move(part));
    return {};
  }

  void load() {
    if (load_part({true, true, true}))
      return;
    std::string last;
    for (std::size_t i = 0; i < kProgramCount; ++i) {
      std::array<bool, kProgramCount> wanted{};
      wanted[i] = true;
      auto loaded = load_part(wanted);
      if (loaded)
        continue;
      last = loaded.error().message();
      problem += fmt::format("{}{}: {}", problem.empty() ? "The kernel does not give " : "; ",
                             kLackedWords[i], last);
    }
    if (parts.empty())
      problem = "The kernel takes none of the programs that count entries: " + last;
    if (!problem.empty())
      problem += "; keys are gone through instead.";
  }
};

MapCountPrograms::MapCountPrograms(std::unique_ptr<State> state) : state_(std::move(state)) {}
MapCountPrograms::MapCountPrograms(MapCountPrograms &&) noexcept = default;
MapCountPrograms &MapCountPrograms::operator=(MapCountPrograms &&) noexcept = default;
MapCountPrograms::~MapCountPrograms() = default;

MapCountPrograms MapCountPrograms::load() {
  auto state = std::make_unique<State>();
  state->load();
  return MapCountPrograms{std::move(state)};
}

const std::string &MapCountPrograms::problem() const { return state_->problem; }

std::size_t take_count_records(std::span<const std::byte> bytes, MapCountTable &table) {
  std::size_t taken = 0;
  for (bpf_map_count record{}; bytes.size() - taken >= sizeof(record); taken += sizeof(record)) {
    std::memcpy(&record, bytes.data() + taken, sizeof(record));
    const auto [slot, is_new] = table.try_emplace(record.id, record);
    if (is_new)
      continue;
    bpf_map_count &known = slot->second;
    known.has |= record.has;
    if ((record.has & BPF_MAP_HAS_COUNTER) != 0)
      known.counter = record.counter;
    if ((record.has & (BPF_MAP_HAS_OWN_COUNT | BPF_MAP_HAS_SLOTS)) != 0)
      known.own_count = record.own_count;
    if ((record.has & BPF_MAP_HAS_ROUGH) != 0)
      known.rough = record.rough;
    if ((record.has & BPF_MAP_HAS_POSITIONS) != 0) {
      known.consumed = record.consumed;
      known.produced = record.produced;
    }
  }
  return taken;
}

MapCountTable MapCountPrograms::run() const {
  MapCountTable table;
  std::array<std::byte, 16384> buffer{};
  for (const State::Part &part : state_->parts) {
    part.skeleton->bss->slots_left = BPF_MAP_SLOTS_MAX;
    for (const BpfLink &link : part.links) {
      const Fd iterator{bpf_iter_create(bpf_link__fd(link.get()))};
      std::size_t held = 0; // a read may end within a record
      while (iterator) {
        const ssize_t got = ::read(iterator.get(), buffer.data() + held, buffer.size() - held);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
          continue;
        if (got <= 0)
          break;
        held += static_cast<std::size_t>(got);
        const std::size_t taken = take_count_records({buffer.data(), held}, table);
        std::memmove(buffer.data(), buffer.data() + taken, held - taken);
        held -= taken;
      }
    }
  }
  return table;
}

BpfMapFill fill_with_entries(const BpfMapFacts &map, std::uint64_t entries, BpfMethod method,
                             std::string note) {
  BpfMapFill fill{.entries = entries, .method = method, .note = std::move(note)};
  if (map.max_entries > 0) // a table of stacks has room for more: a power of two
    fill.fill = std::min(1.0, static_cast<double>(entries) / map.max_entries);
  return fill;
}

namespace {

BpfMapFill fill_of_ring(const BpfMapFacts &map, const bpf_map_count &record) {
  // One of the positions is a page that processes write to: of nonsense there is no fill.
  const std::uint64_t unread = record.produced - record.consumed;
  if (unread > map.max_entries)
    return {.note = "its positions, which a process can write, contradict each other"};
  BpfMapFill fill{.used_bytes = unread, .method = BpfMethod::counted};
  fill.note = "unread bytes, by its positions";
  if (map.max_entries > 0)
    fill.fill = static_cast<double>(unread) / map.max_entries;
  return fill;
}

} // namespace

std::optional<BpfMapFill> fill_of_record(const BpfMapFacts &map, const bpf_map_count &record) {
  if (record.type != map.type_number)
    return std::nullopt;
  if ((record.has & BPF_MAP_HAS_POSITIONS) != 0)
    return fill_of_ring(map, record);
  if ((record.has & BPF_MAP_HAS_COUNTER) != 0) {
    const bool evicts =
        map.type_number == BPF_MAP_TYPE_LRU_HASH || map.type_number == BPF_MAP_TYPE_LRU_PERCPU_HASH;
    // Added up CPU by CPU: one that is added on one and deleted on another meanwhile counts -1.
    const auto entries = static_cast<std::uint64_t>(std::max<std::int64_t>(record.counter, 0));
    return fill_with_entries(map, entries, BpfMethod::counted,
                             evicts ? "the kernel's counter; a full one evicts"
                                    : "the kernel's counter");
  }
  if ((record.has & BPF_MAP_HAS_OWN_COUNT) != 0) {
    if (map.type_number != BPF_MAP_TYPE_STRUCT_OPS)
      return fill_with_entries(map, record.own_count, BpfMethod::counted, "the type's own count");
    return BpfMapFill{.entries = record.own_count,
                      .method = BpfMethod::counted,
                      .note = record.own_count != 0 ? "its functions are set"
                                                    : "its functions are not set"};
  }
  if ((record.has & BPF_MAP_HAS_SLOTS) != 0)
    return fill_with_entries(map, record.own_count, BpfMethod::walked,
                             map.max_entries == 0 ? "elements of its lists" : "slots in use");
  return std::nullopt;
}

std::optional<BpfMapFill> rough_fill_of_record(const BpfMapFacts &map, const bpf_map_count &record,
                                               std::uint32_t cpu_count) {
  if (record.type != map.type_number || (record.has & BPF_MAP_HAS_ROUGH) == 0)
    return std::nullopt;
  constexpr std::uint64_t kPerCpu = 32; // kernel/bpf/hashtab.c, PERCPU_COUNTER_BATCH
  BpfMapFill fill =
      fill_with_entries(map, static_cast<std::uint64_t>(std::max<std::int64_t>(record.rough, 0)),
                        BpfMethod::sampled, "the kernel's counter, some a CPU not yet in it");
  fill.error = kPerCpu * cpu_count;
  return fill;
}

} // namespace mapscope
