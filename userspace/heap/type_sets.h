// Sets of types that a map may have. Each is kept once, and what became of it under a test is
// remembered: a million maps have some hundred sets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mapscope {

class TypeSets {
public:
  // The number of a set; types in ascending order. Set 0 is the empty one.
  std::uint32_t intern(std::vector<std::uint32_t> types);

  std::size_t size() const { return sets_.size(); }
  std::span<const std::uint32_t> operator[](std::uint32_t set) const { return *sets_[set]; }
  std::vector<std::vector<std::uint32_t>> all() const;

  // The types of the set for which keep(type) holds. `test` names what keep() looks at: asked
  // again with the same one, the answer is not worked out again.
  template <typename Keep>
  std::uint32_t narrow(std::uint32_t set, std::uint64_t test, Keep &&keep) {
    if (set == 0)
      return 0;
    auto known = narrowed_.find({set, test});
    if (known != narrowed_.end())
      return known->second;
    std::vector<std::uint32_t> kept;
    for (std::uint32_t type : *sets_[set])
      if (keep(type))
        kept.push_back(type);
    std::uint32_t result = kept.size() == sets_[set]->size() ? set : intern(std::move(kept));
    // A set that can't be kept stays what it was: too large, and so not wrong.
    if (result == kNotKept)
      return set;
    if (narrowed_.size() < kTestsMax)
      narrowed_.emplace(Question{set, test}, result);
    return result;
  }

private:
  // Real programs need some hundred; who makes more of them gets larger sets.
  static constexpr std::size_t kTypesMax = 1 << 20; // of all sets together
  static constexpr std::size_t kSetsMax = 1 << 16;
  static constexpr std::size_t kTestsMax = 1 << 18;
  static constexpr std::uint32_t kNotKept = 0xffffffff;

  struct Question {
    std::uint32_t set = 0;
    std::uint64_t test = 0;
    friend bool operator==(const Question &, const Question &) = default;
  };
  struct QuestionHash {
    std::size_t operator()(const Question &question) const {
      return std::hash<std::uint64_t>{}((question.test + question.set) * 0x9e3779b97f4a7c15 >> 7 ^
                                        question.set);
    }
  };

  std::map<std::vector<std::uint32_t>, std::uint32_t> numbers_{{{}, 0}};
  std::vector<const std::vector<std::uint32_t> *> sets_{&numbers_.begin()->first};
  std::unordered_map<Question, std::uint32_t, QuestionHash> narrowed_;
  std::size_t type_count_ = 0;
};

} // namespace mapscope
