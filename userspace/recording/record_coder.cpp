// Exclusive or, and without its zero bytes; see record_coder.h.
#include "recording/record_coder.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace mapscope {
namespace {

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr unsigned kKindBits = 4;
static_assert(EVENT_KIND_COUNT <= 1 << kKindBits);

constexpr std::uint8_t kSeenControl = 0x0f;
// The place of a seen word, so a word is looked up only where that is shorter.
constexpr unsigned kSeenBytes = 2;

// By multiplication with 2^64 divided by the golden ratio (Knuth 6.4), of which the upper bits
// depend on all bits of the word.
std::size_t seen_index_of(std::uint64_t word) {
  constexpr int kIndexBits = std::countr_zero(std::tuple_size_v<decltype(RecordTables::seen)>);
  return static_cast<std::size_t>((word * 0x9e3779b97f4a7c15U) >> (64 - kIndexBits));
}

std::size_t words_of(std::span<const std::byte> record) {
  return (record.size() + kWordBytes - 1) / kWordBytes;
}

std::uint16_t kind_of(std::span<const std::byte> record) {
  std::uint16_t kind = 0;
  std::memcpy(&kind, record.data() + offsetof(event_header, kind), sizeof(kind));
  return kind;
}

// How many bytes of the words belong to a control byte other than 0.
unsigned size_after(std::uint8_t control) {
  return control == kSeenControl ? kSeenBytes : control & 0x0f;
}

// Of all. Errors: something that is no control byte.
Result<std::size_t> stored_bytes_of(std::span<const std::byte> controls) {
  std::size_t sum = 0;
  for (const std::byte byte : controls) {
    const auto control = static_cast<std::uint8_t>(byte);
    const unsigned size_bytes = size_after(control);
    if (control != 0 && (size_bytes == 0 || (control >> 4) + size_bytes > kWordBytes)) [[unlikely]]
      return fail(Errc::malformed, "{:#x} is no control byte", control);
    sum += size_bytes;
  }
  return sum;
}

} // namespace

bool RecordEncoder::can_encode(std::span<const std::byte> record) {
  return record.size() >= sizeof(event_header) && record.size() <= kCodedRecordBytesMax &&
         kind_of(record) < EVENT_KIND_COUNT;
}

std::size_t RecordEncoder::control_bytes(std::span<const std::byte> record) {
  return 1 + words_of(record);
}

std::size_t RecordEncoder::word_bytes_max(std::span<const std::byte> record) {
  return words_of(record) * kWordBytes;
}

void RecordEncoder::encode(std::span<const std::byte> record, Bytes &controls, Bytes &words) {
  const std::size_t word_count = words_of(record);
  const std::size_t lacking = word_count * kWordBytes - record.size();
  const std::uint16_t kind = kind_of(record);
  auto &last_words = tables_->last[kind];

  // Room for the most that there can be: whole words are stored, and of each what counts is kept.
  const std::size_t words_before = words.size();
  controls.resize(controls.size() + 1 + word_count);
  words.resize(words_before + word_count * kWordBytes);
  auto *control = controls.data() + controls.size() - 1 - word_count;
  auto *stored = words.data() + words_before;

  *control++ = static_cast<std::byte>(kind | lacking << kKindBits);
  for (std::size_t i = 0; i < word_count; ++i, ++control) {
    std::uint64_t word = 0;
    if (i + 1 < word_count || lacking == 0) [[likely]]
      std::memcpy(&word, record.data() + i * kWordBytes, kWordBytes);
    else
      std::memcpy(&word, record.data() + i * kWordBytes, kWordBytes - lacking);

    const std::uint64_t changed = word ^ last_words[i];
    *control = std::byte{0};
    if (changed == 0)
      continue;
    last_words[i] = word;
    const auto low_zeros = static_cast<unsigned>(std::countr_zero(changed)) / 8;
    std::uint64_t kept = changed >> 8 * low_zeros;
    auto size_bytes = static_cast<unsigned>(std::bit_width(kept) + 7) / 8;
    *control = static_cast<std::byte>(low_zeros << 4 | size_bytes);
    if (size_bytes > kSeenBytes) {
      const std::size_t index = seen_index_of(word);
      if (tables_->seen[index] == word) {
        *control = std::byte{kSeenControl};
        kept = index;
        size_bytes = kSeenBytes;
      } else {
        tables_->seen[index] = word;
      }
    }
    std::memcpy(stored, &kept, kWordBytes); // never past word i, since none was longer
    stored += size_bytes;
  }
  words.resize(static_cast<std::size_t>(stored - words.data()));
}

void RecordDecoder::reset(std::span<const std::byte> words) {
  *tables_ = {};
  words_ = ByteReader{words};
}

Result<std::span<const std::byte>> RecordDecoder::decode(ByteReader controls) {
  const auto head = TRY(controls.read<std::uint8_t>());
  const unsigned kind = head & ((1U << kKindBits) - 1);
  const std::size_t lacking = head >> kKindBits;
  const std::size_t word_count = controls.size();
  if (kind >= EVENT_KIND_COUNT || lacking >= kWordBytes ||
      word_count < sizeof(event_header) / kWordBytes ||
      word_count > kCodedRecordBytesMax / kWordBytes)
    return fail(Errc::malformed, "no record can begin with {:#x} and have {} words", head,
                word_count);
  // Checked once for all words; whole words are then loaded, also where only a part of them counts.
  const std::size_t stored_bytes = TRY(stored_bytes_of(controls.bytes()));
  const auto stored = TRY(words_.window(0, stored_bytes)).bytes();
  words_ = TRY(words_.from(stored_bytes));
  std::array<std::byte, kCodedRecordBytesMax + kWordBytes> padded;
  std::ranges::copy(stored, padded.begin());

  auto &words = tables_->last[kind];
  const std::byte *next = padded.data();
  for (std::size_t i = 0; i < word_count; ++i) {
    const auto control = static_cast<std::uint8_t>(controls.bytes()[i]);
    if (control == 0)
      continue;
    std::uint64_t loaded = 0;
    std::memcpy(&loaded, next, kWordBytes);
    const unsigned size_bytes = size_after(control);
    next += size_bytes;
    loaded &= ~std::uint64_t{0} >> 8 * (kWordBytes - size_bytes);
    if (control == kSeenControl) {
      words[i] = tables_->seen[loaded % tables_->seen.size()];
      continue;
    }
    words[i] ^= loaded << 8 * (control >> 4);
    if (size_bytes > kSeenBytes)
      tables_->seen[seen_index_of(words[i])] = words[i];
  }
  return std::as_bytes(std::span{words}).first(word_count * kWordBytes - lacking);
}

} // namespace mapscope
