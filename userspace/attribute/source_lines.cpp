// Keeps what the symbolizer answered; see source_lines.h.
#include "attribute/source_lines.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "attribute/go_names.h"

namespace mapscope {
namespace {

// Far more than the call sites of any program that are seen in one run.
constexpr std::size_t kLinesMax = 65536;

} // namespace

SourceLines::SourceLines(const BinaryFacts &facts, Symbolizer &symbolizer)
    : facts_(facts), symbolizer_(symbolizer) {
  if (!facts.is_pie)
    bias_ = LoadBias{};
}

std::optional<ElfAddress> SourceLines::to_elf(ProcessAddress address) const {
  if (!bias_ || address.value == 0)
    return std::nullopt;
  return bias_->to_elf(address);
}

std::optional<ElfAddress> SourceLines::call_site(ProcessAddress return_address) const {
  if (return_address.value == 0)
    return std::nullopt;
  return to_elf({return_address.value - 1});
}

void SourceLines::begin() {
  if (known_.size() > kLinesMax)
    known_.clear();
}

void SourceLines::want(ElfAddress address) {
  if (facts_.text.contains(address) && !known_.contains(address))
    wanted_.insert(address);
}

void SourceLines::ask() {
  if (wanted_.empty())
    return;
  std::vector<ElfAddress> addresses{wanted_.begin(), wanted_.end()};
  wanted_.clear();
  std::ranges::sort(addresses); // a recording keeps the question
  auto frames = symbolizer_.symbolize(addresses);
  if (!frames || frames->size() != addresses.size()) {
    unnamed_ += addresses.size();
    error_ = frames ? fmt::format("{} answers to {} addresses", frames->size(), addresses.size())
                    : frames.error().message();
    return;
  }
  for (std::size_t at = 0; at < addresses.size(); ++at)
    known_.emplace(addresses[at], std::move((*frames)[at]));
}

const SourceFrames &SourceLines::at(ElfAddress address) const {
  static const SourceFrames nothing;
  auto frames = known_.find(address);
  return frames == known_.end() ? nothing : frames->second;
}

std::optional<SourceFrame> user_frame(std::span<const SourceFrames> frames) {
  for (const SourceFrames &logical : frames)
    for (const SourceFrame &frame : logical)
      if (!is_runtime_function(frame.function))
        return frame;
  return std::nullopt;
}

} // namespace mapscope
