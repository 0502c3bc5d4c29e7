// Decoding of pclntab in its three formats.
#include "binary/pclntab.h"

#include <algorithm>
#include <array>
#include <utility>

namespace mapscope {
namespace {

// Kubernetes, the largest program looked at, has some 120,000 functions.
constexpr std::uint64_t kFunctionsMax = 4'000'000;
// Names of generic instances repeat their type arguments and get long.
constexpr std::size_t kNameLengthMax = 64 << 10;
constexpr int kInlineDepthMax = 256;
constexpr std::size_t kCandidatesMax = 64;
constexpr std::size_t kHeaderAlignment = 8;

constexpr std::uint32_t kInlineIndexTable = 2; // internal/abi: PCDATA_InlTreeIndex
constexpr std::uint32_t kInlineTreeData = 3;   // internal/abi: FUNCDATA_InlTree
constexpr std::uint32_t kNoFunctionData = ~0U;
constexpr std::uint32_t kNoFile = ~0U;

// What a header begins with, in all formats.
struct HeaderStart {
  std::uint32_t magic;
  std::uint16_t zero;
  std::uint8_t quantum;
  std::uint8_t pointer_size;
};
static_assert(sizeof(HeaderStart) == 8);
constexpr std::uint64_t kFunctionCount = 8; // what follows it

bool is_plausible(const HeaderStart &start) {
  return start.zero == 0 && (start.quantum == 1 || start.quantum == 4) && start.pointer_size == 8;
}

} // namespace

struct Pclntab::Format {
  std::uint32_t magic;
  std::uint32_t tables;       // in the header: the five offsets of the other tables
  std::uint32_t entry_bytes;  // of the function table: entry, offset of the record
  bool has_absolute_pointers; // entries and funcdata are pointers instead of offsets
  // In a function's record.
  std::uint32_t name, file_table, line_table, value_table_count, unit, data_count, end;
  // In an inlined call.
  std::uint32_t call_bytes, call_name, call_parent;
};

// Go source: runtime/runtime2.go type _func, runtime/symtabinl.go type inlinedCall.
const Pclntab::Format *Pclntab::format_of(std::uint32_t magic) {
  static constexpr std::array<Format, 3> kFormats{{
      {.magic = 0xfffffffa, // Go 1.16, 1.17
       .tables = 24,
       .entry_bytes = 16,
       .has_absolute_pointers = true,
       .name = 8,
       .file_table = 24,
       .line_table = 28,
       .value_table_count = 32,
       .unit = 36,
       .data_count = 43,
       .end = 44,
       .call_bytes = 20,
       .call_name = 12,
       .call_parent = 16},
      {.magic = 0xfffffff0, // Go 1.18, 1.19
       .tables = 32,
       .entry_bytes = 8,
       .has_absolute_pointers = false,
       .name = 4,
       .file_table = 20,
       .line_table = 24,
       .value_table_count = 28,
       .unit = 32,
       .data_count = 39,
       .end = 40,
       .call_bytes = 20,
       .call_name = 12,
       .call_parent = 16},
      {.magic = 0xfffffff1, // Go 1.20 on
       .tables = 32,
       .entry_bytes = 8,
       .has_absolute_pointers = false,
       .name = 4,
       .file_table = 20,
       .line_table = 24,
       .value_table_count = 28,
       .unit = 32,
       .data_count = 43,
       .end = 44,
       .call_bytes = 16,
       .call_name = 4,
       .call_parent = 8},
  }};
  auto found = std::ranges::find(kFormats, magic, &Format::magic);
  return found == kFormats.end() ? nullptr : &*found;
}

std::vector<PclntabCandidate> find_pclntab(const ElfFile &elf) {
  for (std::string_view name : {".gopclntab", ".data.rel.ro.gopclntab"})
    if (const ElfSection *section = elf.find_section(name))
      return {{section->range.start, section->bytes}};
  if (auto symbol = elf.find_symbol("runtime.pclntab"))
    if (auto bytes = elf.raw_from(symbol->address))
      return {{symbol->address, *bytes}};

  std::vector<PclntabCandidate> candidates;
  for (const ElfSegment &segment : elf.segments()) {
    ByteReader bytes{segment.bytes};
    for (std::size_t at = 0; at < bytes.size(); at += kHeaderAlignment) {
      auto start = bytes.read_at<HeaderStart>(at);
      if (!start)
        break;
      if (Pclntab::is_known_magic(start->magic) && is_plausible(*start) &&
          candidates.size() < kCandidatesMax)
        candidates.push_back({{segment.range.start.value + at}, segment.bytes.subspan(at)});
    }
  }
  return candidates;
}

Result<Pclntab> Pclntab::parse(const ElfFile &elf, const PclntabCandidate &where,
                               const ModuleData &module) {
  ByteReader header{where.bytes};
  const auto start = TRY(header.read_at<HeaderStart>(0));
  const Format *format = format_of(start.magic);
  if (format == nullptr || !is_plausible(start))
    return fail(Errc::unsupported,
                "its header at {:#x} begins with {:#x}, which no Go version from 1.17 on writes",
                where.address.value, start.magic);

  Pclntab table{elf, *format};
  table.quantum_ = start.quantum;
  table.function_data_ = module.function_data;
  TRY_WHILE(table.read_header(where), "header");
  const auto count = TRY(header.read_at<std::uint64_t>(kFunctionCount));
  TRY_WHILE(table.read_functions(count, module.text.start), "functions");
  if (table.functions_.front().range.start != module.functions.start ||
      table.functions_.back().range.end() != module.functions.end())
    return fail(Errc::unsupported, "its functions are not where the runtime says: code in several "
                                   "text sections is not supported");
  return table;
}

Result<> Pclntab::read_header(const PclntabCandidate &where) {
  ByteReader header{where.bytes};
  auto table = [&](std::uint32_t number) -> Result<ByteReader> {
    return header.from(TRY(header.read_at<std::uint64_t>(format_->tables + number * 8)));
  };
  names_ = TRY_WHILE(table(0), "function names");
  unit_files_ = TRY_WHILE(table(1), "files of units");
  files_ = TRY_WHILE(table(2), "file names");
  values_ = TRY_WHILE(table(3), "pc values");
  function_table_ = TRY_WHILE(table(4), "function table");
  records_address_ = {where.address.value + (where.bytes.size() - function_table_.size())};
  return {};
}

Result<> Pclntab::read_functions(std::uint64_t count, ElfAddress text) {
  if (count == 0 || count > kFunctionsMax)
    return fail(Errc::malformed, "{} of them", count);
  // One entry more than functions: the end of the last one.
  const std::uint64_t size_bytes = (count + 1) * format_->entry_bytes;
  ByteReader table = TRY(function_table_.window(0, size_bytes));
  std::vector<std::byte> relocated;
  if (format_->has_absolute_pointers) {
    relocated = TRY(elf_->read_data({records_address_, size_bytes}));
    table = ByteReader{relocated};
  }
  auto address_of = [&](std::uint64_t index) -> Result<ElfAddress> {
    if (format_->has_absolute_pointers)
      return ElfAddress{TRY(table.read_at<std::uint64_t>(index * format_->entry_bytes))};
    return ElfAddress{text.value + TRY(table.read_at<std::uint32_t>(index * format_->entry_bytes))};
  };
  functions_.reserve(count);
  ElfAddress start = TRY(address_of(0));
  for (std::uint32_t i = 0; i < count; ++i) {
    const ElfAddress end = TRY(address_of(i + 1));
    if (end < start)
      return fail(Errc::malformed, "number {} begins at {:#x}, behind its end", i, start.value);
    FunctionView function{{}, {start, end.value - start.value}, i};
    const Record details = TRY(record(function));
    const auto name = TRY(details.bytes.read_at<std::uint32_t>(format_->name));
    function.name = TRY_WHILE(name_at(name), "name of number {}", i);
    functions_.push_back(function);
    start = end;
  }
  return {};
}

Result<Pclntab::Record> Pclntab::record(const FunctionView &function) const {
  const std::uint64_t entry = std::uint64_t{function.index} * format_->entry_bytes;
  const std::uint64_t offset =
      format_->has_absolute_pointers
          ? TRY(function_table_.read_at<std::uint64_t>(entry + sizeof(std::uint64_t)))
          : TRY(function_table_.read_at<std::uint32_t>(entry + sizeof(std::uint32_t)));
  return Record{TRY(function_table_.from(offset)), {records_address_.value + offset}};
}

Result<std::string_view> Pclntab::name_at(std::uint32_t offset) const {
  return names_.string_at(offset, kNameLengthMax);
}

Result<std::string_view> Pclntab::file_name(const Record &record, std::int32_t number) const {
  if (number < 0)
    return std::string_view{};
  const auto unit = TRY(record.bytes.read_at<std::uint32_t>(format_->unit));
  const auto slot = (std::uint64_t{unit} + static_cast<std::uint32_t>(number)) * 4;
  const auto offset = TRY(unit_files_.read_at<std::uint32_t>(slot));
  if (offset == kNoFile)
    return std::string_view{};
  return files_.string_at(offset);
}

const FunctionView *Pclntab::function_at(ElfAddress address) const {
  auto behind = std::ranges::upper_bound(functions_, address, {},
                                         [](const auto &function) { return function.range.start; });
  if (behind == functions_.begin() || !std::prev(behind)->range.contains(address))
    return nullptr;
  return &*std::prev(behind);
}

// Pairs of a zigzag value delta and a distance in quanta; a zero delta ends the table, but for
// the first. Go source: runtime/symtab.go step().
template <typename Visit>
Result<> Pclntab::for_each_value(std::uint32_t table, std::uint64_t size_bytes, Visit visit) const {
  if (table == 0) // no such table
    return {};
  ByteReader rest = TRY(values_.from(table));
  std::uint32_t value = ~0U;
  std::uint64_t start = 0;
  for (bool is_first = true; start < size_bytes; is_first = false) {
    const auto zigzag = static_cast<std::uint32_t>(TRY(rest.read_uvarint()));
    if (zigzag == 0 && !is_first)
      break;
    value += (zigzag & 1) != 0 ? ~(zigzag >> 1) : zigzag >> 1;
    const auto end = start + static_cast<std::uint32_t>(TRY(rest.read_uvarint())) * quantum_;
    if (!visit(start, end, static_cast<std::int32_t>(value)))
      break;
    start = end;
  }
  return {};
}

Result<std::int32_t> Pclntab::value_at(std::uint32_t table, std::uint64_t distance) const {
  std::int32_t result = -1;
  TRY(for_each_value(table, distance + 1,
                     [&](std::uint64_t, std::uint64_t end, std::int32_t value) {
                       if (distance < end)
                         result = value;
                       return distance >= end;
                     }));
  return result;
}

Result<std::uint32_t> Pclntab::inline_index_table(const Record &record) const {
  const auto count = TRY(record.bytes.read_at<std::uint32_t>(format_->value_table_count));
  if (count <= kInlineIndexTable)
    return 0;
  return record.bytes.read_at<std::uint32_t>(format_->end + kInlineIndexTable * 4);
}

Result<std::optional<ElfAddress>> Pclntab::inline_tree(const Record &record) const {
  const auto table_count = TRY(record.bytes.read_at<std::uint32_t>(format_->value_table_count));
  const auto data_count = TRY(record.bytes.read_at<std::uint8_t>(format_->data_count));
  if (data_count <= kInlineTreeData)
    return std::nullopt;
  std::uint64_t at = format_->end + std::uint64_t{table_count} * 4;
  if (!format_->has_absolute_pointers) {
    const auto offset = TRY(record.bytes.read_at<std::uint32_t>(at + kInlineTreeData * 4));
    if (offset == kNoFunctionData)
      return std::nullopt;
    return ElfAddress{function_data_.value + offset};
  }
  const auto pointers = (record.address.value + at + 7) & ~std::uint64_t{7};
  const auto tree = TRY(elf_->read_pointer({pointers + kInlineTreeData * 8}));
  return tree == 0 ? std::nullopt : std::optional{ElfAddress{tree}};
}

Result<Pclntab::InlineNode> Pclntab::inline_node(ElfAddress tree, std::int32_t index) const {
  const auto at =
      tree.value + static_cast<std::uint32_t>(index) * std::uint64_t{format_->call_bytes};
  ByteReader node{TRY(elf_->raw({{at}, format_->call_bytes}))};
  const auto name = TRY(node.read_at<std::uint32_t>(format_->call_name));
  const auto parent = TRY(node.read_at<std::uint32_t>(format_->call_parent));
  return InlineNode{TRY(name_at(name)), parent};
}

Result<bool> Pclntab::is_wrapper(const FunctionView &function) const {
  const Record details = TRY(record(function));
  const auto files = TRY(details.bytes.read_at<std::uint32_t>(format_->file_table));
  const auto file = TRY(value_at(files, 0));
  return TRY(file_name(details, file)) == "<autogenerated>";
}

Result<SourceFrames> Pclntab::frames_at(ElfAddress address) const {
  const FunctionView *function = function_at(address);
  if (function == nullptr)
    return SourceFrames{};
  const Record details = TRY(record(*function));
  const auto files = TRY(details.bytes.read_at<std::uint32_t>(format_->file_table));
  const auto lines = TRY(details.bytes.read_at<std::uint32_t>(format_->line_table));
  const auto indexes = TRY(inline_index_table(details));
  const auto tree = TRY(inline_tree(details));

  SourceFrames frames;
  std::uint64_t distance = address.value - function->range.start.value;
  for (int depth = 0; depth < kInlineDepthMax; ++depth) {
    const auto file_number = TRY(value_at(files, distance));
    const auto file = TRY(file_name(details, file_number));
    const auto line = std::max(TRY(value_at(lines, distance)), 0);
    const auto index = tree ? TRY(value_at(indexes, distance)) : -1;
    SourceFrame frame{{}, std::string{file}, static_cast<std::uint32_t>(line), index >= 0};
    if (index < 0) {
      frame.function = function->name;
      frames.push_back(std::move(frame));
      return frames;
    }
    const auto node = TRY(inline_node(*tree, index));
    frame.function = node.name;
    frames.push_back(std::move(frame));
    distance = node.parent_distance;
  }
  return fail(Errc::malformed, "{}: calls inlined more than {} deep", function->name,
              kInlineDepthMax);
}

Result<std::vector<InlinedCall>> Pclntab::inlined_calls(const FunctionView &function) const {
  const Record details = TRY(record(function));
  const auto indexes = TRY(inline_index_table(details));
  const auto tree = TRY(inline_tree(details));
  if (!tree)
    return std::vector<InlinedCall>{};

  struct Piece {
    std::uint64_t start, end;
    std::int32_t index;
  };
  std::vector<Piece> pieces;
  TRY(for_each_value(indexes, function.range.size_bytes,
                     [&](std::uint64_t start, std::uint64_t end, std::int32_t index) {
                       if (index >= 0)
                         pieces.push_back({start, end, index});
                       return true;
                     }));
  auto index_at = [&](std::uint64_t distance) {
    auto piece = std::ranges::upper_bound(pieces, distance, {}, &Piece::end);
    return piece != pieces.end() && piece->start <= distance ? piece->index : -1;
  };
  std::vector<std::int32_t> seen;
  std::vector<InlinedCall> calls;
  for (const Piece &piece : pieces) // in address order, so the first sight is the lowest address
    for (auto index = piece.index; index >= 0 && std::ranges::find(seen, index) == seen.end();) {
      const auto node = TRY(inline_node(*tree, index));
      seen.push_back(index);
      calls.push_back({node.name,
                       {function.range.start.value + piece.start},
                       {function.range.start.value + node.parent_distance}});
      index = index_at(node.parent_distance);
    }
  return calls;
}

} // namespace mapscope
