// Starts the program at a pipe, and finds its .bss the simple way: by section headers.
#include "support/census_program.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "binary/go_binary.h"
#include "binary/read_facts.h"

namespace mapscope::testing {
namespace {

struct Pipe {
  Fd read, write;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    std::abort();
  return {Fd{ends[0]}, Fd{ends[1]}};
}

pid_t spawn(const std::string &path, const std::vector<std::string> &arguments, const Fd &input,
            const Fd &output) {
  std::vector<char *> argv{const_cast<char *>(path.c_str())};
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, output.get(), 1);
  pid_t pid = -1;
  if (::posix_spawn(&pid, path.c_str(), &actions, nullptr, argv.data(), environ) != 0)
    pid = -1;
  ::posix_spawn_file_actions_destroy(&actions);
  return pid;
}

} // namespace

CensusProgram::CensusProgram(const std::string &path, const std::vector<std::string> &arguments)
    : memory_(-1) {
  Pipe input = make_pipe(), output = make_pipe();
  pid_ = spawn(path, arguments, input.read, output.write);
  input_ = std::move(input.write);
  output_ = std::move(output.read);
  output.write.reset();
  memory_ = ChildMemory{pid_};
  is_ready_ = pid_ > 0 && read_truth() && read_facts_of(path);
}

CensusProgram::~CensusProgram() {
  input_.reset(); // the end of its input is its end
  output_.reset();
  if (pid_ > 0)
    ::waitpid(pid_, nullptr, 0);
}

bool CensusProgram::read_truth() {
  Handle<std::FILE, std::fclose> file{::fdopen(output_.release(), "r")};
  char word[16], name[32];
  while (std::fscanf(file.get(), "%15s", word) == 1) {
    std::string kind = word;
    std::uint64_t address = 0;
    TrueMap map;
    if (kind == "ready")
      return true;
    if (kind == "bytes" && std::fscanf(file.get(), "%" SCNu64, &bytes) != 1)
      return false;
    if (kind == "map") {
      if (std::fscanf(file.get(), "%" SCNx64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &address,
                      &map.len, &map.slots, &map.tombstones) != 4)
        return false;
      maps[address] = map;
    }
    if (kind == "noise") {
      if (std::fscanf(file.get(), "%" SCNx64 " %31[^\n]", &address, name) != 2)
        return false;
      noise[address] = name;
    }
  }
  return false;
}

bool CensusProgram::read_facts_of(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  std::vector<char> text{std::istreambuf_iterator<char>(stream), {}};
  auto bytes_of_file = std::as_bytes(std::span{text});
  auto binary = GoBinary::open(bytes_of_file, path);
  if (!binary)
    return false;
  auto read = read_facts(*binary);
  auto mappings = memory_.mappings();
  if (!read || !mappings)
    return false;
  facts = std::move(*read);
  LoadBias bias;
  const std::uint64_t lowest = binary->elf().segments().front().range.start.value;
  for (const Mapping &mapping : *mappings)
    if (mapping.name == path && mapping.file_offset == 0) {
      bias = {mapping.start.value - (lowest & ~std::uint64_t{4095})};
      break;
    }
  for (const char *name : {".bss", ".noptrbss"})
    if (const ElfSection *section = binary->elf().find_section(name))
      anchors.data.push_back({bias.to_process(section->range.start), section->range.size_bytes});
  if (auto symbol = binary->elf().find_symbol("runtime.mheap_"))
    mheap = bias.to_process(symbol->address).value;
  return true;
}

} // namespace mapscope::testing
