// Who holds a map, and which line made it grow: what heap/owners/ and heap/sites/ find, as it is
// judged and shown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "flow/source.h"

namespace mapscope {

// Where the path to a map begins. In the order in which roots are followed: the first one that
// reaches a map owns it.
enum class OwnerClass : std::uint8_t {
  none,      // not known
  variable,  // of a package, named or not
  goroutine, // a function's frame on a stack
  runtime,   // variables of the runtime, pools and the like
};

enum class Reach : std::uint8_t {
  unknown,     // nobody looked, or it changed while somebody did
  reachable,   // a root leads to it
  unreachable, // garbage: the next collection frees it
};

// What is known of the owner of one map.
struct MapOwner {
  Reach reach = Reach::unknown;
  OwnerClass root_class = OwnerClass::none;
  std::string root; // "main.store", "main.worker" (the function whose frame holds it)
  // Which paths are alike: indexes are left out, and what a linked structure repeats.
  // "main.store → *Cache.shards[].entries". Empty: not known.
  std::string path;
  // The last field or variable on it that has a name: what to rebuild,
  // "main.store.shards[].entries".
  std::string holder;
  friend bool operator==(const MapOwner &, const MapOwner &) = default;
};

// How a step of a path is known.
enum class StepEvidence : std::uint8_t {
  dwarf,         // the type of a variable
  symbol,        // the name of a variable
  code,          // the code that uses a variable, or that makes a closure
  collector,     // the collector follows this word; its type is not known
  stack,         // a word in a goroutine's frame
  static_type,   // of a field, element or pointer, by the type that holds it
  dynamic_type,  // the type word of an interface
  malloc_header, // what the heap says of the object
  dictionary,    // of generic code
  contents,      // the map's own memory leaves one type
};

// One step of the path to one map, from its root on.
struct OwnerStep {
  std::string text;      // "main.store", ".shards[3]", "*Cache"
  std::string type;      // of the object it leads to; empty: not known
  ProcessAddress word;   // where the pointer lies
  ProcessAddress object; // what it points to
  StepEvidence evidence = StepEvidence::collector;
  friend bool operator==(const OwnerStep &, const OwnerStep &) = default;
};

// An allocation site as the runtime's memory profile sampled it.
enum class SiteKind : std::uint8_t {
  created, // the map was made there
  grew,    // an insertion there made it grow
};

struct SiteShare {
  SourceFrame frame; // the innermost of user code
  SiteKind kind = SiteKind::created;
  std::uint64_t samples = 0;
  friend bool operator==(const SiteShare &, const SiteShare &) = default;
};

struct MapSite {
  // Of sampled objects of this map, or else of all maps of its type and owner path; the most
  // samples first. Empty: nothing was sampled, or the program runs without profile.
  std::vector<SiteShare> shares;
  bool is_of_pattern = false; // of maps alike, not of this one
  std::uint64_t samples() const {
    std::uint64_t sum = 0;
    for (const SiteShare &share : shares)
      sum += share.samples;
    return sum;
  }
  friend bool operator==(const MapSite &, const MapSite &) = default;
};

// What map code allocated at one site, scaled as pprof scales samples.
struct SiteUse {
  SourceFrame frame;
  SourceFrames stack; // all of it, innermost first
  std::uint64_t in_use_bytes = 0, in_use_objects = 0, allocated_bytes = 0, allocated_objects = 0;
  std::uint64_t samples = 0; // that these are estimated from, in use
};

// What a pass over the object graph did, and did not.
struct OwnerCounts {
  bool was_made = false;    // a pass, now or before
  bool is_complete = false; // no budget ended it: what it did not reach is unreachable
  std::uint64_t objects_typed = 0, objects_untyped = 0;
  std::uint64_t bytes_read = 0, bytes_scanned = 0; // read; of objects that were walked
  std::uint64_t words_followed = 0;
  std::uint64_t words_refused = 0; // led where nothing of their type lies
  std::uint64_t maps_reached = 0, maps_unreachable = 0;
  std::uint64_t maps_changed = 0; // they, or the word that leads to them, changed meanwhile
  std::uint64_t goroutines_left_out = 0;
  std::optional<std::uint64_t> cpu_ms; // absent: of a file, which has to say the same each time
  std::string stopped_by;              // a sentence, where a budget ended it
};

// Of the memory profile of the process.
struct SiteCounts {
  bool was_read = false;
  std::uint64_t rate_bytes = 0; // runtime.MemProfileRate; 0: off, or not known
  bool is_rate_known = false;
  std::uint64_t sampled_objects = 0; // alive
  std::uint64_t sampled_maps = 0;    // maps with a sample of their own
};

} // namespace mapscope
