// What the daemon's rules are told, as lines of JSON (mapscope.samples/1): to be recorded, read by
// people, and judged again. docs/rules.md has an example.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "flow/rule_input.h"

namespace mapscope {

struct SampleLimits {
  std::size_t line_bytes = 16 << 20;
  std::size_t line_count = 1 << 20;
  std::size_t list_length = 100'000; // of maps, sites, calls, sentences
  std::size_t text_bytes = 64 << 10;
};

// One line, without its end. Zeros, empty texts and what is absent are left out.
std::string sample_to_line(const RuleInput &input);

// Every field checked; texts come out printable, fields that are not known are skipped. Errors:
// malformed, with the field.
Result<RuleInput> sample_from_line(std::string_view line, const SampleLimits &limits = {});

// A whole file; empty lines are skipped. Errors: malformed, with the line.
Result<std::vector<RuleInput>> samples_from_text(std::string_view text,
                                                 const SampleLimits &limits = {});

} // namespace mapscope
