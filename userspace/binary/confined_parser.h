// Go executables as the rest of mapscope sees them: facts and source lines, from a parser
// that can do no harm.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/handle.h"
#include "binary/parser_process.h"
#include "flow/binary_facts.h"
#include "flow/map_type.h"
#include "flow/program_roots.h"
#include "flow/source.h"

namespace mapscope {

// One executable, parsed in a child process. Used from one thread at a time, and opened from
// one that lives as long (see ParserProcess::start).
class ConfinedBinary final : public BinaryNames, public RootSource {
public:
  // `path` is for messages. Errors: unsupported or malformed (a binary that mapscope can't
  // read, or one that its parser died of), not_found (not a Go program), system.
  static Result<std::unique_ptr<ConfinedBinary>> open(Fd file, std::string path,
                                                      const ParserLimits &limits = {});

  const BinaryFacts &facts() const { return facts_; }

  // Answers are remembered. Errors: as the parser's end; then later calls fail too.
  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override;
  Result<std::vector<std::optional<MapType>>>
  map_types(std::span<const ElfAddress> descriptors) override;
  Result<std::vector<std::optional<MapType>>>
  map_types_at_calls(std::span<const ElfAddress> return_addresses) override;
  Result<const ProgramRoots *> roots() override;

private:
  ConfinedBinary(ParserProcess parser, BinaryFacts facts);

  // One kind of question: how it is put, how its answers are read, and those of before.
  template <typename Answer> struct Question {
    const char *ask; // the answers have the same name in the reply
    Result<std::vector<Answer>> (*read)(const nlohmann::json &);
    std::unordered_map<std::uint64_t, Answer> remembered; // by address
  };

  template <typename Answer>
  Result<std::vector<Answer>> answer(Question<Answer> &question,
                                     std::span<const ElfAddress> addresses);
  Result<ProgramRoots> ask_for_roots();
  // Asks the parser about each address once, and remembers what it says.
  template <typename Answer>
  Result<> look_up(Question<Answer> &question, std::span<const ElfAddress> addresses);

  ParserProcess parser_;
  BinaryFacts facts_;
  Question<SourceFrames> frames_;
  Question<std::optional<MapType>> map_types_, map_types_at_calls_;
  std::optional<Result<ProgramRoots>> roots_; // absent: nobody asked
};

// One ConfinedBinary for each file, however many processes run it; and one look at each file
// that is none. A file is known by device, inode, size and change time, never by its build id:
// a build id is what the file says of itself, and one user's program must not answer for
// another's.
class BinaryCache {
public:
  explicit BinaryCache(ParserLimits limits = {}) : limits_(limits) {}

  // As ConfinedBinary::open. A binary stays as long as somebody holds it; failures stay until
  // there are many.
  Result<std::shared_ptr<ConfinedBinary>> open(Fd file, const std::string &path);

private:
  using FileIdentity = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::int64_t,
                                  std::int64_t>; // device, inode, bytes, changed: s, ns
  using Known = std::variant<std::weak_ptr<ConfinedBinary>, Error>;

  void forget_unused();

  ParserLimits limits_;
  std::map<FileIdentity, Known> known_;
};

} // namespace mapscope
