// Reports of the runtime that a map is misused: which map, which type, and who else.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "attribute/goroutine_evidence.h"
#include "attribute/map_tracker.h"
#include "attribute/source_lines.h"
#include "attribute/stack_table.h"
#include "attribute/type_table.h"
#include "flow/binary_facts.h"
#include "flow/map_type.h"
#include "flow/run_observer.h"
#include "flow/trace_event.h"

namespace mapscope {

struct MisuseReport {
  event_header header{};
  std::uint64_t goroutine = 0; // 0: none
  CallStackPtr stack;
  MapMisuse misuse;
};

// A report of concurrent use waits for the snapshot of goroutines that is taken because of it,
// through one take at most.
class MisuseAttributor {
public:
  explicit MisuseAttributor(const BinaryFacts &facts) : facts_(facts) {}

  // What else is known of the process.
  struct Knowledge {
    SourceLines &lines;
    BinaryNames &names;
    MapTracker &maps;
    StackTable &stacks;
    const TypeTable &types;
  };

  void add(const map_misuse_event &event, NamedStackPtr stack);
  void add(const GoroutineSnapshot &snapshot) { snapshot_ = snapshot; }

  // Those that are complete, in the order in which they came. The stacks of their events are
  // named already.
  std::vector<MisuseReport> take(bool all, const Knowledge &known);

  std::uint64_t dropped() const { return dropped_; } // reports beyond the number that is kept

private:
  struct Report {
    map_misuse_event event;
    NamedStackPtr stack;
    bool has_waited = false;
    // Found when it is taken.
    std::optional<misuse_map> map;
    std::optional<MapPlace> place;
    MapTypePtr type;
  };

  std::vector<Report> take_complete(bool all);
  void find_maps(std::span<Report> reports) const;
  void find_types(std::span<Report> reports, const Knowledge &known) const;
  MisuseReport conclude(const Report &report, std::span<const Report> all,
                        const GoroutineEvidence &evidence, const Knowledge &known) const;

  const BinaryFacts &facts_;
  std::vector<Report> reports_;
  std::optional<GoroutineSnapshot> snapshot_;
  std::uint64_t dropped_ = 0;
};

} // namespace mapscope
