// An event with what it means: whose it was, where in the source, and which witness saw it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flow/event.h"
#include "flow/process.h"
#include "flow/source.h"

namespace mapscope {

struct Witnesses {
  bool window = false;
  bool stack = false;
  friend bool operator==(Witnesses, Witnesses) = default;
};

// A system call, and its result where it is known.
struct AttributedCall {
  ProcessKey process;
  std::uint64_t time_ns = 0;
  std::uint32_t tid = 0;
  std::uint32_t number = 0;
  std::string name; // "mmap"
  std::array<std::uint64_t, 6> arguments{};
  call_class klass = CALL_CLASS_OTHER;
  descriptor_kind descriptor = DESCRIPTOR_UNKNOWN;
  call_place place = CALL_OUTSIDE;
  Witnesses witnesses;
  std::optional<std::uint64_t> goroutine; // absent: no goroutine, or not looked up
  std::optional<std::int64_t> result;     // absent: the call did not return, or was not waited for
  std::optional<std::string> path;
  std::optional<std::string> operation;   // "growth", "creation", "clear", "write", ...
  std::optional<SourceFrame> site;        // first frame outside the runtime below the map function
  std::vector<SourceFrames> stack;        // innermost first, empty where it was not taken
};

} // namespace mapscope
