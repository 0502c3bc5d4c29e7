// The inside of the walk: what is to be looked at, how it is checked, and where it leads.
#pragma once

#include <set>
#include <unordered_map>

#include "heap/bulk_read.h"
#include "heap/owners/graph_walk.h"
#include "heap/owners/slot_table.h"
#include "heap/owners/type_plans.h"

namespace mapscope {

// A word that leads somewhere: where it lies, and what that is. Its pattern is made only if nobody
// has been at the place that it leads to.
struct Step {
  std::uint64_t word = 0;
  std::uint32_t parent =
      0; // pattern of the value that the word is in; of `root`: the pattern itself
  std::uint32_t holder = 0; // plan of that value
  std::uint32_t offset = 0; // in it
  StepKind kind = StepKind::root;

  // No word leads there: it is a variable, or a value that somebody else knows of.
  bool is_root() const { return kind == StepKind::root && word == 0; }
};

// Memory that is to be followed.
struct WalkItem {
  std::uint64_t address = 0;
  Step step;
  std::uint32_t plan = TypePlans::kUntyped;
  std::uint32_t count = 1; // values of that plan
};

struct GraphWalk::State {
  State(AddressSpace &space, const HeapLayout &layout, const SpanTable &spans,
        std::span<const ProcessRange> data, DynamicTypes &types, OwnerPatterns &patterns,
        std::span<const std::uint64_t> maps, const WalkLimits &limits);

  Result<> follow(std::span<const GraphRoot> roots);
  Result<> follow_rest();
  Result<std::vector<bool>> still_hold(std::span<const std::uint64_t> words);

  std::vector<MapWitness> witnesses;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> other_types;
  OwnerCounts counts;
  SlotTable slots;

private:
  struct Target { // of a batch that is being read
    WalkItem item;
    SlotRef slot;
    HeapObject object;            // of the heap
    std::uint64_t size_bytes = 0; // of the program's data; 0: it is of the heap
  };
  struct Values { // that lie one behind the other, or a part of a map
    std::uint64_t address = 0;
    std::uint32_t plan = 0, pattern = 0;
  };
  struct Dictionary { // of generic code
    std::uint64_t address = 0, words = 0;
  };
  // Larger objects and variables are read in pieces; no small object of the heap is larger.
  static constexpr std::uint64_t kSmallBytesMax = 32768;

  // graph_walk.cpp: rounds.
  Result<> add_root(const GraphRoot &root);
  Result<> run();
  Result<bool> begin_round();
  bool is_crowded() const; // what comes next should go first
  Result<> process(std::span<const WalkItem> items);
  void add_target(const WalkItem &item);
  void add_data_target(const WalkItem &item);
  Result<> read_targets();
  bool is_spent(); // a budget; says which

  // graph_walk_objects.cpp: whether what lies there is what the word said.
  Result<> take_object(const Target &target, std::span<const std::byte> bytes);
  Result<> take_data(const Target &target, std::span<const std::byte> bytes);
  Result<> take_large(const Target &target);
  Result<> take_headed(const Target &target, std::uint64_t type, std::span<const std::byte> bytes);
  Result<> take_typed(const Target &target, std::optional<std::uint64_t> bits,
                      std::span<const std::byte> bytes);
  Result<> follow_typed(const Target &target, std::uint64_t count, bool is_whole,
                        std::span<const std::byte> bytes);
  Result<> take_long(const Target &target, std::span<const std::byte> bytes);
  bool agrees(const WalkItem &item, const HeapObject &object, std::uint64_t count,
              const std::vector<bool> &words, bool &is_whole) const;
  Result<> follow_long(const HeapObject &object, std::uint32_t pattern,
                       const std::vector<bool> &words, std::span<const std::byte> bytes);
  Result<> take_by_bits(const Target &target, std::optional<std::uint64_t> bits,
                        std::span<const std::byte> bytes);
  Result<Step> through_closure(const Step &step, std::uint64_t entry);
  Result<> follow_bits(std::uint64_t address, std::uint32_t pattern, std::uint64_t bits,
                       std::span<const std::byte> bytes);
  // From `first_byte` of them on.
  Result<> read_pieces(const Values &values, std::uint64_t size_bytes,
                       std::uint64_t first_byte = 0);
  bool fits(const WalkItem &item, const HeapObject &object, std::optional<std::uint64_t> bits,
            std::uint64_t &count, bool &is_whole) const;
  bool claim_region(std::uint64_t address, std::uint32_t plan, std::uint64_t count);
  Result<std::uint64_t> large_type(std::uint32_t span);
  std::uint32_t pattern_of(const Step &step, std::uint64_t target_type);
  void mark(const SlotRef &slot, SlotState state, std::uint32_t pattern, const Step &step);

