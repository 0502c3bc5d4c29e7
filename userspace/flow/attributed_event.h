// An event with what it means: whose it was, where in the source, and which witness saw it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bpf/contract/targets.h"
#include "flow/event.h"
#include "flow/process.h"
#include "flow/source.h"

namespace mapscope {

// Which of the two independent witnesses saw a map operation around a call.
struct Witnesses {
  bool window = false;
  bool stack = false;
  friend bool operator==(Witnesses, Witnesses) = default;
};

// A system call, or a request that went through io_uring, and its result where it is known.
struct AttributedCall {
  ProcessKey process;
  std::uint64_t time_ns = 0; // CLOCK_MONOTONIC, at entry
  std::uint32_t tid = 0;
  std::uint32_t number = 0; // of the system call; for io_uring the opcode
  bool is_io_uring = false;
  std::string name; // "mmap"; "io_uring openat"
  std::array<std::uint64_t, 6> arguments{};
  descriptor_kind descriptor = DESCRIPTOR_UNKNOWN;
  // Where the kernel side counted it (target_counts.class_calls), by merged address ranges
  // and the number of the call; and what and where it is, by the exact functions on its
  // stack and all of its arguments.
  call_class kernel_class = CALL_CLASS_OTHER;
  call_place kernel_place = CALL_OUTSIDE;
  call_class klass = CALL_CLASS_OTHER;
  call_place place = CALL_OUTSIDE;
  Witnesses witnesses;
  // The window is known by its return address alone and the frame chain says nothing: the
  // weaker form, wrong for up to 6 % of the calls of a Go 1.19 program.
  bool window_by_word = false;
  std::optional<std::uint64_t> goroutine; // absent: no goroutine, or not looked up
  std::optional<std::int64_t> result;     // absent: the call did not return, or was not waited for
  std::optional<std::uint64_t> duration_ns; // from entry to return; present with `result`
  std::optional<std::string> path;
  bool path_is_argument = false; // else it is what the descriptor refers to
  // "creation", "growth", "prune", "clear", "copy", "write" or "delete".
  std::optional<std::string> operation;
  std::optional<SourceFrame> site;  // first frame of user code below the map function
  std::optional<std::string> cause; // a sentence, where the stack shows a known one
  std::vector<SourceFrames> stack;  // innermost first, empty where it was not taken
};

} // namespace mapscope
