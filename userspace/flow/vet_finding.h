// Something in a BPF object or a Go source that will bloat, as `mapscope vet` tells it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mapscope {

enum class VetLevel : std::uint8_t { note, warning, error };
inline constexpr std::array<std::string_view, 3> kVetLevelNames = {"note", "warning", "error"};

struct VetFinding {
  std::string rule; // "bpf-no-limit", ...; docs/vet.md lists them
  VetLevel level = VetLevel::warning;
  std::string file;
  std::uint32_t line = 0, column = 0; // 0: not known
  std::string subject;                // the map's name; empty: file and line say what it is about
  std::string message;                // a sentence: what is wrong, with numbers
  std::string fix;                    // a sentence; empty: none
};

} // namespace mapscope
