// Go executables as the rest of mapscope sees them: facts and source lines, from a parser
// that can do no harm.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/handle.h"
#include "binary/parsed_file.h"
#include "binary/parser_pool.h"
#include "binary/parser_process.h"
#include "binary/parser_starter.h"
#include "flow/binary_facts.h"
#include "flow/map_type.h"
#include "flow/program_roots.h"
#include "flow/source.h"

namespace mapscope {

// How much of a binary is kept besides its facts, and for how long after its parser failed it is
// not asked again.
struct BinaryLimits {
  std::size_t remembered_max = 65'536;      // answers of each kind: about 10 MB of frames
  std::chrono::milliseconds retry_after{0}; // 0: never asked again
};

// One executable, parsed in a child process, which may rest while nobody asks: the next question
// starts another on the same file. Used from any thread.
class ConfinedBinary final : public BinaryNames, public RootSource {
public:
  // `path` is for messages. To be called from a thread that lives as long as the result (see
  // ParserProcess::start). Errors: unsupported or malformed (a binary that mapscope can't read, or
  // one that its parser died of), not_found (not a Go program), system.
  static Result<std::unique_ptr<ConfinedBinary>> open(Fd file, std::string path,
                                                      const ParserLimits &limits = {});

  // One of several that share a pool. `known`: the facts of the same file, so that no parser is
  // needed yet; null: they are asked for.
  static Result<std::unique_ptr<ConfinedBinary>> open(ParsedFile file,
                                                      std::shared_ptr<ParserPool> pool,
                                                      const BinaryLimits &limits,
                                                      std::shared_ptr<const BinaryFacts> known);
  ~ConfinedBinary() override;

  const BinaryFacts &facts() const { return *facts_; }
  std::shared_ptr<const BinaryFacts> shared_facts() const { return facts_; }

  // Answers are remembered. Errors: as the parser's end, after which later calls fail too (gone);
  // gone also where the file has changed while its parser rested.
  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override;
  Result<std::vector<std::optional<MapType>>>
  map_types(std::span<const ElfAddress> descriptors) override;
  Result<std::vector<std::optional<MapType>>>
  map_types_at_calls(std::span<const ElfAddress> return_addresses) override;
  // What it points to stays as long as this binary does.
  Result<const ProgramRoots *> roots() override;

private:
  ConfinedBinary(ParsedFile file, std::shared_ptr<ParserPool> pool, const BinaryLimits &limits);

  // One kind of question: how it is put, how its answers are read, and those of before.
  template <typename Answer> struct Question {
    const char *ask; // the answers have the same name in the reply
    Result<std::vector<Answer>> (*read)(const nlohmann::json &);
    std::unordered_map<std::uint64_t, Answer> remembered; // by address
  };

  // All of these with the lock held.
  Result<nlohmann::json> ask(const nlohmann::json &question, const WireLimits &limits = {});
  Result<BinaryFacts> ask_for_facts();
  Result<ProgramRoots> ask_for_roots();
  template <typename Answer>
  Result<std::vector<Answer>> answer(Question<Answer> &question,
                                     std::span<const ElfAddress> addresses);
  // Asks the parser about each address once, and remembers what it says.
  template <typename Answer>
  Result<> look_up(Question<Answer> &question, std::span<const ElfAddress> addresses);
  bool may_retry(std::chrono::steady_clock::time_point failed) const;

  ParsedFile file_;
  std::shared_ptr<ParserPool> pool_;
  BinaryLimits limits_;
  std::shared_ptr<const BinaryFacts> facts_;

  std::mutex mutex_; // one question at a time
  std::optional<std::chrono::steady_clock::time_point> parser_failed_, roots_failed_;
  Question<SourceFrames> frames_;
  Question<std::optional<MapType>> map_types_, map_types_at_calls_;
  std::optional<Result<ProgramRoots>> roots_; // absent: nobody asked
};

// For a daemon, which has many binaries for long: `alive_max` parsers at a time (0: as many as
// there are CPUs), forked by a helper of their own.
struct CacheLimits {
  std::size_t alive_max = 0;
  std::chrono::milliseconds rest_after{10'000};
  BinaryLimits binary{.remembered_max = 4096, .retry_after = std::chrono::minutes{1}};
  std::size_t facts_max = 16; // of files that nobody holds: their programs start again and again
};

// One ConfinedBinary for each file, however many processes run it; and one look at each file
// that is none. Used from any thread.
class BinaryCache {
public:
  // Every parser lives as long as its binary; to be used from one thread that lasts.
  explicit BinaryCache(const ParserLimits &parser = {});
  // To be made while the process has one thread, and from one that lasts: see ParserStarter.
  BinaryCache(const ParserLimits &parser, const CacheLimits &cache);
  BinaryCache(const BinaryCache &) = delete;
  BinaryCache &operator=(const BinaryCache &) = delete;
  ~BinaryCache();

  // As ConfinedBinary::open. A binary stays as long as somebody holds it; failures stay until
  // there are many. Of several that open one file at once, one has it parsed and the others wait.
  Result<std::shared_ptr<ConfinedBinary>> open(Fd file, const std::string &path);

  void end_rested(); // parsers that were not asked for a while: call it now and then
  void stop();       // every question fails soon (gone), those in progress too: for the very end
  std::size_t parsers_alive() const;
  std::uint64_t parsers_died() const; // and were not told to

private:
  struct InProgress {};
  using Known = std::variant<InProgress, std::weak_ptr<ConfinedBinary>, Error>;

  Result<std::unique_ptr<ConfinedBinary>> parse(ParsedFile file,
                                                std::shared_ptr<const BinaryFacts> known);
  void forget_unused();
  std::shared_ptr<const BinaryFacts> kept_facts(const FileIdentity &identity) const;
  void keep_facts(const FileIdentity &identity, std::shared_ptr<const BinaryFacts> facts);

  ParserLimits parser_;
  std::optional<CacheLimits> cache_;       // absent: not for a daemon
  std::unique_ptr<ParserStarter> starter_; // for a daemon
  std::shared_ptr<ParserPool> pool_;       // for a daemon

  mutable std::mutex mutex_;
  std::condition_variable progress_;
  std::map<FileIdentity, Known> known_;
  std::list<std::pair<FileIdentity, std::shared_ptr<const BinaryFacts>>> facts_; // oldest first
};

} // namespace mapscope
