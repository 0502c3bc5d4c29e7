// findfunctab leads to the neighbourhood of a function in ftab, that to its _func, and that to a
// table of how far the stack pointer moves, in steps of program counters.
#include "heap/owners/frame_sizes.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

// runtime/symtab.go, findfuncbucket: which entry of ftab each 256 bytes of text begin with.
constexpr std::uint64_t kBucketBytes = 20, kTextOfBucket = 4096, kTextOfPart = 256;
constexpr std::uint64_t kFunctionBytesMin = 16;  // functions are aligned to that
constexpr std::uint64_t kTextBytesMax = 1 << 30; // what a bucket can tell of is far below
constexpr std::uint8_t kTopFrame = 1;            // a flag of _func: internal/abi, FuncFlagTopFrame
constexpr std::uint8_t kAsyncPreempt = 3;        // internal/abi, FuncID_asyncPreempt, since Go 1.17
constexpr std::int32_t kFrameBytesMax = 1 << 30;

// A number of seven bits a byte, the lowest first.
std::optional<std::uint32_t> take_varint(std::span<const std::byte> &bytes) {
  std::uint32_t value = 0;
  for (unsigned shift = 0; shift < 35 && !bytes.empty(); shift += 7) {
    const auto byte = std::to_integer<std::uint32_t>(bytes.front());
    bytes = bytes.subspan(1);
    value |= (byte & 0x7f) << shift;
    if ((byte & 0x80) == 0)
      return value;
  }
  return std::nullopt;
}

} // namespace

Result<FrameSizes::Layout> FrameSizes::layout_of(const BinaryFacts &facts) {
  Layout layout;
  // The executable may lie.
  auto find = [&](const char *field) -> std::optional<std::uint32_t> {
    constexpr std::uint32_t kOffsetMax = 4096;
    const auto offset = facts.layout.find(field);
    return offset && *offset <= kOffsetMax ? offset : std::nullopt;
  };
  for (auto [field, into] : {std::pair{"runtime.moduledata.pctab", &layout.pctab},
                             {"runtime.moduledata.pclntable", &layout.pclntable},
                             {"runtime.moduledata.ftab", &layout.ftab},
                             {"runtime.moduledata.findfunctab", &layout.findfunctab},
                             {"runtime.moduledata.minpc", &layout.minpc},
                             {"runtime.moduledata.text", &layout.text},
                             {"runtime.moduledata.etext", &layout.etext},
                             {"runtime._func.pcsp", &layout.pcsp},
                             {"runtime._func.funcID", &layout.func_id},
                             {"runtime._func.flag", &layout.flag},
                             {"runtime._func", &layout.func_bytes},
                             {"runtime.functab", &layout.functab_bytes},
                             {"runtime.functab.funcoff", &layout.funcoff}}) {
    const auto offset = find(field);
    if (!offset)
      return fail(Errc::unsupported, "{}: where {} lies is not known", facts.path, field);
    *into = *offset;
  }
  for (std::uint32_t slice : {layout.pctab, layout.pclntable, layout.ftab})
    layout.module_bytes = std::max(layout.module_bytes, slice + 16);
  for (std::uint32_t word : {layout.findfunctab, layout.minpc, layout.text, layout.etext})
    layout.module_bytes = std::max(layout.module_bytes, word + 8);
  const auto args = find("runtime._func.args");
  const auto npcdata = find("runtime._func.npcdata");
  const auto nfuncdata = find("runtime._func.nfuncdata");
  const auto gofunc = find("runtime.moduledata.gofunc");
  layout.has_maps = args && npcdata && nfuncdata && *args + 4 <= layout.func_bytes &&
                    *npcdata + 4 <= layout.func_bytes && *nfuncdata < layout.func_bytes;
  if (layout.has_maps) {
    layout.args = *args;
    layout.npcdata = *npcdata;
    layout.nfuncdata = *nfuncdata;
  }
  layout.has_gofunc = gofunc.has_value();
  if (layout.has_gofunc) {
    layout.gofunc = *gofunc;
    layout.module_bytes = std::max(layout.module_bytes, layout.gofunc + 8);
  }
  const std::uint32_t word = layout.functab_bytes / 2; // two numbers of 8 bytes, or of 4
  if ((word != 4 && word != 8) || layout.functab_bytes != 2 * word || layout.funcoff != word ||
      layout.pcsp + 4 > layout.func_bytes || layout.func_id >= layout.func_bytes ||
      layout.flag >= layout.func_bytes)
    return fail(Errc::unsupported, "{}: how functions are listed is not known", facts.path);
  return layout;
}

