// Writes a thing of a BTF type as C initialises it. libbpf has a dumper for that, which takes each
// array of bytes for a string and leaves out what follows its first zero: two keys would look
// alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

struct btf;
struct btf_type;

namespace mapscope {

class MapDataWriter {
public:
  // Ends some way behind `characters_max`, however much there is to say.
  MapDataWriter(const btf *types, std::size_t characters_max)
      : types_(types), characters_max_(characters_max) {}

  void write(std::uint32_t type, std::span<const std::byte> bytes) { write(type, bytes, 0); }
  // Bytes that were too few, types that this build does not know: the text is not the whole truth.
  bool is_faulty() const { return is_faulty_; }
  const std::string &text() const { return text_; }

private:
  void write(std::uint32_t type, std::span<const std::byte> bytes, int depth);
  void write_int(const btf_type &type, std::span<const std::byte> bytes);
  void write_number(std::uint64_t bits, std::size_t bit_count, std::uint32_t encoding);
  void write_bits(std::uint32_t type, std::uint64_t bits, std::size_t bit_count);
  void write_enum(const btf_type &type, std::uint64_t bits, bool is_long);
  void write_array(const btf_type &type, std::span<const std::byte> bytes, int depth);
  void write_members(const btf_type &type, std::span<const std::byte> bytes, int depth);
  void write_variables(const btf_type &type, std::span<const std::byte> bytes, int depth);
  void name_member(std::uint32_t name_offset, bool is_first);
  bool is_full() const { return text_.size() >= characters_max_; }

  const btf *types_;
  std::size_t characters_max_;
  std::string text_;
  bool is_faulty_ = false;
};

} // namespace mapscope