  // graph_walk_rest.cpp: what types have left out of objects.
  struct Rest {
    std::uint64_t start = 0; // of the object
    std::uint64_t word = 0;  // that led to it
    std::uint32_t pattern = 0;
  };
  void leave_rest(const Rest &rest);
  // The word said what the object is not; but it keeps the object.
  void refuse(const Target &target);
  Result<> take_rest(std::span<const Rest> rest);

  // graph_walk_words.cpp: where words lead.
  // Words of `values` from `first_byte` of them on, which `bytes` begins with. `size_bytes`: of
  // all these values.
  Result<> follow_values(const Values &values, std::uint64_t first_byte, std::uint64_t size_bytes,
                         std::span<const std::byte> bytes);
  Result<> follow_action(WordAction &action, std::span<const std::byte> bytes, std::size_t at,
                         const Step &step, const Dictionary &dictionary);
  Result<> follow_interface(std::uint64_t type_word, std::uint64_t data_word,
                            std::optional<bool> is_empty, const Step &step);
  Result<> follow_word(WordAction &action, std::uint64_t word, const Step &step,
                       const Dictionary &dictionary);
  Result<> follow_untyped(std::uint64_t word, std::uint64_t before, const Step &step);
  const ProcessRange *data_range(std::uint64_t address) const;
  void push(std::uint64_t target, std::uint32_t plan, std::uint64_t count, const Step &step);

  // graph_walk_maps.cpp: maps and channels.
  // `pattern`: of the map, if this is the first word that tells its type.
  void witness(std::uint32_t map, std::uint32_t header_plan, const Step &step,
               std::uint32_t &pattern);
  Result<> follow_map(std::uint32_t header_plan, std::uint64_t word, const Step &step,
                      const Dictionary &dictionary);
  Result<std::uint32_t> real_map_plan(std::uint32_t header_plan, const Dictionary &dictionary);
  Result<> take_map_part(const Target &target, std::span<const std::byte> bytes);
  Result<> follow_map_part(const Values &part, std::uint64_t first_byte,
                           std::span<const std::byte> bytes);
  Result<> follow_header(const Values &header, std::span<const std::byte> bytes);
  Result<> take_channel(const Target &target, std::span<const std::byte> bytes);

  AddressSpace &space_;
  const HeapLayout &layout_;
  const SpanTable &spans_;
  std::vector<ProcessRange> data_; // in the order of addresses
  DynamicTypes &types_;
  OwnerPatterns &patterns_;
  TypePlans plans_;
  PointerBits bits_;
  WalkLimits limits_;

  std::vector<WalkItem> current_, next_;
  std::vector<std::vector<WalkItem>> waiting_; // what was left of rounds
  std::uint64_t waiting_count_ = 0;            // of items in them
  struct Pieces {                              // what was left of large objects
    Values values;
    std::uint64_t size_bytes = 0, first_byte = 0;
  };
  std::vector<Pieces> pieces_;
  std::vector<Rest> rest_;
  // Of the batch that is being read.
  std::vector<Target> targets_, large_;
  std::vector<HeapObject> objects_;
  std::vector<WantedRange> ranges_;

  // Regions that are no whole object: how many values, by address and plan.
  std::unordered_map<std::uint64_t, std::uint32_t> regions_;
  std::unordered_map<std::uint32_t, std::uint64_t> large_types_;
  std::set<std::pair<std::uint32_t, std::uint64_t>> said_; // other_types
  std::uint32_t turn_ = 0;                                 // calls of follow()
  struct ChildMemory {
    std::uint64_t target = 0;
    std::uint32_t parent = 0, holder = 0, offset = 0, child = 0;
    StepKind kind = StepKind::root;
  };
  std::vector<ChildMemory> children_;
  std::uint64_t cpu_start_ns_ = 0;
  bool is_stopped_ = false;
};

} // namespace mapscope
