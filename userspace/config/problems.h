// What is wrong in one configuration file: all of it, each with its place.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/yaml_tree.h"

namespace mapscope::configuration {

class ConfigProblems {
public:
  explicit ConfigProblems(std::string_view file) : file_(file) {}

  // `path` leads to the value: "rules[3].hold"; empty: the whole file.
  void add(YamlMark mark, std::string_view path, std::string_view what);

  bool empty() const { return lines_.empty(); }
  // All of them as one error of kind usage; there has to be one.
  Error error() const;

private:
  std::string file_;
  std::vector<std::string> lines_;
  std::size_t left_out_ = 0; // beyond those that anybody reads at once
};

// The one of `known` that a misspelt `word` was meant to be: " (did you mean \"hold\"?)"; or "".
std::string did_you_mean(std::string_view word, std::span<const std::string> known);

// "a, b and c".
std::string listed(std::span<const std::string> words);

// A key as a part of a path: one that is no name stands in quotes, and never too long.
std::string printable_key(std::string_view key);

} // namespace mapscope::configuration
