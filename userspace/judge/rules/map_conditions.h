// What rules ask of one map: whether it holds, and how that is said.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "flow/rule.h"
#include "flow/rule_input.h"
#include "judge/rules/rule_subjects.h"

namespace mapscope {

// A map, the rule, and what the rule remembers of the map: null, if nothing.
struct MapQuestion {
  const SampledMap &map;
  const Rule &rule;
  const MemberMemory *memory = nullptr;
};

// Each kind answers for itself.
struct MapAnswer {
  Standing standing = Standing::unknown;
  double value = 0; // bytes or entries, what the alert is about
};

MapAnswer ask(const MapWasteRule &rule, const MapQuestion &question);
MapAnswer ask(const MapFillRule &rule, const MapQuestion &question);
MapAnswer ask(const MapEntriesRule &rule, const MapQuestion &question);
MapAnswer ask(const MapBytesRule &rule, const MapQuestion &question);
MapAnswer ask(const MapGrowthRule &rule, const MapQuestion &question);
MapAnswer ask(const MapEmptiedRule &rule, const MapQuestion &question);

// `telling` has the names and numbers of the map; these add their own, and the words.
void tell(const MapWasteRule &rule, const MapQuestion &question, Telling &telling);
void tell(const MapFillRule &rule, const MapQuestion &question, Telling &telling);
void tell(const MapEntriesRule &rule, const MapQuestion &question, Telling &telling);
void tell(const MapBytesRule &rule, const MapQuestion &question, Telling &telling);
void tell(const MapGrowthRule &rule, const MapQuestion &question, Telling &telling);
void tell(const MapEmptiedRule &rule, const MapQuestion &question, Telling &telling);

// Why an alert is over though the map is still there.
std::string why_over(const MapWasteRule &rule, const MapQuestion &question);
std::string why_over(const MapFillRule &rule, const MapQuestion &question);
std::string why_over(const MapEntriesRule &rule, const MapQuestion &question);
std::string why_over(const MapBytesRule &rule, const MapQuestion &question);
std::string why_over(const MapGrowthRule &rule, const MapQuestion &question);
std::string why_over(const MapEmptiedRule &rule, const MapQuestion &question);

// From which size on a rule has to remember a map that is not over; absent: it never has to.
std::optional<double> remembered_from_bytes(const Rule &rule);
// Takes the numbers of this census in.
void remember_growth(const MapGrowthRule &rule, MemberMemory &memory, std::uint64_t time_ns,
                     std::uint64_t len, std::uint64_t bytes);

} // namespace mapscope
