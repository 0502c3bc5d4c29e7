// One map while rules look at it, and where they put what they find.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "flow/bpf_object.h"
#include "flow/vet_finding.h"
#include "vet/bpf_map_types.h"
#include "vet/vet_options.h"

namespace mapscope {

class BpfMapCheck {
public:
  BpfMapCheck(const BpfObjectFacts &object, const BpfDeclaredMap &map, const VetOptions &options,
              std::vector<VetFinding> &findings)
      : object_(object), map_(map), options_(options), findings_(findings) {}

  const BpfDeclaredMap &map() const { return map_; }
  const VetOptions &options() const { return options_; }
  BpfMapType type() const { return static_cast<BpfMapType>(map_.type_number.value_or(0)); }
  bool has_tag(std::string_view tag) const {
    return std::ranges::find(map_.tags, tag) != map_.tags.end();
  }

  // The message goes on from "map NAME: ".
  void add(std::string_view rule, VetLevel level, const std::string &message, std::string fix) {
    if (has_tag(fmt::format("mapscope:allow={}", rule)) ||
        std::ranges::find(options_.disabled, rule) != options_.disabled.end())
      return;
    findings_.push_back({.rule = std::string{rule},
                         .level = level,
                         .file = map_.line == 0 || map_.source.empty() ? object_.path : map_.source,
                         .line = map_.source.empty() ? 0 : map_.line,
                         .subject = map_.name,
                         .message = fmt::format("map {}: {}", map_.name, message),
                         .fix = std::move(fix)});
  }

private:
  const BpfObjectFacts &object_;
  const BpfDeclaredMap &map_;
  const VetOptions &options_;
  std::vector<VetFinding> &findings_;
};

} // namespace mapscope
