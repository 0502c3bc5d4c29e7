// Keeping answers and giving them again; see names.h.
#include "recording/names.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "recording/fields.h"
#include "recording/format.h"
#include "wire/map_type_json.h"
#include "wire/message.h"
#include "wire/source_json.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;
using MapTypeAnswer = std::optional<MapType>;

// Of one item: far below the limits of a message.
constexpr std::size_t kAddressesPerItem = 4096;

Json to_json(std::span<const SourceFrames> answers) { return frames_to_json(answers); }
Json to_json(std::span<const MapTypeAnswer> answers) { return map_types_to_json(answers); }

Result<std::vector<SourceFrames>> from_json(const Json &json, const SourceFrames &) {
  return frames_from_json(json);
}
Result<std::vector<MapTypeAnswer>> from_json(const Json &json, const MapTypeAnswer &) {
  return map_types_from_json(json);
}

template <typename Kept>
Result<> add_to(Kept &kept, const std::vector<ElfAddress> &addresses, bool is_error,
                const Json &said) {
  using Answer = typename Kept::mapped_type::value_type;
  if (is_error) {
    for (ElfAddress address : addresses)
      kept.insert_or_assign(address.value, std::unexpected(error_from_json(said)));
    return {};
  }
  auto answers = TRY(from_json(said, Answer{}));
  if (answers.size() != addresses.size())
    return fail(Errc::malformed, "{} answers to {} addresses", answers.size(), addresses.size());
  for (std::size_t i = 0; i < answers.size(); ++i)
    kept.insert_or_assign(addresses[i].value, std::move(answers[i]));
  return {};
}

} // namespace

void ListenedNames::append(Question question, const std::vector<ElfAddress> &addresses,
                           bool is_error, const Json &said) {
  if (pending_->answer_count + addresses.size() > kAnswersMax) {
    pending_->is_full = true;
    return;
  }
  pending_->answer_count += addresses.size();
  Bytes &item = pending_->items.emplace_back();
  FieldWriter{item}(number_, question, is_error, addresses);
  const auto message = Json::to_msgpack(said);
  const auto bytes = std::as_bytes(std::span{message});
  item.insert(item.end(), bytes.begin(), bytes.end());
}

// An error is that of the whole question, and says nothing about addresses that had an answer
// before; unless they all had.
template <typename Answer>
void ListenedNames::keep(Question question, std::span<const ElfAddress> addresses,
                         const Result<std::vector<Answer>> &answers) {
  Said &said = said_[static_cast<std::size_t>(question)];
  constexpr std::size_t kAnswered = 0;
  const std::size_t saying =
      answers ? kAnswered : std::hash<std::string>{}(answers.error().message()) | 1;
  const bool all_answered = std::ranges::all_of(addresses, [&](ElfAddress address) {
    const auto last = said.find(address.value);
    return last != said.end() && last->second == kAnswered;
  });
  std::vector<ElfAddress> fresh;
  std::vector<Answer> fresh_answers;
  const auto append_fresh = [&] {
    if (!fresh.empty())
      append(question, fresh, !answers,
             answers ? to_json(std::span<const Answer>{fresh_answers})
                     : error_to_json(answers.error()));
    fresh.clear();
    fresh_answers.clear();
  };
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto [last, is_new] = said.try_emplace(addresses[i].value, saying);
    const bool stays = !answers && last->second == kAnswered && !all_answered;
    if (!is_new && (last->second == saying || stays))
      continue;
    last->second = saying;
    fresh.push_back(addresses[i]);
    if (answers)
      fresh_answers.push_back((*answers)[i]);
    if (fresh.size() == kAddressesPerItem)
      append_fresh();
  }
  append_fresh();
}

Result<std::vector<SourceFrames>> ListenedNames::symbolize(std::span<const ElfAddress> addresses) {
  auto answers = names_->symbolize(addresses);
  keep(Question::frames, addresses, answers);
  return answers;
}

Result<std::vector<MapTypeAnswer>>
ListenedNames::map_types(std::span<const ElfAddress> descriptors) {
  auto answers = names_->map_types(descriptors);
  keep(Question::map_types, descriptors, answers);
  return answers;
}

Result<std::vector<MapTypeAnswer>>
ListenedNames::map_types_at_calls(std::span<const ElfAddress> return_addresses) {
  auto answers = names_->map_types_at_calls(return_addresses);
  keep(Question::map_types_at_calls, return_addresses, answers);
  return answers;
}

Result<std::size_t> KeptNames::add(FieldReader &item) {
  Question question{};
  bool is_error = false;
  std::vector<ElfAddress> addresses;
  item(question, is_error, addresses);
  TRY(item.status());
  const Json said = TRY(decode_message(item.rest()));
  switch (question) {
  case Question::frames:
    TRY(add_to(frames_, addresses, is_error, said));
    break;
  case Question::map_types:
    TRY(add_to(map_types_, addresses, is_error, said));
    break;
  case Question::map_types_at_calls:
    TRY(add_to(map_types_at_calls_, addresses, is_error, said));
    break;
  }
  return addresses.size();
}

template <typename Answer>
Result<std::vector<Answer>> KeptNames::look_up(const Kept<Answer> &kept,
                                               std::span<const ElfAddress> addresses) {
  std::vector<Answer> answers;
  answers.reserve(addresses.size());
  for (ElfAddress address : addresses) {
    const auto found = kept.find(address.value);
    if (found == kept.end()) {
      ++*unanswered_count_;
      answers.emplace_back();
      continue;
    }
    answers.push_back(TRY(found->second));
  }
  return answers;
}

Result<std::vector<SourceFrames>> KeptNames::symbolize(std::span<const ElfAddress> addresses) {
  return look_up(frames_, addresses);
}

Result<std::vector<MapTypeAnswer>> KeptNames::map_types(std::span<const ElfAddress> descriptors) {
  return look_up(map_types_, descriptors);
}

Result<std::vector<MapTypeAnswer>>
KeptNames::map_types_at_calls(std::span<const ElfAddress> return_addresses) {
  return look_up(map_types_at_calls_, return_addresses);
}

} // namespace mapscope
