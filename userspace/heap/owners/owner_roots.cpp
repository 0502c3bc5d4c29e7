// Names of roots come from variables, symbols, or the code that uses a word; what they hold from
// the process.
#include "heap/owners/owner_roots.h"

#include <algorithm>
#include <array>
#include <optional>

#include "heap/bulk_read.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kMaskedBytesMax = 1ULL << 30; // of .data or .bss
constexpr std::uint64_t kChunkBytes = 1 << 20;
constexpr std::size_t kRootsMax = 4 << 20;
constexpr std::size_t kNamedWordsMax =
    1 << 18;                             // words without a variable's name are named one by one
constexpr std::uint64_t kUsedBytes = 24; // a slice: what code uses through its first word
constexpr std::uint64_t kNearBytes = 4096;
constexpr std::size_t kFrameKinds = 3; // the program's functions, wrappers, the runtime's

bool is_runtime_function(std::string_view name) {
  return name.starts_with("runtime.") || name.starts_with("runtime/") ||
         name.starts_with("internal/");
}

// "main.config.stores" is the part ".stores" of "main.config".
void split_part(OwnerRoot &root) {
  const std::size_t slash = root.name.rfind('/');
  const std::size_t dot = root.name.find('.', slash == std::string::npos ? 0 : slash);
  const std::size_t end = dot == std::string::npos ? dot : root.name.find_first_of(".[", dot + 1);
  if (end == std::string::npos || end == dot + 1)
    return;
  root.part = root.name.substr(end);
  root.name.resize(end);
}

bool has_type(const PackageVariable &variable) {
  return variable.type.value != 0 || variable.pointee.value != 0;
}

// What the compiler makes of a go statement with arguments: cmd/compile/internal/walk, since 1.17;
// from 1.18 to 1.21 it has the name of any closure.
bool is_wrapper(std::string_view function) {
  if (function.find("·dwrap·") != function.npos)
    return true;
  const std::size_t dot = function.rfind('.');
  return dot != std::string_view::npos && (function.substr(dot).starts_with(".gowrap") ||
                                           function.substr(dot).starts_with(".deferwrap"));
}

} // namespace

bool is_runtime_variable(std::string_view name) {
  constexpr std::array<std::string_view, 6> kCaches{"sync.", "reflect.", "unique.",
                                                    "weak.", "go:",      "type:"};
  return is_runtime_function(name) || std::ranges::any_of(kCaches, [&](std::string_view prefix) {
           return name.starts_with(prefix);
         });
}

RootReader::RootReader(AddressSpace &space, const ProgramRoots *roots, LoadBias bias,
                       const SpanTable &spans, OwnerPatterns &patterns)
    : space_(space), roots_(roots), bias_(bias), spans_(spans), patterns_(patterns) {
  if (roots_ == nullptr)
    return;
  for (const PackageVariable &variable : roots_->variables)
    if (has_type(variable))
      typed_.push_back({variable.address, variable.size_bytes});
  std::ranges::sort(typed_);
}

std::vector<ProcessRange> RootReader::data() const {
  std::vector<ProcessRange> ranges;
  if (roots_ != nullptr)
    for (const MaskedData &masked : roots_->masked)
      ranges.push_back({bias_.to_process(masked.range.start), masked.range.size_bytes});
  std::ranges::sort(ranges);
  return ranges;
}

Result<> RootReader::read_variables(RootLists &lists) {
  if (roots_ == nullptr || roots_->masked.empty())
    lists.left_out.emplace_back("where the variables of packages lie is not known");
  if (roots_ == nullptr)
    return {};
  for (const PackageVariable &variable : roots_->variables)
    if (has_type(variable) && lists.variables.size() < kRootsMax)
      add_typed(variable, lists);
  for (const MaskedData &masked : roots_->masked)
    TRY(read_masked(masked, lists));
  return {};
}

void RootReader::add_typed(const PackageVariable &variable, RootLists &lists) {
  const bool is_of_code = variable.evidence == RootEvidence::code;
  NamedWord named{{.root_class = OwnerClass::variable,
                   .name = variable.name,
                   .evidence = is_of_code ? StepEvidence::code : StepEvidence::dwarf},
                  is_runtime_variable(variable.name)};
  if (variable.name.empty()) {
    named = name_of(variable.address);
    named.root.evidence = StepEvidence::code;
  } else if (variable.evidence == RootEvidence::dwarf)
    split_part(named.root);
  if (named.is_runtime)
    named.root.root_class = OwnerClass::runtime;
  GraphRoot root{.address = bias_.to_process(variable.address).value, .count = variable.count};
  if (variable.type.value != 0) {
    root.type = bias_.to_process(variable.type).value;
    root.pattern = patterns_.root(named.root, root.type);
  } else {
    root.type = bias_.to_process(variable.pointee).value;
    root.form = variable.is_slice ? RootForm::slice : RootForm::pointer;
    named.root.is_slice = variable.is_slice;
    root.pattern = patterns_.root(named.root, 0);
  }
  (named.is_runtime ? lists.runtime
   : is_of_code     ? lists.code_variables
                    : lists.variables)
      .push_back(root);
}

