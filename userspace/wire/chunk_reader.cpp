// Finds sound chunks, also behind damaged ones; see chunk_reader.h.
#include "wire/chunk_reader.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/byte_reader.h"
#include "base/format.h"

namespace mapscope {
namespace {

constexpr std::size_t kSearchWindowBytes = 64 << 10;

// The header at the front of `bytes`, if it is one and of a chunk that ends within the file, of
// which `left` bytes are left from there on.
std::optional<ChunkHeader> sound_header(std::span<const std::byte> bytes, std::uint64_t left) {
  const auto header = ByteReader{bytes}.read<ChunkHeader>();
  const bool is_sound =
      header && header->mark == kChunkMark && header->header_crc == header_crc_of(*header) &&
      header->plain_bytes <= kChunkPlainMax && header->item_bytes <= header->plain_bytes &&
      header->stored_bytes <= ZSTD_COMPRESSBOUND(kChunkPlainMax) &&
      header->stored_bytes <= left - sizeof(ChunkHeader);
  return is_sound ? std::optional{*header} : std::nullopt;
}

} // namespace

Result<ChunkReader> ChunkReader::open(ByteSource source, const FileKind &kind) {
  if (source.size_bytes() < sizeof(FileHeader))
    return fail(Errc::malformed, "not a {}: it has only {}", kind.name,
                format_counted(source.size_bytes(), "byte"));
  ByteReader bytes{TRY(source.read(0, sizeof(FileHeader)))};
  const auto header = TRY(bytes.read<FileHeader>());
  if (header.magic != kind.magic)
    return fail(Errc::malformed, "not a {}: it does not begin like one", kind.name);
  if (header.header_crc != header_crc_of(header))
    return fail(Errc::malformed, "the {} is damaged in its first bytes", kind.name);
  const std::uint32_t oldest =
      kind.oldest_format_version != 0 ? kind.oldest_format_version : kind.format_version;
  if (header.format_version < oldest || header.format_version > kind.format_version)
    return fail(Errc::unsupported,
                "the {} has format version {}, and this mapscope reads version {}: use the "
                "mapscope that made it",
                kind.name, header.format_version, kind.format_version);
  if (header.content_version != kind.content_version)
    return fail(Errc::unsupported,
                "the {} holds {} of layout {}, and this mapscope reads layout {}: use the "
                "mapscope that made it",
                kind.name, kind.contents, header.content_version, kind.content_version);
  return ChunkReader{std::move(source), kind};
}

ChunkReader::ChunkReader(ByteSource source, const FileKind &kind)
    : source_(std::move(source)), kind_(kind), decompressor_(ZSTD_createDCtx()) {
  if (!decompressor_)
    throw std::bad_alloc{};
}

Result<ChunkReader::Step> ChunkReader::next() {
  while (offset_ < source_.size_bytes()) {
    const auto header = TRY(header_at(offset_));
    if (!header) {
      unsound_from_ = unsound_from_.value_or(offset_);
      offset_ = TRY(next_header_after(offset_));
      continue;
    }
    const std::uint64_t begin = offset_;
    // A header that is sound is believed to say where the chunk ends, whatever that holds: so
    // no byte is checked twice.
    offset_ += sizeof(ChunkHeader) + header->stored_bytes;
    // One that comes again, or too late, was put there by somebody.
    if (header->number < expected_ || !TRY(unpack(*header))) {
      unsound_from_ = unsound_from_.value_or(begin);
      continue;
    }
    const auto plain = std::span<const std::byte>{plain_};
    Step step{.gap = gap_before(header->number),
              .number = header->number,
              .items = plain.first(header->item_bytes),
              .words = plain.subspan(header->item_bytes)};
    unsound_from_.reset();
    expected_ = header->number + 1;
    return step;
  }
  return Step{.gap = gap_at_end()};
}

Result<std::optional<ChunkHeader>> ChunkReader::header_at(std::uint64_t offset) {
  const std::uint64_t left = source_.size_bytes() - offset;
  if (left < sizeof(ChunkHeader))
    return std::nullopt;
  return sound_header(TRY(source_.read(offset, sizeof(ChunkHeader))), left);
}

// The end of the file where there is none.
Result<std::uint64_t> ChunkReader::next_header_after(std::uint64_t offset) {
  const auto mark = std::bit_cast<std::array<std::byte, sizeof(kChunkMark)>>(kChunkMark);
  const std::uint64_t end = source_.size_bytes();
  for (std::uint64_t from = source_.next_data(offset + 1); end - from >= sizeof(ChunkHeader);) {
    const auto length =
        static_cast<std::size_t>(std::min<std::uint64_t>(kSearchWindowBytes, end - from));
    const auto window = TRY(source_.read(from, length));
    const auto places = window.first(length - sizeof(ChunkHeader) + mark.size());
    for (auto rest = places;;) {
      const auto found = std::ranges::search(rest, mark);
      const auto at =
          static_cast<std::size_t>(found.begin() - rest.begin()) + places.size() - rest.size();
      if (found.empty())
        break;
      if (sound_header(window.subspan(at), end - from - at))
        return from + at;
      rest = places.subspan(at + 1);
    }
    // The next header may lie across the window's end.
    from = source_.next_data(from + length - sizeof(ChunkHeader) + 1);
  }
  return end;
}

// Into plain_. False: the chunk is not what its header says.
Result<bool> ChunkReader::unpack(const ChunkHeader &header) {
  const auto stored = TRY(source_.read(offset_ - header.stored_bytes, header.stored_bytes));
  if (crc_of(stored) != header.payload_crc ||
      ZSTD_getFrameContentSize(stored.data(), stored.size()) != header.plain_bytes)
    return false;
  plain_.resize(header.plain_bytes);
  return ZSTD_decompressDCtx(decompressor_.get(), plain_.data(), plain_.size(), stored.data(),
                             stored.size()) == header.plain_bytes;
}

std::string ChunkReader::gap_before(std::uint32_t number) const {
  if (number == expected_)
    return unsound_from_ ? fmt::format("the bytes from {} on, before chunk {} of the {}, are no "
                                       "part of it",
                                       format_count(*unsound_from_), number, kind_.name)
                         : "";
  const std::string_view state = unsound_from_ ? "damaged" : "missing";
  return number - expected_ == 1
             ? fmt::format("chunk {} of the {} is {}", expected_, kind_.name, state)
             : fmt::format("chunks {} to {} of the {} are {}", expected_, number - 1, kind_.name,
                           state);
}

std::string ChunkReader::gap_at_end() const {
  if (!unsound_from_)
    return {};
  return fmt::format("the {} breaks off in chunk {}, at byte {}", kind_.name, expected_,
                     format_count(*unsound_from_));
}

} // namespace mapscope
