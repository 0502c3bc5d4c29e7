// Real Go programs for tests: those that tools/build-workloads made, and what other tools say
// about them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mapscope {

// What a shell command prints; nothing where it fails.
std::optional<std::string> output_of(const std::string &command);

// A tool of the newest Go release that the tests know: an older one, such as the machine may
// have, can't read what newer ones make. `arguments` are for a shell.
std::optional<std::string> output_of_go_tool(const std::string &arguments);

// build/workloads/VERSION/MODE/growth under the source tree, where it was built.
std::optional<std::string> workload(const std::string &version, const std::string &mode);

// A program of Go: `package` of the module in `folder` of the source tree, built as `name` into
// the build tree. `environment` is "NAME=VALUE ..." and `arguments` are for the go command. Absent
// where the toolchain cannot be had.
struct Program {
  std::string folder, package, name;
};
std::optional<std::string> built(const Program &program, const std::string &version,
                                 const std::string &environment, const std::string &arguments);

// The workload growth built so.
std::optional<std::string> workload_variant(const std::string &name, const std::string &version,
                                            const std::string &environment,
                                            const std::string &arguments);

// Symbols of a program that is not stripped, by nm; of two of a name, the first.
std::map<std::string, std::uint64_t> symbols_of(const std::string &program);

struct DisassembledInstruction {
  std::uint64_t address;
  std::string text; // "push   %rbp"
};

// [start, start + size_bytes) as objdump reads it, an implementation of its own.
std::vector<DisassembledInstruction> disassemble(const std::string &program, std::uint64_t start,
                                                 std::uint64_t size_bytes);

} // namespace mapscope
