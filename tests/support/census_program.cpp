// Starts the program at a pipe, and reads its file without a confined child.
#include "support/census_program.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "binary/go_binary.h"
#include "binary/read_facts.h"
#include "support/file_content.h"
#include "support/pipe.h"

namespace mapscope::testing {
namespace {

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

// What is in the file of a program, which is long to read.
struct KnownProgram {
  BinaryFacts facts;
  std::uint64_t lowest = 0; // address of its first segment
  std::optional<ElfAddress> mheap;
};

// The tests of a suite start the same program again and again. Null: it can't be read.
const KnownProgram *known_program(const std::string &path) {
  static std::map<std::string, KnownProgram> known;
  if (auto found = known.find(path); found != known.end())
    return &found->second;
  const auto file = file_bytes(path);
  auto binary = GoBinary::open(file, path);
  if (!binary)
    return nullptr;
  auto facts = read_facts(*binary);
  if (!facts)
    return nullptr;
  KnownProgram &program = known[path];
  program.facts = std::move(*facts);
  program.lowest = binary->elf().segments().front().range.start.value;
  if (auto symbol = binary->elf().find_symbol("runtime.mheap_"))
    program.mheap = symbol->address;
  return &program;
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
  std::string left, line; // what was read and not yet understood
  std::array<char, 65536> buffer;
  while (true) {
    ssize_t size = ::read(output_.get(), buffer.data(), buffer.size());
    if (size <= 0)
      return false;
    left.append(buffer.data(), static_cast<std::size_t>(size));
    std::size_t start = 0;
    for (std::size_t end; (end = left.find('\n', start)) != left.npos; start = end + 1) {
      auto text = std::string_view{left}.substr(start, end - start);
      if (text == "ready")
        return true;
      if (!read_line(text))
        return false;
    }
    left.erase(0, start);
  }
}

bool CensusProgram::read_line(std::string_view line) {
  std::string_view kind = line.substr(0, line.find(' '));
  auto next = [&line](int base) {
    line.remove_prefix(std::min(line.size(), line.find(' ')));
    line.remove_prefix(std::min<std::size_t>(line.size(), 1));
    std::uint64_t value = 0;
    std::from_chars(line.data(), line.data() + line.size(), value, base);
    return value;
  };
  if (kind == "bytes") {
    bytes = next(10);
    return true;
  }
  if (kind == "kind") {
    kinds.emplace_back(line.substr(line.find(' ') + 1));
    return true;
  }
  std::uint64_t address = next(16);
  if (kind == "map")
    maps[address] = {.len = next(10),
                     .slots = next(10),
                     .tombstones = next(10),
                     .type =
                         std::string{line.substr(std::min(line.find(' '), line.size() - 1) + 1)}};
  else if (kind == "noise")
    noise[address] = line.substr(line.find(' ') + 1);
  else if (kind == "owner")
    owners[address] = line.substr(line.find(' ') + 1);
  return kind == "map" || kind == "noise" || kind == "owner";
}

bool CensusProgram::read_facts_of(const std::string &path) {
  const KnownProgram *known = known_program(path);
  auto mappings = memory_.mappings();
  if (known == nullptr || !mappings)
    return false;
  facts = known->facts;
  LoadBias bias;
  for (const Mapping &mapping : *mappings)
    if (mapping.name == path && mapping.file_offset == 0) {
      bias = {mapping.start.value - (known->lowest & ~std::uint64_t{4095})};
      break;
    }
  anchors = HeapAnchors::of(facts, bias);
  if (known->mheap)
    mheap = bias.to_process(*known->mheap).value;
  return true;
}

} // namespace mapscope::testing
