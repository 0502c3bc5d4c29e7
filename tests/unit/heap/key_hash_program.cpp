// Starts the program at a pipe, and finds its types and hash keys by its own tables.
#include "unit/heap/key_hash_program.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "binary/go_binary.h"
#include "binary/read_facts.h"
#include "heap/bulk_read.h"
#include "support/file_content.h"
#include "support/pipe.h"
#include "unit/binary/built_programs.h"

namespace mapscope::testing {
std::string GoBuild::name() const {
  std::string name = "Go" + version + experiment + (is_pie ? "pie" : "");
  std::ranges::replace(name, '.', '_');
  return name;
}

std::vector<GoBuild> all_go_builds() {
  return {{"1.17.13", ""},
          {"1.19.13", ""},
          {"1.21.13", ""},
          {"1.22.12", ""},
          {"1.23.12", ""},
          {"1.24.13", ""},
          {"1.25.14", ""},
          {"1.26.8", ""},
          {"1.27.4", ""},
          {"1.24.13", "noswissmap"},
          {"1.27.4", "mapsplitgroup"},
          {"1.17.13", "", true},
          {"1.22.12", "", true},
          {"1.27.4", "", true}};
}

std::unique_ptr<KeyHashProgram> KeyHashProgram::start(const GoBuild &build) {
  const auto path =
      built({"tests/unit/heap/key_hashes", ".", "key_hashes_" + build.name()}, build.version,
            build.experiment.empty() ? "" : "GOEXPERIMENT=" + build.experiment,
            build.is_pie ? "-buildmode=pie" : "");
  if (!path)
    return nullptr;
  auto program = std::unique_ptr<KeyHashProgram>{new KeyHashProgram};
  Pipe input = make_pipe(), output = make_pipe();
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input.read.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, output.write.get(), 1);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::string name = *path, mode = build.version < "1.24" ? "" : "on-demand";
  std::array<char *, 3> argv{name.data(), mode.data(), nullptr};
  if (::posix_spawn(&program->pid_, name.c_str(), &actions, nullptr, argv.data(), environ) != 0)
    program->pid_ = -1;
  ::posix_spawn_file_actions_destroy(&actions);
  program->input_ = std::move(input.write);
  program->output_ = std::move(output.read);
  output.write.reset();
  program->memory = ChildMemory{program->pid_};
  return program->read_lines() && program->read_facts_of(*path) ? std::move(program) : nullptr;
}

KeyHashProgram::~KeyHashProgram() {
  input_.reset(); // the end of its input is its end
  output_.reset();
  if (pid_ > 0)
    ::waitpid(pid_, nullptr, 0);
}

bool KeyHashProgram::read_lines() {
  std::string text;
  std::array<char, 65536> buffer;
  while (!text.ends_with("ready\n")) {
    const ssize_t size = ::read(output_.get(), buffer.data(), buffer.size());
    if (size <= 0)
      return false;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line) && line != "ready";)
    read_line(line);
  return true;
}

void KeyHashProgram::read_line(const std::string &line) {
  std::istringstream words{line};
  std::string kind;
  std::uint64_t address = 0;
  words >> kind >> std::hex >> address;
  if (kind == "hash") {
    TrueHash hash{.map_type = address};
    std::string maker;
    words >> maker >> hash.key >> hash.seed >> hash.hash;
    hash.is_made_by_reflect = maker == "reflect";
    hashes.push_back(hash);
  } else if (kind == "nan") {
    nan_type = address;
    words >> nan_key;
  } else if (kind == "map") {
    SmallMap map{.map_type = address};
    words >> map.header >> std::dec >> map.len;
    maps.push_back(map);
  } else if (kind == "type") {
    TrueMapType type{.map_type = address};
    words >> std::dec >> type.key_bytes >> type.element_bytes >> type.key_padding >>
        type.element_padding >> std::ws;
    std::getline(words, type.name);
    types.push_back(type);
  } else if (kind == "field") {
    TrueField field;
    std::size_t index = 0;
    words >> std::dec >> index >> field.offset >> field.size_bytes >> field.name >> std::ws;
    std::getline(words, field.type_name);
    fields[address].push_back(field);
  } else if (kind == "mask") {
    words >> masks[address];
  }
}

bool KeyHashProgram::read_facts_of(const std::string &path) {
  const auto file = file_bytes(path);
  const auto binary = GoBinary::open(file, path);
  if (!binary)
    return false;
  auto read = mapscope::read_facts(*binary);
  const auto mappings = memory.mappings();
  if (!read || !mappings)
    return false;
  facts = std::move(*read);
  const std::uint64_t lowest = binary->elf().segments().front().range.start.value & ~4095ULL;
  const auto first = std::ranges::find(*mappings, path, &Mapping::name);
  if (first == mappings->end())
    return false;
  const LoadBias bias{first->start.value - lowest};
  const ElfRange &linked = binary->module_data().types;
  type_range = {bias.to_process(linked.start), linked.size_bytes};
  for (const char *name : {"runtime.aeskeysched", "internal/runtime/maps.aeskeysched"})
    if (const auto symbol = binary->elf().find_symbol(name)) {
      HashKeys bytes;
      if (!read_exactly(memory, bias.to_process(symbol->address).value, bytes))
        return false;
      keys = bytes;
    }
  return true;
}

std::vector<std::byte> KeyHashProgram::read(std::uint64_t address, std::uint64_t size_bytes) {
  std::vector<std::byte> bytes(size_bytes);
  return read_exactly(memory, address, bytes) ? bytes : std::vector<std::byte>{};
}

} // namespace mapscope::testing
