// Names of places and types in executables: answers that were given to somebody, kept, and given
// again when the same questions come.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "flow/map_type.h"
#include "wire/archive.h"

namespace mapscope {

// The questions of a BinaryNames.
enum class Question : std::uint8_t { frames, map_types, map_types_at_calls };
inline constexpr std::size_t kQuestionCount = 3;
template <> inline constexpr std::uint64_t enumerator_count<Question> = kQuestionCount;

// Answers that no recording has yet, as bodies of `names` items.
struct PendingAnswers {
  std::vector<Bytes> items;
  std::size_t answer_count = 0; // of the whole run
  bool is_full = false;         // kAnswersMax was reached; later ones were not kept
};

// Passes questions on, and keeps each answer that is new.
class ListenedNames final : public BinaryNames {
public:
  // `number` tells the executables of a recording apart.
  ListenedNames(std::uint64_t number, std::shared_ptr<BinaryNames> names,
                std::shared_ptr<PendingAnswers> pending)
      : number_(number), names_(std::move(names)), pending_(std::move(pending)) {}

  std::uint64_t number() const { return number_; }

  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override;
  Result<std::vector<std::optional<MapType>>>
  map_types(std::span<const ElfAddress> descriptors) override;
  Result<std::vector<std::optional<MapType>>>
  map_types_at_calls(std::span<const ElfAddress> return_addresses) override;

private:
  template <typename Answer>
  void keep(Question question, std::span<const ElfAddress> addresses,
            const Result<std::vector<Answer>> &answers);
  void append(Question question, const std::vector<ElfAddress> &addresses, bool is_error,
              const nlohmann::json &said);

  std::uint64_t number_;
  std::shared_ptr<BinaryNames> names_;
  std::shared_ptr<PendingAnswers> pending_;
  // What was kept last for an address: 0 for an answer, else a hash of the error.
  using Said = std::unordered_map<std::uint64_t, std::size_t>;
  std::array<Said, kQuestionCount> said_; // by question
};

// Answers as they were kept. What was not asked for then has an empty answer, and is counted.
class KeptNames final : public BinaryNames {
public:
  explicit KeptNames(std::shared_ptr<std::uint64_t> unanswered_count)
      : unanswered_count_(std::move(unanswered_count)) {}

  // Takes in the rest of a `names` item, behind its number. Returns how many answers it has.
  // Errors: malformed.
  Result<std::size_t> add(FieldReader &item);

  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override;
  Result<std::vector<std::optional<MapType>>>
  map_types(std::span<const ElfAddress> descriptors) override;
  Result<std::vector<std::optional<MapType>>>
  map_types_at_calls(std::span<const ElfAddress> return_addresses) override;

private:
  // Not a hash table: somebody may have chosen the addresses.
  template <typename Answer> using Kept = std::map<std::uint64_t, Result<Answer>>;

  template <typename Answer>
  Result<std::vector<Answer>> look_up(const Kept<Answer> &kept,
                                      std::span<const ElfAddress> addresses);

  Kept<SourceFrames> frames_;
  Kept<std::optional<MapType>> map_types_, map_types_at_calls_;
  std::shared_ptr<std::uint64_t> unanswered_count_;
};

} // namespace mapscope