// The bitmap as the module data has it now, since it is in memory that nobody writes.
Result<bool> RootReader::read_bitmap(const MaskedData &masked, std::vector<std::byte> &bits) {
  struct BitVector {
    std::int32_t n = 0;
    std::uint32_t padding = 0;
    std::uint64_t bytes = 0;
  } vector;
  const std::uint64_t words = masked.range.size_bytes / sizeof(std::uint64_t);
  MemoryRead read{{bias_.to_process(masked.field)}, std::as_writable_bytes(std::span{&vector, 1})};
  TRY(space_.read({&read, 1}));
  if (!read.is_read || masked.range.size_bytes > kMaskedBytesMax || vector.n < 0 ||
      static_cast<std::uint64_t>(vector.n) != words)
    return false;
  bits.resize((static_cast<std::uint64_t>(vector.n) + 7) / 8);
  MemoryRead map{{vector.bytes}, bits};
  TRY(space_.read({&map, 1}));
  bits.resize((words + 7) / 8); // words behind the last pointer have no bit
  return map.is_read;
}

Result<> RootReader::read_masked(const MaskedData &masked, RootLists &lists) {
  std::vector<std::byte> bits;
  bool is_whole = TRY(read_bitmap(masked, bits));
  // One word is read twice, so that the one in front of each is known.
  std::vector<std::byte> bytes;
  const std::uint64_t start = bias_.to_process(masked.range.start).value;
  for (std::uint64_t done = 0; is_whole && done + 8 <= masked.range.size_bytes;
       done += kChunkBytes) {
    const std::uint64_t from = done == 0 ? 0 : done - 8;
    bytes.resize(std::min(done + kChunkBytes, masked.range.size_bytes / 8 * 8) - from);
    MemoryRead read{{start + from}, bytes};
    TRY(space_.read({&read, 1}));
    is_whole = read.is_read;
    if (is_whole)
      add_words(start + from, bytes, from / 8, bits, lists);
  }
  if (!is_whole)
    lists.left_out.push_back(fmt::format("{} bytes of variables at {:#x} can't be read",
                                         masked.range.size_bytes, start));
  return {};
}

void RootReader::add_words(std::uint64_t start, std::span<const std::byte> bytes,
                           std::uint64_t first_bit, std::span<const std::byte> bits,
                           RootLists &lists) {
  auto is_pointer = [&](std::uint64_t word) {
    return (bits[(first_bit + word) / 8] >> ((first_bit + word) % 8) & std::byte{1}) !=
           std::byte{0};
  };
  for (std::uint64_t word = first_bit == 0 ? 0 : 1; word < bytes.size() / 8; ++word) {
    if (!is_pointer(word))
      continue;
    const auto value = load<std::uint64_t>(bytes, 8 * word);
    const ElfAddress address = bias_.to_elf({start + 8 * word});
    if (!spans_.find_span(value) || is_typed(address))
      continue;
    if (lists.words.size() + lists.runtime.size() >= kRootsMax) {
      lists.left_out.emplace_back("there are too many variables");
      return;
    }
    const NamedWord named = patterns_.size() < kNamedWordsMax
                                ? name_of(address)
                                : NamedWord{{OwnerClass::variable, "a variable"}, false};
    (named.is_runtime ? lists.runtime : lists.words)
        .push_back({.address = start + 8 * word,
                    .pattern = patterns_.root(named.root, 0),
                    .value = value,
                    .has_value = true,
                    .before = word > 0 && !is_pointer(word - 1)
                                  ? load<std::uint64_t>(bytes, 8 * (word - 1))
                                  : 0});
  }
}

bool RootReader::is_typed(ElfAddress word) const {
  auto after = std::ranges::upper_bound(typed_, word, {}, &ElfRange::start);
  return after != typed_.begin() && std::prev(after)->contains(word);
}