Result<FrameSizes> FrameSizes::open(AddressSpace &space, const BinaryFacts &facts, LoadBias bias) {
  if (facts.module_data.value == 0)
    return fail(Errc::unsupported, "{}: where its functions are listed is not known", facts.path);
  FrameSizes sizes(space, TRY(layout_of(facts)), facts.machine);
  std::vector<std::byte> bytes(sizes.layout_.module_bytes);
  TRY(read_exactly(space, bias.to_process(facts.module_data).value, bytes));
  auto word = [&](std::uint32_t offset) { return load<std::uint64_t>(bytes, offset); };
  const Layout &layout = sizes.layout_;
  sizes.pctab_ = {word(layout.pctab), word(layout.pctab + 8)};
  sizes.pclntable_ = {word(layout.pclntable), word(layout.pclntable + 8)};
  sizes.ftab_ = {word(layout.ftab), word(layout.ftab + 8)};
  sizes.findfunctab_ = word(layout.findfunctab);
  sizes.min_pc_ = word(layout.minpc);
  sizes.text_ = word(layout.text);
  sizes.text_end_ = word(layout.etext);
  sizes.gofunc_ = layout.has_gofunc ? word(layout.gofunc) : 0;
  if (sizes.text_end_ - sizes.min_pc_ > kTextBytesMax || sizes.text_ > sizes.text_end_)
    return fail(Errc::not_found, "the tables of functions at {:#x} make no sense",
                bias.to_process(facts.module_data).value);
  return sizes;
}

Result<std::optional<FrameSizes::Function>> FrameSizes::find_function(std::uint64_t pc) {
  if (pc < min_pc_ || pc >= text_end_)
    return std::nullopt;
  std::array<std::byte, kBucketBytes> bucket{};
  const std::uint64_t offset = pc - min_pc_;
  TRY(read_exactly(space_, findfunctab_ + offset / kTextOfBucket * kBucketBytes, bucket));
  const std::uint64_t first =
      load<std::uint32_t>(bucket, 0) +
      std::uint64_t{load<std::uint8_t>(bucket, 4 + offset % kTextOfBucket / kTextOfPart)};
  // The function that reaches into these bytes of text, those that begin in them, and the next.
  std::array<std::byte, (kTextOfPart / kFunctionBytesMin + 2) * 16> entries{};
  if (first >= ftab_.len)
    return std::nullopt;
  const std::uint64_t count =
      std::min<std::uint64_t>(kTextOfPart / kFunctionBytesMin + 2, ftab_.len - first);
  const auto listed = std::span{entries}.first(count * layout_.functab_bytes);
  TRY(read_exactly(space_, ftab_.data + first * layout_.functab_bytes, listed));
  auto number = [&](std::uint64_t at) -> std::uint64_t {
    return layout_.funcoff == 8 ? load<std::uint64_t>(listed, at) : load<std::uint32_t>(listed, at);
  };
  auto entry = [&](std::uint64_t i) {
    return number(i * layout_.functab_bytes) + (layout_.funcoff == 8 ? 0 : text_);
  };
  for (std::uint64_t i = 0; i + 1 < count; ++i) {
    const std::uint64_t func = number(i * layout_.functab_bytes + layout_.funcoff);
    if (entry(i) <= pc && pc < entry(i + 1) && func < pclntable_.len)
      return Function{entry(i), entry(i + 1), pclntable_.data + func};
  }
  return std::nullopt;
}

