// Puts together what the other files of maps here find out.
#include "judge/map_judge.h"

#include <algorithm>

#include "judge/map_advice.h"
#include "judge/map_bytes_by_cause.h"
#include "judge/map_cause.h"

namespace mapscope {

namespace {

constexpr std::size_t kCandidatesNamed = 8;

// What all candidates have in common: the name, or half of it with _ for the other.
std::string common_name(MapTypes candidates) {
  if (candidates.empty())
    return {};
  const MapTypeLayout &first = *candidates.front();
  bool same_name = true, same_key = true, same_element = true;
  for (const MapTypeLayout *type : candidates) {
    same_name &= type->type.name == first.type.name;
    same_key &= type->key.name == first.key.name && !type->key.name.empty();
    same_element &= type->element.name == first.element.name && !type->element.name.empty();
  }
  if (same_name)
    return first.type.name;
  if (same_key)
    return "map[" + first.key.name + "]_";
  return same_element ? "map[_]" + first.element.name : std::string{};
}

// The name of a generic shape is that of none of the types that it stands for, so a shape alone is
// a candidate, not an answer.
void name_types(MapTypes candidates, JudgedMap &judged) {
  judged.type = common_name(candidates);
  if (candidates.size() == 1 && !candidates.front()->is_shape) {
    judged.certainty = TypeCertainty::exact;
    return;
  }
  judged.certainty = candidates.empty() ? TypeCertainty::unknown : TypeCertainty::candidate;
  judged.candidate_count = candidates.size();
  for (const MapTypeLayout *type : candidates) {
    if (judged.candidates.size() == kCandidatesNamed)
      break;
    if (std::ranges::find(judged.candidates, type->type.name) == judged.candidates.end())
      judged.candidates.push_back(type->type.name);
  }
}

std::optional<std::uint64_t> difference(std::uint64_t bytes,
                                        const std::optional<std::uint64_t> &rebuilt) {
  return rebuilt ? std::optional{bytes - std::min(bytes, *rebuilt)} : std::nullopt;
}

} // namespace

MapJudge::MapJudge(const BinaryFacts &facts)
    : rebuild_(facts), version_(facts.version), is_known_release_(facts.is_known_release),
      is_classic_(facts.map_implementation == MapImplementation::classic) {}

std::optional<std::uint64_t> MapJudge::reclaimable_bytes(const MapSample &map,
                                                         MapTypes candidates) const {
  return difference(map.bytes.total(), rebuild_.bytes(map, candidates));
}

JudgedMap MapJudge::judge(const MapSample &map, MapTypes candidates, MapOwner owner,
                          MapSite site) const {
  JudgedMap judged;
  judged.map = map;
  judged.owner = std::move(owner);
  judged.site = std::move(site);
  name_types(candidates, judged);
  judged.by_cause = bytes_by_cause(map, candidates);
  judged.rebuilt_bytes = rebuild_.bytes(map, candidates);
  judged.reclaimable_bytes = difference(map.bytes.total(), judged.rebuilt_bytes);

  MapEvidenceOfWaste evidence{.map = judged.map,
                              .candidates = candidates,
                              .by_cause = judged.by_cause,
                              .reclaimable_bytes = judged.reclaimable_bytes,
                              .rebuild = rebuild_,
                              .version = version_,
                              .is_classic = is_classic_};
  // Every cause is a step that a known runtime takes.
  MapFinding finding = is_known_release_ ? find_cause(evidence) : MapFinding{};
  judged.cause = finding.cause;
  judged.explanation = finding.explanation;
  bool is_nameable = candidates.size() == 1 && !candidates.front()->is_shape;
  judged.advice = advice_for(finding, evidence, is_nameable ? judged.type : std::string{},
                             judged.owner, judged.site);
  return judged;
}

} // namespace mapscope
