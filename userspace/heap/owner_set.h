// Which heap objects already belong to a map: a bit for each slot of the spans that matter, since
// a hash table of a million addresses costs more than all the rest of the check.
#pragma once

#include <cstdint>
#include <vector>

#include "heap/span_table.h"

namespace mapscope {

class OwnerSet {
public:
  // False: it was there before.
  bool insert(std::uint32_t span, std::uint32_t slot, std::uint16_t slots_in_span) {
    if (span >= first_word_.size())
      first_word_.resize(span + 1, kNone);
    if (first_word_[span] == kNone) {
      first_word_[span] = static_cast<std::uint32_t>(words_.size());
      words_.resize(words_.size() + (slots_in_span + 63u) / 64);
    }
    std::uint64_t &word = words_[first_word_[span] + slot / 64];
    std::uint64_t bit = std::uint64_t{1} << slot % 64;
    bool is_new = (word & bit) == 0;
    word |= bit;
    return is_new;
  }

private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  std::vector<std::uint32_t> first_word_; // by span
  std::vector<std::uint64_t> words_;
};

} // namespace mapscope
