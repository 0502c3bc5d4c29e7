// A running workloads/census, what it says about itself, and what a census has to know of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/handle.h"
#include "flow/binary_facts.h"
#include "heap/runtime_data.h"
#include "support/child_memory.h"

namespace mapscope::testing {

struct TrueMap {
  std::uint64_t len = 0, slots = 0, tombstones = 0;
  std::string type; // empty: the program does not say
};

class CensusProgram {
public:
  // Starts the program and reads what it prints until it is ready.
  CensusProgram(const std::string &path, const std::vector<std::string> &arguments);
  ~CensusProgram();
  CensusProgram(const CensusProgram &) = delete;
  CensusProgram &operator=(const CensusProgram &) = delete;

  // Absent: the program did not get ready, or its file could not be read.
  bool is_ready() const { return is_ready_; }

  std::map<std::uint64_t, TrueMap> maps;
  std::map<std::uint64_t, std::string> noise;  // class by address
  std::map<std::uint64_t, std::string> owners; // what workloads/owners says of them, by map
  std::vector<std::string> kinds;              // lines of it, without the first word
  std::uint64_t bytes = 0;                     // of all maps
  BinaryFacts facts;
  HeapAnchors anchors;
  std::optional<std::uint64_t> mheap; // by the symbol, where the program has it

  ChildMemory &memory() { return memory_; }
  pid_t pid() const { return pid_; }

private:
  bool read_truth();
  bool read_line(std::string_view line);
  bool read_facts_of(const std::string &path);

  Fd input_, output_;
  pid_t pid_ = -1;
  ChildMemory memory_;
  bool is_ready_ = false;
};

} // namespace mapscope::testing
