// A function for each kind of type; see map_data_writer.h.
#include "kernel/bpf_maps/map_data_writer.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include <bpf/btf.h>
#include <fmt/format.h>

namespace mapscope {
namespace {

constexpr int kDepthMax = 16;

std::uint64_t bits_of(std::span<const std::byte> bytes) {
  std::uint64_t bits = 0; // both machines that this runs on have the low byte first
  std::memcpy(&bits, bytes.data(), std::min(bytes.size(), sizeof(bits)));
  return bits;
}

// Letters, then only zeros: what C calls a string, and nothing is lost if it is written so.
bool is_string(std::span<const std::byte> bytes) {
  const auto is_letter = [](std::byte byte) {
    return byte >= std::byte{0x20} && byte < std::byte{0x7f} && byte != std::byte{'"'} &&
           byte != std::byte{'\\'};
  };
  const auto end = std::ranges::find_if_not(bytes, is_letter);
  return std::all_of(end, bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

} // namespace

void MapDataWriter::write(std::uint32_t type_id, std::span<const std::byte> bytes, int depth) {
  const int resolved = btf__resolve_type(types_, type_id);
  const btf_type *type =
      resolved < 0 ? nullptr : btf__type_by_id(types_, static_cast<std::uint32_t>(resolved));
  if (type == nullptr || depth > kDepthMax) {
    is_faulty_ = true;
    return;
  }
  const std::int64_t size = btf__resolve_size(types_, static_cast<std::uint32_t>(resolved));
  if (size < 0 || static_cast<std::uint64_t>(size) > bytes.size()) {
    is_faulty_ = true;
    return;
  }
  bytes = bytes.first(static_cast<std::size_t>(size));
  switch (btf_kind(type)) {
  case BTF_KIND_INT:
    return write_int(*type, bytes);
  case BTF_KIND_PTR:
    text_ += fmt::format("{:#x}", bits_of(bytes));
    return;
  case BTF_KIND_ENUM:
  case BTF_KIND_ENUM64:
    return write_enum(*type, bits_of(bytes), btf_is_enum64(type));
  case BTF_KIND_ARRAY:
    return write_array(*type, bytes, depth);
  case BTF_KIND_STRUCT:
  case BTF_KIND_UNION:
    return write_members(*type, bytes, depth);
  case BTF_KIND_DATASEC:
    return write_variables(*type, bytes, depth);
  default: // floats, which BPF programs can't use, and kinds of later kernels
    is_faulty_ = true;
  }
}

void MapDataWriter::write_int(const btf_type &type, std::span<const std::byte> bytes) {
  if (bytes.size() > sizeof(std::uint64_t)) {
    for (text_ += "0x"; !bytes.empty(); bytes = bytes.first(bytes.size() - 1))
      text_ += fmt::format("{:02x}", std::to_integer<unsigned>(bytes.back()));
    return;
  }
  write_number(bits_of(bytes), bytes.size() * 8, btf_int_encoding(&type));
}

void MapDataWriter::write_number(std::uint64_t bits, std::size_t bit_count,
                                 std::uint32_t encoding) {
  if ((encoding & BTF_INT_BOOL) != 0 && bits <= 1) {
    text_ += bits == 1 ? "true" : "false";
  } else if ((encoding & BTF_INT_SIGNED) != 0 && bit_count > 0 && bit_count <= 64) {
    const std::size_t spare = 64 - bit_count; // the sign goes up to the top and comes back
    text_ += fmt::format("{}", static_cast<std::int64_t>(bits << spare) >> spare);
  } else {
    text_ += fmt::format("{}", bits);
  }
}

void MapDataWriter::write_enum(const btf_type &type, std::uint64_t bits, bool is_long) {
  for (std::uint16_t i = 0; i < btf_vlen(&type); ++i) {
    std::uint32_t name_offset = 0;
    std::uint64_t value = 0;
    if (is_long) {
      const auto *entry = btf_enum64(&type) + i;
      name_offset = entry->name_off;
      value = btf_enum64_value(entry);
    } else {
      const auto *entry = btf_enum(&type) + i;
      name_offset = entry->name_off;
      value = static_cast<std::uint32_t>(entry->val);
    }
    if (value != bits)
      continue;
    const char *name = btf__name_by_offset(types_, name_offset);
    text_ += name == nullptr ? "?" : name;
    return;
  }
  text_ += fmt::format("{}", bits);
}

void MapDataWriter::write_array(const btf_type &type, std::span<const std::byte> bytes, int depth) {
  const auto *array = btf_array(&type);
  const std::int64_t size = btf__resolve_size(types_, array->type);
  if (size < 0 || static_cast<std::uint64_t>(size) * array->nelems > bytes.size()) {
    is_faulty_ = true;
    return;
  }
  const int element = btf__resolve_type(types_, array->type);
  const btf_type *of =
      element < 0 ? nullptr : btf__type_by_id(types_, static_cast<std::uint32_t>(element));
  if (size == 1 && of != nullptr && btf_is_int(of)) {
    const char *name = btf__name_by_offset(types_, of->name_off);
    if (name != nullptr && std::string_view{name} == "char" && is_string(bytes)) {
      const auto *letters = reinterpret_cast<const char *>(bytes.data());
      text_ += fmt::format("\"{}\"", std::string_view{letters, ::strnlen(letters, bytes.size())});
      return;
    }
    text_ += '[';
    for (std::size_t i = 0; i < bytes.size() && !is_full(); ++i)
      text_ += fmt::format("{}{:02x}", i == 0 ? "" : " ", std::to_integer<unsigned>(bytes[i]));
    text_ += ']';
    return;
  }
  text_ += '[';
  for (std::uint32_t i = 0; i < array->nelems && !is_full(); ++i) {
    text_ += i == 0 ? "" : ", ";
    write(array->type, bytes.subspan(i * static_cast<std::size_t>(size)), depth + 1);
  }
  text_ += ']';
}

void MapDataWriter::name_member(std::uint32_t name_offset, bool is_first) {
  text_ += is_first ? "" : ", ";
  const char *name = btf__name_by_offset(types_, name_offset);
  if (name != nullptr && *name != '\0') // else a struct without a name within this one
    text_ += fmt::format(".{} = ", name);
}

void MapDataWriter::write_bits(std::uint32_t type_id, std::uint64_t bits, std::size_t bit_count) {
  const int resolved = btf__resolve_type(types_, type_id);
  const btf_type *type =
      resolved < 0 ? nullptr : btf__type_by_id(types_, static_cast<std::uint32_t>(resolved));
  if (type != nullptr && btf_is_int(type))
    write_number(bits, bit_count, btf_int_encoding(type));
  else if (type != nullptr && btf_is_any_enum(type))
    write_enum(*type, bits, btf_is_enum64(type));
  else
    is_faulty_ = true;
}

void MapDataWriter::write_members(const btf_type &type, std::span<const std::byte> bytes,
                                  int depth) {
  text_ += '{';
  for (std::uint16_t i = 0; i < btf_vlen(&type) && !is_full(); ++i) {
    const auto &member = btf_members(&type)[i];
    const std::uint32_t bit = btf_member_bit_offset(&type, i);
    const std::uint32_t bit_count = btf_member_bitfield_size(&type, i);
    if (bit / 8 > bytes.size() || bit_count > 64) {
      is_faulty_ = true;
      break;
    }
    const auto at = bytes.subspan(bit / 8);
    name_member(member.name_off, i == 0);
    if (bit_count == 0) {
      write(member.type, at, depth + 1);
      continue;
    }
    std::uint64_t bits = bits_of(at) >> (bit % 8);
    // The ninth byte of a field that begins within a byte.
    if (bit % 8 != 0 && bit % 8 + bit_count > 64 && at.size() > 8)
      bits |= std::to_integer<std::uint64_t>(at[8]) << (64 - bit % 8);
    if (bit_count < 64)
      bits &= (std::uint64_t{1} << bit_count) - 1;
    write_bits(member.type, bits, bit_count);
  }
  text_ += '}';
}

// The global variables of a program, which are one value of a map.
void MapDataWriter::write_variables(const btf_type &type, std::span<const std::byte> bytes,
                                    int depth) {
  text_ += '{';
  for (std::uint16_t i = 0; i < btf_vlen(&type) && !is_full(); ++i) {
    const btf_var_secinfo &place = btf_var_secinfos(&type)[i];
    const btf_type *variable = btf__type_by_id(types_, place.type);
    if (variable == nullptr || !btf_is_var(variable) || place.offset > bytes.size()) {
      is_faulty_ = true;
      break;
    }
    name_member(variable->name_off, i == 0);
    write(variable->type, bytes.subspan(place.offset), depth + 1);
  }
  text_ += '}';
}

} // namespace mapscope
