// YAML text as a tree in which every key and value knows where it stands. Plain data only: no
// aliases, tags or second documents, so that the tree is never larger than its text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace mapscope::configuration {

struct YamlMark {
  int line = 0, column = 0; // from 1
};

enum class YamlKind { empty, scalar, list, map };

struct YamlEntry;

struct YamlNode {
  YamlKind kind = YamlKind::empty;
  YamlMark mark;
  std::string text;               // of a scalar
  std::vector<YamlNode> items;    // of a list
  std::vector<YamlEntry> entries; // of a map, as they stand there: keys may come twice
};

struct YamlEntry {
  std::string key;
  YamlMark mark;
  YamlNode value;
};

inline constexpr std::size_t kYamlBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kYamlNodesMax = 50'000;
inline constexpr std::size_t kYamlDepthMax = 16;

// Errors: usage, "NAME:LINE:COLUMN: what is wrong". A text without a value is an empty node.
Result<YamlNode> parse_yaml(std::string_view text, std::string_view name);

// The tree as YAML, values quoted where they would read as something else.
std::string yaml_text(const YamlNode &node);

} // namespace mapscope::configuration