Result<std::optional<std::int32_t>> FrameSizes::value_at(std::uint64_t pc, const Function &function,
                                                         std::uint32_t table) {
  if (table == 0 || table >= pctab_.len)
    return std::nullopt;
  constexpr std::uint64_t kFirst = 64, kLast = 1 << 14; // most tables have a few steps
  for (std::uint64_t size = kFirst; size <= kLast; size *= 16) {
    std::vector<std::byte> bytes(std::min(size, pctab_.len - table));
    TRY(read_exactly(space_, pctab_.data + table, bytes));
    std::span<const std::byte> left = bytes;
    std::uint64_t here = function.entry;
    std::uint32_t value = ~std::uint32_t{0}; // -1
    for (bool is_first = true;; is_first = false) {
      const auto change = take_varint(left);
      if (change == 0 && !is_first)
        return std::nullopt; // the table's end
      const auto distance = take_varint(left);
      if (!change || !distance)
        break;
      value += (*change & 1) != 0 ? ~(*change >> 1) : *change >> 1;
      here += *distance * quantum_;
      if (pc < here)
        return static_cast<std::int32_t>(value);
      if (here >= function.end)
        return std::nullopt;
    }
    if (bytes.size() < size)
      return std::nullopt;
  }
  return std::nullopt;
}

Result<std::optional<FrameSize>> FrameSizes::look_up(std::uint64_t pc) {
  const auto function = TRY(find_function(pc));
  if (!function)
    return std::nullopt;
  std::vector<std::byte> func(layout_.func_bytes);
  TRY(read_exactly(space_, function->address, func));
  const auto bytes = TRY(value_at(pc, *function, load<std::uint32_t>(func, layout_.pcsp)));
  if (!bytes || *bytes < 0 || *bytes > kFrameBytesMax || *bytes % 8 != 0)
    return std::nullopt;
  FrameSize size;
  size.entry = function->entry;
  size.size_bytes = static_cast<std::uint32_t>(*bytes);
  size.is_outermost = (load<std::uint8_t>(func, layout_.flag) & kTopFrame) != 0;
  size.is_async_preempt = load<std::uint8_t>(func, layout_.func_id) == kAsyncPreempt;
  if (auto maps = look_up_maps(pc, *function, func, size);
      !maps && maps.error().code() != Errc::not_found)
    return std::unexpected(std::move(maps).error());
  return size;
}

