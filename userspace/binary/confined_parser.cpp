// The parent's view of parser processes: distrust, and memory of what they said.
#include "binary/confined_parser.h"

#include <algorithm>
#include <utility>

#include <sys/stat.h>

#include "wire/facts_json.h"
#include "wire/map_type_json.h"
#include "wire/roots_archive.h"
#include "wire/source_json.h"

namespace mapscope {
namespace {

// About 10 MB of remembered frames, and no more of map types.
constexpr std::size_t kRememberedMax = 65'536;
constexpr std::size_t kAddressesPerQuestion = 1024;
constexpr std::size_t kKnownFilesMax = 4096;

} // namespace

Result<std::unique_ptr<ConfinedBinary>> ConfinedBinary::open(Fd file, std::string path,
                                                             const ParserLimits &limits) {
  auto parser = TRY(ParserProcess::start(std::move(file), path, limits));
  const auto reply = TRY(parser.ask({{"ask", "facts"}}));
  if (!reply.is_object() || !reply.contains("facts"))
    return fail(Errc::malformed, "{}: its parser did not answer what it was asked", path);
  auto facts = TRY_WHILE(facts_from_json(reply["facts"]), "{}: facts from its parser", path);
  facts.path = std::move(path); // what we opened, whatever the parser made of it
  return std::unique_ptr<ConfinedBinary>{new ConfinedBinary{std::move(parser), std::move(facts)}};
}

ConfinedBinary::ConfinedBinary(ParserProcess parser, BinaryFacts facts)
    : parser_(std::move(parser)), facts_(std::move(facts)), frames_{"frames", frames_from_json, {}},
      map_types_{"map_types", map_types_from_json, {}},
      map_types_at_calls_{"map_types_at_calls", map_types_from_json, {}} {}

Result<std::vector<SourceFrames>> ConfinedBinary::symbolize(std::span<const ElfAddress> addresses) {
  return answer(frames_, addresses);
}

Result<std::vector<std::optional<MapType>>>
ConfinedBinary::map_types(std::span<const ElfAddress> descriptors) {
  return answer(map_types_, descriptors);
}

Result<std::vector<std::optional<MapType>>>
ConfinedBinary::map_types_at_calls(std::span<const ElfAddress> return_addresses) {
  return answer(map_types_at_calls_, return_addresses);
}

Result<const ProgramRoots *> ConfinedBinary::roots() {
  if (!roots_)
    roots_ = ask_for_roots();
  if (!*roots_)
    return std::unexpected(roots_->error());
  return &**roots_;
}

Result<ProgramRoots> ConfinedBinary::ask_for_roots() {
  constexpr std::size_t kHeadBytes = 64;
  const auto reply =
      TRY(parser_.ask({{"ask", "roots"}}, {.message_bytes = RootLimits::kBytes + kHeadBytes,
                                           .byte_string_bytes = RootLimits::kBytes}));
  if (!reply.is_object() || !reply.contains("roots") || !reply["roots"].is_binary())
    return fail(Errc::malformed, "{}: its parser did not answer what it was asked", facts_.path);
  const auto &bytes = reply["roots"].get_binary();
  return TRY_WHILE(roots_from_bytes(std::as_bytes(std::span{bytes}), RootPlaces::of(facts_)),
                   "{}: roots from its parser", facts_.path);
}

template <typename Answer>
Result<std::vector<Answer>> ConfinedBinary::answer(Question<Answer> &question,
                                                   std::span<const ElfAddress> addresses) {
  if (question.remembered.size() > kRememberedMax)
    question.remembered.clear();
  std::vector<ElfAddress> unknown;
  std::ranges::copy_if(addresses, std::back_inserter(unknown), [&](ElfAddress address) {
    return !question.remembered.contains(address.value);
  });
  std::ranges::sort(unknown);
  unknown.erase(std::ranges::unique(unknown).begin(), unknown.end());
  for (std::span rest{unknown}; !rest.empty();) {
    const auto batch = rest.first(std::min(rest.size(), kAddressesPerQuestion));
    TRY(look_up(question, batch));
    rest = rest.subspan(batch.size());
  }
  std::vector<Answer> answers;
  answers.reserve(addresses.size());
  for (ElfAddress address : addresses)
    answers.push_back(question.remembered.at(address.value));
  return answers;
}

template <typename Answer>
Result<> ConfinedBinary::look_up(Question<Answer> &question,
                                 std::span<const ElfAddress> addresses) {
  nlohmann::json numbers = nlohmann::json::array();
  for (ElfAddress address : addresses)
    numbers.push_back(address.value);
  const auto reply = TRY(parser_.ask({{"ask", question.ask}, {"addresses", std::move(numbers)}}));
  if (!reply.is_object() || !reply.contains(question.ask))
    return fail(Errc::malformed, "{}: its parser did not answer what it was asked", facts_.path);
  auto answers = TRY_WHILE(question.read(reply[question.ask]), "{}", facts_.path);
  if (answers.size() != addresses.size())
    return fail(Errc::malformed, "{}: {} answers for {} addresses", facts_.path, answers.size(),
                addresses.size());
  for (std::size_t i = 0; i < answers.size(); ++i)
    question.remembered.insert_or_assign(addresses[i].value, std::move(answers[i]));
  return {};
}

Result<std::shared_ptr<ConfinedBinary>> BinaryCache::open(Fd file, const std::string &path) {
  struct stat status;
  if (::fstat(file.get(), &status) != 0)
    return std::unexpected(Error::from_errno(fmt::format("looking at {}", path)));
  const FileIdentity identity{status.st_dev, status.st_ino,
                              static_cast<std::uint64_t>(status.st_size), status.st_ctim.tv_sec,
                              status.st_ctim.tv_nsec};
  if (auto found = known_.find(identity); found != known_.end()) {
    if (const auto *error = std::get_if<Error>(&found->second))
      return std::unexpected(*error);
    if (auto binary = std::get<std::weak_ptr<ConfinedBinary>>(found->second).lock())
      return binary;
  }
  forget_unused();
  auto opened = ConfinedBinary::open(std::move(file), path, limits_);
  if (!opened) {
    if (opened.error().code() != Errc::system) // that may be better the next time
      known_.insert_or_assign(identity, opened.error());
    return std::unexpected(std::move(opened).error());
  }
  std::shared_ptr<ConfinedBinary> binary = *std::move(opened);
  known_.insert_or_assign(identity, binary);
  return binary;
}

void BinaryCache::forget_unused() {
  std::erase_if(known_, [](const auto &entry) {
    const auto *binary = std::get_if<std::weak_ptr<ConfinedBinary>>(&entry.second);
    return binary != nullptr && binary->expired();
  });
  if (known_.size() >= kKnownFilesMax)
    std::erase_if(known_,
                  [](const auto &entry) { return std::holds_alternative<Error>(entry.second); });
}

} // namespace mapscope
