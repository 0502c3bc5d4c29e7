// Arguments by a word for each call. The numbers are those of <sys/mman.h> and <sys/prctl.h> on
// both architectures; names that older headers lack are given by number, with the kernel's source.
#include "report/call_text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/printable.h"
#include "flow/memory_calls.h"
#include "report/append.h"

namespace mapscope {

namespace {

struct Name {
  std::uint64_t value;
  std::string_view name;
};

constexpr auto kProtections = std::to_array<Name>(
    {{PROT_READ, "PROT_READ"}, {PROT_WRITE, "PROT_WRITE"}, {PROT_EXEC, "PROT_EXEC"}});

constexpr auto kMapFlags = std::to_array<Name>({{MAP_PRIVATE, "MAP_PRIVATE"},
                                                {MAP_SHARED, "MAP_SHARED"},
                                                {MAP_ANONYMOUS, "MAP_ANONYMOUS"},
                                                {MAP_FIXED, "MAP_FIXED"},
                                                {MAP_NORESERVE, "MAP_NORESERVE"},
                                                {MAP_POPULATE, "MAP_POPULATE"},
                                                {MAP_STACK, "MAP_STACK"},
                                                {MAP_HUGETLB, "MAP_HUGETLB"},
                                                {MAP_LOCKED, "MAP_LOCKED"},
                                                {MAP_FIXED_NOREPLACE, "MAP_FIXED_NOREPLACE"}});

constexpr auto kRemapFlags = std::to_array<Name>(
    {{MREMAP_MAYMOVE, "MREMAP_MAYMOVE"}, {MREMAP_FIXED, "MREMAP_FIXED"}, {4, "MREMAP_DONTUNMAP"}});

// include/uapi/asm-generic/mman-common.h of Linux 6.1
constexpr auto kAdvice = std::to_array<Name>(
    {{0, "MADV_NORMAL"},           {1, "MADV_RANDOM"},         {2, "MADV_SEQUENTIAL"},
     {3, "MADV_WILLNEED"},         {4, "MADV_DONTNEED"},       {8, "MADV_FREE"},
     {9, "MADV_REMOVE"},           {10, "MADV_DONTFORK"},      {11, "MADV_DOFORK"},
     {12, "MADV_MERGEABLE"},       {13, "MADV_UNMERGEABLE"},   {14, "MADV_HUGEPAGE"},
     {15, "MADV_NOHUGEPAGE"},      {16, "MADV_DONTDUMP"},      {17, "MADV_DODUMP"},
     {18, "MADV_WIPEONFORK"},      {19, "MADV_KEEPONFORK"},    {20, "MADV_COLD"},
     {21, "MADV_PAGEOUT"},         {22, "MADV_POPULATE_READ"}, {23, "MADV_POPULATE_WRITE"},
     {24, "MADV_DONTNEED_LOCKED"}, {25, "MADV_COLLAPSE"}});

// One letter an argument: address, size, protection, map flags, remap flags, advice, number.
struct Signature {
  std::string_view name;
  std::string_view arguments;
};

constexpr auto kSignatures = std::to_array<Signature>({{"mmap", "aspm"},
                                                       {"munmap", "as"},
                                                       {"madvise", "asv"},
                                                       {"brk", "a"},
                                                       {"mremap", "assr"},
                                                       {"mprotect", "asp"},
                                                       {"pkey_mprotect", "aspn"},
                                                       {"msync", "asn"},
                                                       {"mincore", "asa"},
                                                       {"mlock", "as"},
                                                       {"mlock2", "asn"},
                                                       {"munlock", "as"},
                                                       {"mlockall", "n"},
                                                       {"munlockall", ""}});

// prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, size, name): Linux 5.17, include/uapi/linux/
// prctl.h. Go 1.25 on names its mappings so.
constexpr std::uint64_t kSetVma = 0x53564d41;

void append_flags(std::uint64_t value, std::span<const Name> names, std::string_view none,
                  std::string &out) {
  if (value == 0) {
    out += none;
    return;
  }
  std::string_view separator;
  for (const Name &name : names)
    if ((value & name.value) == name.value) {
      out += separator;
      out += name.name;
      separator = "|";
      value &= ~name.value;
    }
  if (value != 0) {
    out += separator;
    append_hex(value, out);
  }
}

void append_advice(std::uint64_t value, std::string &out) {
  const auto *found = std::ranges::find(kAdvice, value, &Name::value);
  if (found != kAdvice.end())
    out += found->name;
  else
    append_number(value, out);
}

// In the largest unit that leaves a whole number, since an argument is not rounded: "4 MiB".
void append_size(std::uint64_t bytes, std::string &out) {
  constexpr auto units = std::to_array<Name>(
      {{std::uint64_t{1} << 30, " GiB"}, {std::uint64_t{1} << 20, " MiB"}, {1 << 10, " KiB"}});
  for (const Name &unit : units)
    if (bytes != 0 && bytes % unit.value == 0) {
      append_number(bytes / unit.value, out);
      out += unit.name;
      return;
    }
  append_number(bytes, out);
}

void append_address(std::uint64_t value, std::string &out) {
  if (value == 0)
    out += "NULL";
  else
    append_hex(value, out);
}

void append_argument(char kind, std::uint64_t value, std::string &out) {
  switch (kind) {
  case 'a':
    return append_address(value, out);
  case 's':
    return append_size(value, out);
  case 'p':
    return append_flags(value, kProtections, "PROT_NONE", out);
  case 'm':
    return append_flags(value, kMapFlags, "0", out);
  case 'r':
    return append_flags(value, kRemapFlags, "0", out);
  case 'v':
    return append_advice(value, out);
  default:
    return append_hex(value, out);
  }
}

void append_arguments(std::string_view kinds, std::span<const std::uint64_t> values,
                      std::string &out) {
  std::string_view separator;
  for (std::size_t at = 0; at < kinds.size(); ++at) {
    out += separator;
    append_argument(kinds[at], values[at], out);
    separator = ", ";
  }
}

void append_set_vma(std::span<const std::uint64_t> values, std::string &out) {
  out += "PR_SET_VMA, ";
  if (values[1] == 0)
    out += "PR_SET_VMA_ANON_NAME";
  else
    append_hex(values[1], out);
  out += ", ";
  append_arguments("asa", values.subspan(2), out);
}

// What stands between the parentheses; descriptor and offset only where a file is behind a mapping.
void append_memory_arguments(const AttributedCall &call, const Signature &signature,
                             std::string &out) {
  append_arguments(signature.arguments, call.arguments, out);
  if (call.name == "mmap" && (call.arguments[3] & MAP_ANONYMOUS) == 0) {
    fmt::format_to(std::back_inserter(out), ", {}", static_cast<int>(call.arguments[4]));
    if (call.path)
      out += " = " + path_text(*call.path);
    out += ", ";
    append_hex(call.arguments[5], out);
  }
  if (call.name == "mremap" && (call.arguments[3] & MREMAP_FIXED) != 0) {
    out += ", ";
    append_address(call.arguments[4], out);
  }
}

} // namespace

std::string path_text(std::string_view path) {
  constexpr std::size_t length_max = 80;
  if (path.size() <= length_max)
    return printable(path);
  path.remove_prefix(path.size() - length_max);
  while (!path.empty() && (static_cast<unsigned char>(path.front()) & 0xc0) == 0x80)
    path.remove_prefix(1); // the rest of a character that was cut
  return "..." + printable(path);
}

void append_call(const AttributedCall &call, std::string &out) {
  out += call.name;
  if (call.is_io_uring && !call.path)
    return; // its arguments lie in the ring
  out += '(';
  const auto *signature = std::ranges::find(kSignatures, call.name, &Signature::name);
  if (signature != kSignatures.end())
    append_memory_arguments(call, *signature, out);
  else if (call.name == "prctl" && call.arguments[0] == kSetVma)
    append_set_vma(call.arguments, out);
  else if (call.path && call.path_is_argument)
    fmt::format_to(std::back_inserter(out), "\"{}\"", path_text(*call.path));
  else if (call.path)
    fmt::format_to(std::back_inserter(out), "{} = {}", call.arguments[0], path_text(*call.path));
  else
    fmt::format_to(std::back_inserter(out), "{:#x}, {:#x}, {:#x}, ...", call.arguments[0],
                   call.arguments[1], call.arguments[2]);
  out += ')';
}

void append_result(const AttributedCall &call, std::string &out) {
  out += " = ";
  if (!call.result) {
    out += '?';
  } else if (int error = error_number(*call.result); error != 0) {
    const char *name = ::strerrorname_np(error);
    if (name != nullptr)
      out += name;
    else
      fmt::format_to(std::back_inserter(out), "error {}", error);
  } else if (call.name == "mmap" || call.name == "brk" || call.name == "mremap") {
    append_hex(static_cast<std::uint64_t>(*call.result), out);
  } else {
    fmt::format_to(std::back_inserter(out), "{}", *call.result);
  }
}

} // namespace mapscope