// Behind a _func: where its tables of values by program counter begin, then where the tables are
// that hold for all of the function.
Result<> FrameSizes::look_up_maps(std::uint64_t pc, const Function &function,
                                  std::span<const std::byte> func, FrameSize &size) {
  constexpr std::size_t kMapBytesMax = 64 << 20; // of all functions: they may lie
  if (!layout_.has_maps || map_bytes_ > kMapBytesMax)
    return {};
  constexpr std::uint32_t kStackMapIndex = 1;                         // of values by counter
  constexpr std::size_t kArgsMaps = 0, kLocalsMaps = 1, kObjects = 2; // of the others
  const auto value_count = load<std::uint32_t>(func, layout_.npcdata);
  const auto table_count = load<std::uint8_t>(func, layout_.nfuncdata);
  constexpr std::uint32_t kValuesMax = 64;
  if (value_count > kValuesMax)
    return {};
  const std::uint64_t values = function.address + layout_.nfuncdata + 1;
  std::uint64_t tables = values + 4 * value_count;
  if (!layout_.has_gofunc)
    tables = (tables + 7) & ~std::uint64_t{7};
  const auto args = load<std::uint32_t>(func, layout_.args); // negative: not known
  size.args_bytes = args <= kFrameBytesMax ? args & ~std::uint32_t{7} : 0;

  std::int32_t index = -1;
  if (pc != function.entry && value_count > kStackMapIndex) {
    const auto table = TRY(read_value<std::uint32_t>(space_, values + 4 * kStackMapIndex));
    index = TRY(value_at(pc - 1, function, table)).value_or(-1);
  }
  // -1: the prologue, where what it begins with is alive.
  const std::uint32_t map = index < 0 ? 0 : static_cast<std::uint32_t>(index);
  auto table_at = [&](std::size_t which) -> Result<std::uint64_t> {
    if (which >= table_count)
      return 0;
    if (!layout_.has_gofunc)
      return TRY(read_value<std::uint64_t>(space_, tables + 8 * which));
    const auto offset = TRY(read_value<std::uint32_t>(space_, tables + 4 * which));
    return offset == ~std::uint32_t{0} ? 0 : gofunc_ + offset;
  };
  size.locals = TRY(read_live_words(TRY(table_at(kLocalsMaps)), map));
  if (size.args_bytes != 0)
    size.args = TRY(read_live_words(TRY(table_at(kArgsMaps)), map));
  TRY(read_objects(TRY(table_at(kObjects)), size));
  map_bytes_ += size.locals.bits.size() + size.args.bits.size() +
                size.objects.size() * sizeof(FrameSize::StackObject);
  return {};
}

// Go source: runtime/symtab.go, stackmap.
Result<LiveWords> FrameSizes::read_live_words(std::uint64_t table, std::uint32_t index) {
  LiveWords words;
  if (table == 0)
    return words;
  const auto counts = TRY((read_value<std::array<std::int32_t, 2>>(space_, table)));
  const auto [map_count, word_count] = counts;
  constexpr std::int32_t kWordsMax = 1 << 16;
  if (map_count <= 0 || word_count < 0 || word_count > kWordsMax ||
      index >= static_cast<std::uint32_t>(map_count))
    return words;
  words.count = static_cast<std::uint32_t>(word_count);
  words.bits.resize((words.count + 7) / 8);
  if (!words.bits.empty())
    TRY(read_exactly(space_, table + 8 + std::uint64_t{index} * words.bits.size(), words.bits));
  words.is_known = true;
  return words;
}

// Go source: runtime/stack.go, stackObjectRecord; it had a pointer of its own until Go 1.17.
Result<> FrameSizes::read_objects(std::uint64_t table, FrameSize &size) {
  if (table == 0)
    return {};
  constexpr std::uint64_t kObjectsMax = 256; // nearly all functions have a few
  const auto count = TRY(read_value<std::uint64_t>(space_, table));
  if (count > kObjectsMax) {
    size.locals.is_known = size.args.is_known = false;
    return {};
  }
  const std::size_t record_bytes = layout_.has_gofunc ? 16 : 24;
  std::vector<std::byte> records(count * record_bytes);
  if (!records.empty())
    TRY(read_exactly(space_, table + 8, records));
  for (std::size_t i = 0; i < count; ++i)
    size.objects.push_back({load<std::int32_t>(records, i * record_bytes),
                            load<std::uint32_t>(records, i * record_bytes + 4)});
  return {};
}

Result<const FrameSize *> FrameSizes::at(std::uint64_t pc) {
  auto pointer = [](const std::optional<FrameSize> &size) { return size ? &*size : nullptr; };
  if (auto known = known_.find(pc); known != known_.end())
    return pointer(known->second);
  constexpr std::size_t kPlacesMax = 1 << 18; // stacks that lie name any number of them
  if (known_.size() >= kPlacesMax)
    return nullptr;
  auto size = look_up(pc);
  if (!size && size.error().code() != Errc::not_found)
    return std::unexpected(std::move(size).error());
  std::optional<FrameSize> found = size ? *std::move(size) : std::nullopt;
  return pointer(known_.emplace(pc, std::move(found)).first->second);
}

} // namespace mapscope
