// Runs the steps of a key type over keys, and follows what a key refers to.
#include "heap/key_hash.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace mapscope {
namespace {

using Fetched = std::span<const std::span<const std::byte>>;

// runtime/alg.go, for 64-bit systems.
constexpr std::uint64_t kC0 = 33054211828000289, kC1 = 23344194077549503;

// Longer keys are rare, and reading them tells no more than the others do.
constexpr std::uint64_t kReferredBytesMax = 64 << 10;
// An interface in a struct in an interface, and so on.
constexpr std::size_t kLevelsMax = 8;

struct GoString {
  std::uint64_t data = 0, length = 0;
};

GoString load_string(std::span<const std::byte> value, std::size_t offset) {
  return {load<std::uint64_t>(value, offset), load<std::uint64_t>(value, offset + 8)};
}

std::uint64_t load_word(std::span<const std::byte> value, const HashStep &step) {
  return step.size_bytes == 8 ? load<std::uint64_t>(value, step.offset)
                              : load<std::uint32_t>(value, step.offset);
}

// f32hash and f64hash: zeroes of both signs are equal, and no NaN hashes twice alike.
std::optional<std::uint64_t> hash_float(std::span<const std::byte> value, const HashStep &step,
                                        std::uint64_t seed, const HashKeys &keys) {
  const double number = step.size_bytes == 8 ? load<double>(value, step.offset)
                                             : static_cast<double>(load<float>(value, step.offset));
  if (std::isnan(number))
    return std::nullopt;
  if (number == 0)
    return kC1 * (kC0 ^ seed);
  return hash_memory(value.subspan(step.offset, step.size_bytes), seed, keys);
}

} // namespace

// Goes through a key as deep as what was fetched allows. What a key refers to directly is of
// level 0, what that refers to of level 1; `fetched` holds all of level 0, then all of level 1.
class KeyHash::Evaluation {
public:
  Evaluation(const KeyHash &owner, Fetched fetched, std::vector<WantedRange> *wanted)
      : owner_(owner), fetched_(fetched), wanted_(wanted) {}

  enum class Outcome { complete, incomplete, impossible };

  Outcome run(std::span<const std::byte> key, std::uint64_t seed) {
    std::size_t level_start = 0; // in fetched_
    for (levels_ = 1; levels_ <= kLevelsMax; ++levels_) {
      starts_[levels_ - 1] = level_start;
      next_ = starts_;
      is_missing_ = is_deeper_ = is_impossible_ = false;
      hash_ = walk(owner_.steps_, key, seed, 0);
      if (is_impossible_)
        return Outcome::impossible;
      if (is_missing_)
        return Outcome::incomplete;
      if (!is_deeper_)
        return Outcome::complete;
      level_start = next_[levels_ - 1];
    }
    return Outcome::impossible;
  }

  std::uint64_t hash() const { return hash_; }

private:
  // The result means nothing where one of the flags is set; all else is walked still, to know
  // what is wanted.
  std::uint64_t walk(std::span<const HashStep> steps, std::span<const std::byte> value,
                     std::uint64_t hash, std::size_t level) {
    for (const HashStep &step : steps) {
      if (value.size() < step.offset || value.size() - step.offset < step.size_bytes)
        return impossible();
      switch (step.kind) {
      case HashStep::Kind::word:
        hash = hash_word(load_word(value, step), hash, owner_.keys_);
        break;
      case HashStep::Kind::memory:
        hash = hash_memory(value.subspan(step.offset, step.size_bytes), hash, owner_.keys_);
        break;
      case HashStep::Kind::float_:
        if (const auto result = hash_float(value, step, hash, owner_.keys_))
          hash = *result;
        else
          return impossible();
        break;
      case HashStep::Kind::string: {
        const GoString text = load_string(value, step.offset);
        if (const auto bytes = fetch(text.data, text.length, level))
          hash = hash_memory(*bytes, hash, owner_.keys_);
        break;
      }
      case HashStep::Kind::interface:
        hash = walk_interface(step, value.subspan(step.offset, step.size_bytes), hash, level);
        break;
      }
      if (is_impossible_)
        return 0;
    }
    return hash;
  }

  // interhash and nilinterhash.
  std::uint64_t walk_interface(const HashStep &step, std::span<const std::byte> value,
                               std::uint64_t hash, std::size_t level) {
    std::uint64_t type = load<std::uint64_t>(value, 0);
    if (type == 0)
      return hash;
    if (!step.is_empty_interface) { // the word is an itab, whose second word is the type
      const auto bytes = fetch(type + 8, 8, level++);
      if (!bytes)
        return 0;
      type = load<std::uint64_t>(*bytes, 0);
    }
    const TypeMemory &types = owner_.types_.memory();
    const auto header = types.header(type);
    if (!header || !header->is_comparable)
      return impossible();
    std::optional<std::span<const std::byte>> held;
    if (header->is_direct_in_interface)
      held = value.subspan(8);
    else
      held = fetch(load<std::uint64_t>(value, 8), header->size_bytes, level++);
    if (!held)
      return 0;
    const auto steps = runtime_hash(types, type);
    return steps ? kC1 * walk(*steps, *held, hash ^ kC0, level) : impossible();
  }

