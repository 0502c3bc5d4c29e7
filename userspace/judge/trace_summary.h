// Adds up a run of `trace`: pure, so that a recording adds up to what the live run did.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/lru_table.h"
#include "base/pointer_cache.h"
#include "flow/trace_event.h"
#include "flow/trace_summary.h"
#include "judge/memory_call_meter.h"
#include "judge/size_hints.h"

namespace mapscope {

// What is kept is bounded; what is beyond is in TraceSummary::not_kept and maps_forgotten.
struct TraceSummaryLimits {
  std::size_t rows_max = 4'096;
  std::size_t maps_max = 65'536; // whose growth is followed at one time
};

class TraceSummarizer {
public:
  explicit TraceSummarizer(TraceSummaryLimits limits = {});

  // Every event of the run, in the order of time.
  void add(const TraceEvent &event);

  TraceSummary finish(std::uint64_t start_ns, TraceEnd end) const;

private:
  using Id = std::uint32_t;

  struct Line {
    TraceSummaryRow row;
    bool classic = false;
    SizeHints made_here;  // of maps that this line made
    SizeHints grown_here; // of maps that grew here last, made where nobody saw
  };
  struct MapKey {
    ProcessKey process;
    std::uint64_t number = 0;
    friend bool operator==(const MapKey &, const MapKey &) = default;
  };
  struct MapKeyHash {
    std::uint64_t operator()(const MapKey &key) const;
  };
  struct FollowedMap {
    GrownMap grown;
    Id line = 0; // whose hint it speaks for
    bool creation_seen = false;
  };

  void add(const TraceEvent &event, const MapChange &change);
  void add(const TraceEvent &event, const AttributedCall &call);
  void add(const HeapRequest &request);
  void follow(const TraceEvent &event, const MapChange &change, Id line);
  SizeHints *hints_of(const FollowedMap &map);
  Id line_of(const TraceEvent &event, const MapChange &change);
  Id site_id(const TraceEvent &event);
  Id type_id(const MapTypePtr &type);

  TraceSummaryLimits limits_;
  std::vector<Line> lines_;                        // the first stands for all that were not kept
  std::unordered_map<std::uint64_t, Id> line_ids_; // by site and type
  std::unordered_map<std::string, Id> site_ids_, type_ids_;
  PointerCache<CallStack, Id> stack_sites_{4'096};
  PointerCache<MapType, Id> known_types_{4'096};
  LruTable<MapKey, FollowedMap, MapKeyHash> maps_;
  std::uint64_t maps_forgotten_ = 0;
  std::map<std::string, CallSummary, std::less<>> calls_;
  MemoryCallMeter meter_;
  RequestSummary heap_grown_, large_allocations_;
  std::uint64_t file_calls_ = 0, misuses_ = 0;
};

} // namespace mapscope
