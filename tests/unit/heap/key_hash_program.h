// A running key_hashes, what it says about its maps, and its memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/handle.h"
#include "flow/binary_facts.h"
#include "heap/go_types.h"
#include "heap/key_hash.h"
#include "support/child_memory.h"

namespace mapscope::testing {

struct GoBuild {
  std::string version, experiment;
  bool is_pie = false;

  std::string name() const; // for a test
  friend void PrintTo(const GoBuild &build, std::ostream *stream) { *stream << build.name(); }
};

std::vector<GoBuild> all_go_builds();

// Lines of the program, which says what they mean.
struct TrueHash {
  std::uint64_t map_type = 0;
  bool is_made_by_reflect = false;
  std::uint64_t key = 0, seed = 0, hash = 0;
};
struct TrueMapType {
  std::uint64_t map_type = 0;
  std::uint64_t key_bytes = 0, element_bytes = 0, key_padding = 0, element_padding = 0;
  std::string name;
};
struct TrueField {
  std::uint64_t offset = 0, size_bytes = 0;
  std::string name, type_name;
};
struct SmallMap {
  std::uint64_t map_type = 0, header = 0, len = 0;
};

class KeyHashProgram {
public:
  // Null: this Go release can't be had.
  static std::unique_ptr<KeyHashProgram> start(const GoBuild &build);
  ~KeyHashProgram();
  KeyHashProgram(const KeyHashProgram &) = delete;
  KeyHashProgram &operator=(const KeyHashProgram &) = delete;

  std::vector<TrueHash> hashes;
  std::vector<TrueMapType> types;
  std::map<std::uint64_t, std::vector<TrueField>> fields; // by map type
  std::vector<SmallMap> maps;
  std::map<std::uint64_t, std::string> masks; // by descriptor
  std::uint64_t nan_type = 0, nan_key = 0;

  BinaryFacts facts;
  ProcessRange type_range;
  std::optional<HashKeys> keys; // absent: the program does not name them
  ChildMemory memory{-1};

  std::vector<std::byte> read(std::uint64_t address, std::uint64_t size_bytes);

private:
  KeyHashProgram() = default;
  bool read_lines();
  void read_line(const std::string &line);
  bool read_facts_of(const std::string &path);

  Fd input_, output_;
  pid_t pid_ = -1;
};

} // namespace mapscope::testing
