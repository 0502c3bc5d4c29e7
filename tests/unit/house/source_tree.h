// The project's own files, read as text, for tests that hold rules about the tree itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mapscope {

struct SourceFile {
  std::string path; // from the root of the repository: "userspace/base/error.h"
  std::string content;
};

// Every file that a repository would carry: all but build trees, caches and version control.
std::vector<SourceFile> read_source_tree();

// What `#include "x"` and `#include <x>` name in `content`, delimiters kept: "<elf.h>".
std::vector<std::string> includes_of(std::string_view content);

// Why `file` may not include `include`, as a sentence; empty: it may. `include` has its
// delimiters. The rule is the one of DESIGN.md, "Flow": stages never include each other.
std::string include_violation(std::string_view file, std::string_view include);

// The first comment of a C, C++, Go, Python or shell source, licence and interpreter lines
// left out, comment marks removed; empty: the file opens with something else.
std::string opening_comment(std::string_view content);

// The first absolute path in `content` that is true of one machine only; empty: none.
std::string machine_path_in(std::string_view content);

} // namespace mapscope
