// The path to one map, step by step: the graph is walked anew, and the words followed back from the
// map to the root that they begin at.
#include <algorithm>

#include "heap/owners/field_names.h"
#include "heap/owners/graph_pass.h"
#include "heap/owners/owners.h"

namespace mapscope {
namespace {

constexpr std::size_t kStepsMax = 1 << 14; // a linked list may be long, but nobody reads more

// A word on the way, and the pattern of what it leads to.
struct Link {
  std::uint64_t word = 0;
  std::uint64_t object = 0; // that it leads to
  std::uint32_t pattern = OwnerPatterns::kNone;
};

class Explanation {
public:
  Explanation(GraphPass &pass, const GoTypes &types) : pass_(pass), types_(types) {}

  std::vector<OwnerStep> of(std::uint64_t map, const MapWitness &witness);

private:
  std::vector<Link> links_to(std::uint64_t map, const MapWitness &witness) const;
  OwnerStep root_step(const Link &first);
  OwnerStep step_of(const Link &link);
  std::string text_of(std::uint32_t pattern) const;
  std::string with_indexes(std::string text, const Link &link, const OwnerPatterns::Step &step);
  bool is_slice(std::uint32_t pattern) const;
  static StepEvidence evidence_of(const OwnerPatterns::Step &step);

  GraphPass &pass_;
  const GoTypes &types_;
  std::uint32_t before_ = OwnerPatterns::kNone; // pattern of what holds the word
  std::vector<OwnerStep> steps_;
};

// From the root on.
std::vector<Link> Explanation::links_to(std::uint64_t map, const MapWitness &witness) const {
  std::vector<Link> links{{witness.word, map, witness.pattern}};
  while (links.size() < kStepsMax) {
    const auto holder = pass_.spans().find_object(links.back().word);
    const std::uint64_t word = holder ? pass_.graph().word_to(holder->start) : 0;
    if (word == 0)
      break;
    links.push_back({word, holder->data(), pass_.graph().pattern_of(holder->start)});
  }
  std::ranges::reverse(links);
  return links;
}

StepEvidence Explanation::evidence_of(const OwnerPatterns::Step &step) {
  switch (step.kind) {
  case StepKind::interface:
    return StepEvidence::dynamic_type;
  case StepKind::captured:
    return StepEvidence::code;
  case StepKind::word:
    return step.target_type == 0 ? StepEvidence::collector : StepEvidence::malloc_header;
  default:
    return StepEvidence::static_type;
  }
}

// What the step adds to the path.
std::string Explanation::text_of(std::uint32_t pattern) const {
  const std::string whole = pass_.patterns().describe(pattern, types_).path;
  const std::string before = pass_.patterns().describe(before_, types_).path;
  // Not of a step that leads back to where the path had been before.
  return pattern != before_ && whole.starts_with(before)
             ? whole.substr(before.size())
             : pass_.patterns().describe_step(pattern, types_);
}

// Whether that pattern is of the elements of a slice.
bool Explanation::is_slice(std::uint32_t pattern) const {
  const OwnerPatterns::Step &step = pass_.patterns().step(pattern);
  if (step.holder_type == 0)
    return pass_.patterns().root_of(pattern).is_slice &&
           pass_.patterns().step(step.parent).kind == StepKind::root;
  const auto place =
      step.kind == StepKind::field ? field_at(types_, step.holder_type, step.offset) : std::nullopt;
  return place && place->kind == GoKind::slice;
}

// Which element of an array or slice it is follows from where the word lies.
std::string Explanation::with_indexes(std::string text, const Link &link,
                                      const OwnerPatterns::Step &step) {
  const auto header = types_.memory().header(step.holder_type);
  const auto holder = pass_.spans().find_object(link.word);
  if (step.kind == StepKind::captured || !header || header->size_bytes == 0 || !holder)
    return text; // of a variable, where it begins is not kept
  const std::uint64_t distance = link.word - holder->data();
  const std::uint64_t index = distance / header->size_bytes;
  const std::uint64_t within = distance % header->size_bytes;
  if (is_slice(step.parent) && !steps_.empty() && steps_.back().text.ends_with("[]") &&
      canonical_offset(types_, step.holder_type, within) ==
          (step.offset & ~OwnerPatterns::kPointerInInterface))
    steps_.back().text.replace(steps_.back().text.size() - 1, 1, fmt::format("{}]", index));
  const std::string alike = field_path(types_, step.holder_type, within, false);
  if (!alike.empty() && text.starts_with(alike))
    text.replace(0, alike.size(), field_path(types_, step.holder_type, within, true));
  return text;
}

OwnerStep Explanation::root_step(const Link &first) {
  std::uint32_t root = first.pattern;
  while (pass_.patterns().step(root).kind != StepKind::root)
    root = pass_.patterns().step(root).parent;
  before_ = root;
  return {.text = text_of(root),
          .type = type_name(types_, pass_.patterns().type(root)),
          .object = {first.word},
          .evidence = pass_.patterns().root_of(root).evidence};
}

OwnerStep Explanation::step_of(const Link &link) {
  const OwnerPatterns::Step step = pass_.patterns().step(link.pattern);
  OwnerStep result{.text = step.kind == StepKind::root ? std::string{} : text_of(link.pattern),
                   .type = type_name(types_, step.target_type),
                   .word = {link.word},
                   .object = {link.object},
                   .evidence = evidence_of(step)};
  result.text = with_indexes(std::move(result.text), link, step);
  before_ = link.pattern;
  return result;
}

std::vector<OwnerStep> Explanation::of(std::uint64_t map, const MapWitness &witness) {
  const std::vector<Link> links = links_to(map, witness);
  steps_.push_back(root_step(links.front()));
  for (const Link &link : links)
    if (link.pattern != OwnerPatterns::kNone)
      steps_.push_back(step_of(link));
  return std::move(steps_);
}

} // namespace

Result<std::vector<OwnerStep>> explain_owner(AddressSpace &space, const OwnerContext &context,
                                             TypeCheck &type_check, const Owners &owners,
                                             ProcessAddress map) {
  const auto known = std::ranges::lower_bound(owners.maps, map.value, {}, &OwnedMap::address);
  if (known == owners.maps.end() || known->address != map.value || known->reach != Reach::reachable)
    return std::vector<OwnerStep>{};
  const GoTypes types = type_check.index().go_types();
  if (known->word == known->address) { // its header is on a stack
    const MapOwner owner = owners.patterns.describe(known->pattern, types);
    return std::vector<OwnerStep>{{.text = owner.path,
                                   .word = {known->word},
                                   .object = {known->word},
                                   .evidence = StepEvidence::stack}};
  }
  auto pass = TRY(GraphPass::prepare(space, context, types, {}));
  TRY(pass->walk({&known->address, 1}, {}));
  TRY(pass->name_functions());
  const MapWitness witness = pass->graph().witnesses().front();
  return witness.word == 0 ? std::vector<OwnerStep>{}
                           : Explanation{*pass, types}.of(map.value, witness);
}

} // namespace mapscope
