// How these programs are found and asked about.
#include "unit/binary/built_programs.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include "base/handle.h"

namespace mapscope {

std::optional<std::string> output_of(const std::string &command) {
  std::FILE *pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr)
    return std::nullopt;
  std::string output;
  std::array<char, 65536> buffer;
  while (std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe))
    output.append(buffer.data(), size);
  return ::pclose(pipe) == 0 ? std::optional{output} : std::nullopt;
}

std::optional<std::string> output_of_go_tool(const std::string &arguments) {
  return output_of(fmt::format("goroot=$({}/tools/go-toolchain 1.27.4) && "
                               "GOROOT=$goroot GOTOOLCHAIN=local GOENV=off GOFLAGS= "
                               "$goroot/bin/go tool {}",
                               SOURCE_DIRECTORY, arguments));
}

std::optional<std::string> workload(const std::string &version, const std::string &mode) {
  auto path = fmt::format("{}/build/workloads/{}/{}/growth", SOURCE_DIRECTORY, version, mode);
  return std::filesystem::exists(path) ? std::optional{path} : std::nullopt;
}

std::optional<std::string> built(const Program &program, const std::string &version,
                                 const std::string &environment, const std::string &arguments) {
  auto path = fmt::format("{}/programs/{}", BINARY_DIRECTORY, program.name);
  // The tests of a suite ask for the same one again and again.
  static std::map<std::string, bool> is_built;
  if (auto known = is_built.find(path); known != is_built.end())
    return known->second ? std::optional{path} : std::nullopt;
  std::filesystem::create_directories(std::filesystem::path{path}.parent_path());
  // Tests run beside each other; the go command itself knows what is up to date.
  Fd lock{::open((path + ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644)};
  ::flock(lock.get(), LOCK_EX);
  bool succeeded =
      output_of(fmt::format("cd {0}/{1} && goroot=$({0}/tools/go-toolchain {2}) && "
                            "GOROOT=$goroot GOTOOLCHAIN=local GOENV=off GOFLAGS= CGO_ENABLED=0 {3} "
                            "$goroot/bin/go build {4} -o {5} {6} 2>&1",
                            SOURCE_DIRECTORY, program.folder, version, environment, arguments, path,
                            program.package))
          .has_value();
  is_built[path] = succeeded;
  return succeeded ? std::optional{path} : std::nullopt;
}

std::optional<std::string> workload_variant(const std::string &name, const std::string &version,
                                            const std::string &environment,
                                            const std::string &arguments) {
  return built({"workloads", "./growth", name}, version, environment, arguments);
}

std::map<std::string, std::uint64_t> symbols_of(const std::string &program) {
  std::map<std::string, std::uint64_t> symbols;
  std::istringstream lines{output_of(fmt::format("nm -n '{}'", program)).value_or("")};
  std::string address, type, name;
  while (lines >> address) {
    if (address.size() == 1) { // undefined: no address
      std::getline(lines, name);
      continue;
    }
    lines >> type >> std::ws;
    std::getline(lines, name);
    symbols.emplace(name, std::stoull(address, nullptr, 16));
  }
  return symbols;
}

std::vector<DisassembledInstruction> disassemble(const std::string &program, std::uint64_t start,
                                                 std::uint64_t size_bytes) {
  auto text = output_of(
      fmt::format("objdump -d --no-show-raw-insn --start-address={} --stop-address={} '{}'", start,
                  start + size_bytes, program));
  std::vector<DisassembledInstruction> instructions;
  std::istringstream lines{text.value_or("")};
  for (std::string line; std::getline(lines, line);)
    if (auto colon = line.find(":\t"); colon != line.npos && line.starts_with(' '))
      instructions.push_back(
          {std::stoull(line.substr(0, colon), nullptr, 16), line.substr(colon + 2)});
  return instructions;
}

} // namespace mapscope