  std::optional<std::span<const std::byte>> fetch(std::uint64_t address, std::uint64_t size_bytes,
                                                  std::size_t level) {
    if (size_bytes > kReferredBytesMax) {
      impossible();
      return std::nullopt;
    }
    if (size_bytes == 0)
      return std::span<const std::byte>{};
    if (level >= levels_) {
      is_deeper_ = true;
      return std::nullopt;
    }
    const std::size_t index = next_[level]++;
    if (index >= fetched_.size()) {
      is_missing_ = true;
      if (wanted_ != nullptr)
        wanted_->push_back({address, static_cast<std::uint32_t>(size_bytes)});
      return std::nullopt;
    }
    if (fetched_[index].size() != size_bytes) { // could not be read
      impossible();
      return std::nullopt;
    }
    return fetched_[index];
  }

  std::uint64_t impossible() {
    is_impossible_ = true;
    return 0;
  }

  const KeyHash &owner_;
  Fetched fetched_;
  std::vector<WantedRange> *wanted_;
  std::size_t levels_ = 1; // that are looked at
  std::array<std::size_t, kLevelsMax> starts_{}, next_{};
  bool is_missing_ = false, is_deeper_ = false, is_impossible_ = false;
  std::uint64_t hash_ = 0;
};

KeyHash::KeyHash(GoTypes types, std::uint64_t key_bytes, std::vector<HashStep> steps,
                 const HashKeys &keys)
    : types_(std::move(types)), key_bytes_(key_bytes), steps_(std::move(steps)), keys_(keys) {
  for (const HashStep &step : steps_) {
    has_interfaces_ |= step.kind == HashStep::Kind::interface;
    needs_memory_ |= has_interfaces_ || step.kind == HashStep::Kind::string;
  }
}

std::optional<KeyHash> KeyHash::of(const GoTypes &types, ProcessAddress key_type,
                                   const HashKeys &keys, Maker maker) {
  // A process without these instructions hashes otherwise, and leaves its keys zero.
  const bool has_keys =
      std::ranges::any_of(keys, [](std::byte byte) { return byte != std::byte{}; });
  const auto header = types.memory().header(key_type.value);
  if (!header || !has_keys || !can_hash_with_aes())
    return std::nullopt;
  auto steps = maker == Maker::compiler ? compiled_hash(types.memory(), key_type.value)
                                        : runtime_hash(types.memory(), key_type.value);
  if (!steps || std::ranges::any_of(*steps, [&](const HashStep &step) {
        return std::uint64_t{step.offset} + step.size_bytes > header->size_bytes;
      }))
    return std::nullopt;
  return KeyHash{types, header->size_bytes, *std::move(steps), keys};
}

bool KeyHash::add_wanted(std::span<const std::byte> key, std::vector<WantedRange> &wanted,
                         Fetched fetched) const {
  if (key.size() < key_bytes_)
    return false;
  if (!needs_memory_) {
    // Only floats have values without a hash.
    return std::ranges::none_of(
               steps_, [](const HashStep &step) { return step.kind == HashStep::Kind::float_; }) ||
           hash(key, 0).has_value();
  }
  const std::size_t count = wanted.size();
  Evaluation evaluation{*this, fetched, &wanted};
  if (evaluation.run(key.first(key_bytes_), 0) != Evaluation::Outcome::impossible)
    return true;
  wanted.resize(count);
  return false;
}

// Keys of one step that needs no evaluation: most of all.
std::optional<std::uint64_t> KeyHash::simple_hash(std::span<const std::byte> key,
                                                  std::uint64_t seed, Fetched fetched) const {
  const HashStep &step = steps_.front();
  switch (step.kind) {
  case HashStep::Kind::word:
    return hash_word(load_word(key, step), seed, keys_);
  case HashStep::Kind::memory:
    return hash_memory(key.subspan(step.offset, step.size_bytes), seed, keys_);
  case HashStep::Kind::float_:
    return hash_float(key, step, seed, keys_);
  case HashStep::Kind::string: {
    const GoString text = load_string(key, step.offset);
    if (text.length == 0)
      return hash_memory({}, seed, keys_);
    if (fetched.empty() || fetched.front().size() != text.length)
      return std::nullopt;
    return hash_memory(fetched.front(), seed, keys_);
  }
  case HashStep::Kind::interface:
    break;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> KeyHash::hash(std::span<const std::byte> key, std::uint64_t seed,
                                           Fetched fetched) const {
  if (key.size() < key_bytes_)
    return std::nullopt;
  if (steps_.size() == 1 && !has_interfaces_)
    return simple_hash(key, seed, fetched);
  Evaluation evaluation{*this, fetched, nullptr};
  if (evaluation.run(key.first(key_bytes_), seed) != Evaluation::Outcome::complete)
    return std::nullopt;
  return evaluation.hash();
}

} // namespace mapscope
