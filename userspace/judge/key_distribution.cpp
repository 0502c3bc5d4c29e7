// Counts of keys and of their beginnings; see key_distribution.h.
#include "judge/key_distribution.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace mapscope {
namespace {

constexpr double kPrefixShareMin = 0.1; // a beginning that fewer keys share tells nothing
constexpr std::size_t kPrefixBytesMax = 64;
constexpr std::size_t kPrefixBytesShown = 16;

using KeyCounts = std::unordered_map<std::string_view, std::uint64_t>;
using CountedBytes = std::pair<std::string_view, std::uint64_t>;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

// The most frequent first; among equals the smaller bytes, so that the order is always the same.
std::vector<CountedBytes> by_count(const KeyCounts &counts, std::size_t wanted) {
  std::vector<CountedBytes> sorted{counts.begin(), counts.end()};
  const auto before = [](const CountedBytes &one, const CountedBytes &other) {
    return one.second != other.second ? one.second > other.second : one.first < other.first;
  };
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, sorted.size()));
  std::partial_sort(sorted.begin(), middle, sorted.end(), before);
  sorted.erase(middle, sorted.end());
  return sorted;
}

bool is_readable(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) { return c >= 0x20 && c < 0x7f && c != '"'; });
}

// `"user:"...`, `0a 00 07 00 ...`: bytes in the order in which they lie.
std::string prefix_text(std::string_view bytes) {
  if (is_readable(bytes))
    return fmt::format("\"{}\"...", bytes);
  std::string text;
  for (const char byte : bytes.substr(0, kPrefixBytesShown))
    fmt::format_to(std::back_inserter(text), "{:02x} ", static_cast<unsigned char>(byte));
  if (bytes.size() > kPrefixBytesShown)
    fmt::format_to(std::back_inserter(text), "({} bytes) ", bytes.size());
  return text + "...";
}

// Beginnings of 1, 2, 4, ... bytes that a share of the keys has; of nested ones that are as
// frequent only the longest.
std::vector<CountedBytes> frequent_prefixes(const KeyCounts &keys, std::uint64_t sampled) {
  std::vector<CountedBytes> found;
  for (std::size_t bytes = kPrefixBytesMax; bytes != 0; bytes /= 2) {
    KeyCounts prefixes, different;
    for (const auto &[key, count] : keys)
      if (key.size() > bytes) {
        prefixes[key.substr(0, bytes)] += count;
        ++different[key.substr(0, bytes)];
      }
    for (const auto &[prefix, count] : prefixes) {
      const bool is_frequent =
          static_cast<double>(count) >= kPrefixShareMin * static_cast<double>(sampled);
      // One key is its own beginning: that stands among the keys already.
      if (!is_frequent || different[prefix] < 2)
        continue;
      const auto says_no_more = [&](const CountedBytes &longer) {
        return longer.second == count && longer.first.starts_with(prefix);
      };
      if (std::ranges::none_of(found, says_no_more))
        found.emplace_back(prefix, count);
    }
  }
  return found;
}

double entropy_bits(const KeyCounts &keys, std::uint64_t sampled) {
  double bits = 0;
  for (const auto &[key, count] : keys) {
    const double share = static_cast<double>(count) / static_cast<double>(sampled);
    bits -= share * std::log2(share);
  }
  return std::max(0.0, bits);
}

} // namespace

BpfKeyDistribution
key_distribution(std::span<const std::vector<std::byte>> keys,
                 const std::function<std::string(std::span<const std::byte>)> &name_of,
                 std::size_t top_max) {
  BpfKeyDistribution answer;
  answer.sampled = keys.size();
  if (keys.empty())
    return answer;
  KeyCounts counts;
  for (const std::vector<std::byte> &key : keys)
    ++counts[text_of(key)];
  answer.distinct = counts.size();
  answer.entropy_bits = entropy_bits(counts, answer.sampled);
  for (const auto &[key, count] : by_count(counts, top_max))
    answer.top.push_back({.key = name_of(std::as_bytes(std::span{key})), .count = count});
  const std::vector<CountedBytes> prefixes = frequent_prefixes(counts, answer.sampled);
  for (const auto &[prefix, count] : by_count({prefixes.begin(), prefixes.end()}, top_max))
    answer.prefixes.push_back({.key = prefix_text(prefix), .count = count});
  return answer;
}

} // namespace mapscope