RootReader::NamedWord RootReader::name_of(ElfAddress word) const {
  const auto &variables = roots_->variables;
  auto after = std::ranges::upper_bound(variables, word, {}, &PackageVariable::address);
  if (after != variables.begin()) {
    const PackageVariable &variable = *std::prev(after);
    const std::uint64_t offset = word.value - variable.address.value;
    if (!variable.name.empty() && offset < variable.size_bytes) {
      const bool is_runtime = is_runtime_variable(variable.name);
      return {{is_runtime ? OwnerClass::runtime : OwnerClass::variable,
               offset == 0 ? variable.name : fmt::format("{}+{}", variable.name, offset),
               StepEvidence::symbol},
              is_runtime};
    }
  }
  const auto &uses = roots_->uses;
  auto use = std::ranges::upper_bound(uses, word, {}, &DataUse::address);
  const DataUse *before = use == uses.begin() ? nullptr : &*std::prev(use);
  const std::uint64_t distance =
      before == nullptr ? kNearBytes : word.value - before->address.value;
  // What lies behind a word that the runtime alone uses is most likely part of the same variable;
  // this decides nothing but who is asked first.
  const bool is_runtime = distance < kNearBytes && before->is_runtime;
  const OwnerClass root_class = is_runtime ? OwnerClass::runtime : OwnerClass::variable;
  if (distance >= kUsedBytes || before->function.empty())
    return {{root_class, fmt::format("variable at {:#x}", word.value), StepEvidence::collector},
            is_runtime};
  const std::size_t slash = before->function.rfind('/', before->function.find_first_of("[("));
  const std::size_t path = slash == std::string::npos ? 0 : slash + 1;
  const std::size_t package = std::min(before->function.find('.', path), before->function.size());
  return {{root_class,
           fmt::format("{}: variable at {:#x}, used by {}", before->function.substr(0, package),
                       word.value, before->function),
           StepEvidence::code},
          is_runtime};
}

Result<> RootReader::read_frames(const StackRoots &stacks, Symbolizer *symbolizer,
                                 RootLists &lists) {
  std::vector<ElfAddress> places;
  for (const StackFrame &frame : stacks.frames)
    places.push_back(bias_.to_elf({frame.pc}));
  std::vector<ElfAddress> distinct = places;
  std::ranges::sort(distinct);
  const auto repeated = std::ranges::unique(distinct);
  distinct.erase(repeated.begin(), repeated.end());
  std::vector<SourceFrames> named;
  if (symbolizer != nullptr && !distinct.empty())
    named = TRY(symbolizer->symbolize(distinct));
  named.resize(distinct.size());
  std::vector<std::string> functions;
  for (const ElfAddress place : places) {
    const auto at =
        static_cast<std::size_t>(std::ranges::lower_bound(distinct, place) - distinct.begin());
    // Inlined frames have no stack of their own.
    functions.push_back(named[at].empty() ? std::string{} : named[at].back().function);
  }
  name_frames(stacks, functions);
  lists.frames.resize(kFrameKinds * (static_cast<std::size_t>(Liveness::dead) + 1));
  for (const StackWord &word : stacks.words) {
    if (word.frame >= frame_patterns_.size())
      continue;
    const std::uint32_t pattern = frame_patterns_[word.frame];
    const OwnerRoot &root = patterns_.root_of(pattern);
    // A frame that does nothing but call another function comes after that; and one of the runtime
    // holds what it works with, such as goroutines, through which one leads to another.
    const std::size_t kind = is_runtime_function(functions[word.frame]) ? 2
                             : is_wrapper(root.name)                    ? 1
                                                                        : 0;
    const std::size_t rank = kFrameKinds * static_cast<std::size_t>(word.liveness) + kind;
    (stacks.frames[word.frame].is_running     ? lists.running
     : root.root_class == OwnerClass::runtime ? lists.runtime_frames
                                              : lists.frames[rank])
        .push_back(
            {.address = word.address, .pattern = pattern, .value = word.value, .has_value = true});
  }
  return {};
}

// What a frame of the runtime holds, it holds for the function that called into the runtime.
void RootReader::name_frames(const StackRoots &stacks, std::span<const std::string> functions) {
  frame_patterns_.assign(stacks.frames.size(), OwnerPatterns::kNone);
  std::string_view caller;
  std::uint64_t goroutine = 0;
  for (std::size_t i = stacks.frames.size(); i-- > 0;) {
    if (i + 1 == stacks.frames.size() || stacks.frames[i].goroutine != goroutine)
      caller = {};
    goroutine = stacks.frames[i].goroutine;
    const bool is_runtime = is_runtime_function(functions[i]);
    if (!is_runtime && !functions[i].empty())
      caller = functions[i];
    OwnerRoot root{OwnerClass::goroutine, std::string{caller}, StepEvidence::stack};
    // What it calls keeps its arguments there: cmd/compile/abi-internal.md, spill space.
    if (is_wrapper(caller) && i > 0 && stacks.frames[i - 1].goroutine == goroutine &&
        !functions[i - 1].empty() && !is_runtime_function(functions[i - 1]))
      root.name = functions[i - 1];
    if (stacks.frames[i].is_running)
      root.name = "a goroutine that runs";
    else if (caller.empty())
      root = functions[i].empty()
                 ? OwnerRoot{OwnerClass::goroutine, "a goroutine", StepEvidence::stack}
                 : OwnerRoot{OwnerClass::runtime, functions[i], StepEvidence::stack};
    frame_patterns_[i] = patterns_.root(root, 0);
  }
}

} // namespace mapscope
