// The parent's view of parser processes: distrust, and memory of what they said.
#include "binary/confined_parser.h"

#include <algorithm>
#include <utility>

#include "wire/facts_json.h"
#include "wire/map_type_json.h"
#include "wire/roots_archive.h"
#include "wire/source_json.h"

namespace mapscope {
namespace {

constexpr std::size_t kAddressesPerQuestion = 1024;

} // namespace

Result<std::unique_ptr<ConfinedBinary>> ConfinedBinary::open(Fd file, std::string path,
                                                             const ParserLimits &limits) {
  auto parsed = TRY(ParsedFile::of(std::move(file), std::move(path)));
  return open(std::move(parsed), std::make_shared<ParserPool>(limits, PoolLimits{}, nullptr), {},
              nullptr);
}

Result<std::unique_ptr<ConfinedBinary>>
ConfinedBinary::open(ParsedFile file, std::shared_ptr<ParserPool> pool, const BinaryLimits &limits,
                     std::shared_ptr<const BinaryFacts> known) {
  std::unique_ptr<ConfinedBinary> binary{
      new ConfinedBinary{std::move(file), std::move(pool), limits}};
  binary->facts_ = known != nullptr
                       ? std::move(known)
                       : std::make_shared<const BinaryFacts>(TRY(binary->ask_for_facts()));
  return binary;
}

ConfinedBinary::ConfinedBinary(ParsedFile file, std::shared_ptr<ParserPool> pool,
                               const BinaryLimits &limits)
    : file_(std::move(file)), pool_(std::move(pool)), limits_(limits),
      frames_{"frames", frames_from_json, {}}, map_types_{"map_types", map_types_from_json, {}},
      map_types_at_calls_{"map_types_at_calls", map_types_from_json, {}} {}

ConfinedBinary::~ConfinedBinary() { pool_->end_of(file_); }

bool ConfinedBinary::may_retry(std::chrono::steady_clock::time_point failed) const {
  return limits_.retry_after.count() != 0 &&
         std::chrono::steady_clock::now() - failed >= limits_.retry_after;
}

Result<nlohmann::json> ConfinedBinary::ask(const nlohmann::json &question,
                                           const WireLimits &limits) {
  if (parser_failed_ && !may_retry(*parser_failed_))
    return fail(Errc::gone, "{}: its parser has ended", file_.path());
  auto parser = TRY(pool_->take(file_));
  auto reply = parser.ask(question, limits);
  parser_failed_.reset();
  if (parser.has_ended())
    parser_failed_ = std::chrono::steady_clock::now();
  pool_->give_back(file_, std::move(parser));
  return reply;
}

Result<BinaryFacts> ConfinedBinary::ask_for_facts() {
  const auto reply = TRY(ask({{"ask", "facts"}}));
  if (!reply.is_object() || !reply.contains("facts"))
    return fail(Errc::malformed, "{}: its parser did not answer what it was asked", file_.path());
  auto facts =
      TRY_WHILE(facts_from_json(reply["facts"]), "{}: facts from its parser", file_.path());
  facts.path = file_.path(); // what we opened, whatever the parser made of it
  return facts;
}

Result<std::vector<SourceFrames>> ConfinedBinary::symbolize(std::span<const ElfAddress> addresses) {
  const std::lock_guard lock{mutex_};
  return answer(frames_, addresses);
}

Result<std::vector<std::optional<MapType>>>
ConfinedBinary::map_types(std::span<const ElfAddress> descriptors) {
  const std::lock_guard lock{mutex_};
  return answer(map_types_, descriptors);
}

Result<std::vector<std::optional<MapType>>>
ConfinedBinary::map_types_at_calls(std::span<const ElfAddress> return_addresses) {
  const std::lock_guard lock{mutex_};
  return answer(map_types_at_calls_, return_addresses);
}

Result<const ProgramRoots *> ConfinedBinary::roots() {
  const std::lock_guard lock{mutex_};
  if (!roots_ || (!*roots_ && may_retry(*roots_failed_))) {
    roots_ = ask_for_roots();
    roots_failed_ = std::chrono::steady_clock::now();
  }
  if (!*roots_)
    return std::unexpected(roots_->error());
  return &**roots_;
}

Result<ProgramRoots> ConfinedBinary::ask_for_roots() {
  constexpr std::size_t kHeadBytes = 64;
  const auto reply = TRY(ask({{"ask", "roots"}}, {.message_bytes = RootLimits::kBytes + kHeadBytes,
                                                  .byte_string_bytes = RootLimits::kBytes}));
  if (!reply.is_object() || !reply.contains("roots") || !reply["roots"].is_binary())
    return fail(Errc::malformed, "{}: its parser did not answer what it was asked", file_.path());
  const auto &bytes = reply["roots"].get_binary();
  return TRY_WHILE(roots_from_bytes(std::as_bytes(std::span{bytes}), RootPlaces::of(*facts_)),
                   "{}: roots from its parser", file_.path());
}

template <typename Answer>
Result<std::vector<Answer>> ConfinedBinary::answer(Question<Answer> &question,
                                                   std::span<const ElfAddress> addresses) {
  if (question.remembered.size() > limits_.remembered_max)
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
  const auto reply = TRY(ask({{"ask", question.ask}, {"addresses", std::move(numbers)}}));
  if (!reply.is_object() || !reply.contains(question.ask))
    return fail(Errc::malformed, "{}: its parser did not answer what it was asked", file_.path());
  auto answers = TRY_WHILE(question.read(reply[question.ask]), "{}", file_.path());
  if (answers.size() != addresses.size())
    return fail(Errc::malformed, "{}: {} answers for {} addresses", file_.path(), answers.size(),
                addresses.size());
  for (std::size_t i = 0; i < answers.size(); ++i)
    question.remembered.insert_or_assign(addresses[i].value, std::move(answers[i]));
  return {};
}

} // namespace mapscope
