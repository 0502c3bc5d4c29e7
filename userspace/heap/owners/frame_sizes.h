// How large the frame of a function is at a place in its code, from the tables that the runtime's
// own unwinder reads: every executable has them in memory, stripped or not. Unlike frame pointers
// they are right in a function's first instructions, and where a function keeps none.
//
// Go source: runtime/symtab.go (findfunc, pcvalue, step), runtime/traceback.go.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/address.h"
#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"

namespace mapscope {

struct FrameSize {
  std::uint64_t entry = 0;       // of the function
  std::uint32_t size_bytes = 0;  // from the stack pointer to where it was at the call
  bool is_outermost = false;     // nothing called it
  bool is_async_preempt = false; // the kernel's signal called it, in between two instructions
};

class FrameSizes {
public:
  // Errors: unsupported (layout not known), not_found (the tables can't be read), as
  // AddressSpace::read.
  static Result<FrameSizes> open(AddressSpace &space, const BinaryFacts &facts, LoadBias bias);

  // Of the function that a program counter or a return address lies in; nothing where there is
  // none, or its tables make no sense. Answers are remembered. Errors: as AddressSpace::read.
  Result<std::optional<FrameSize>> at(std::uint64_t pc);

private:
  struct Layout {
    std::uint32_t pctab = 0, pclntable = 0, ftab = 0, findfunctab = 0, minpc = 0, text = 0,
                  etext = 0, module_bytes = 0;
    std::uint32_t pcsp = 0, func_id = 0, flag = 0, func_bytes = 0;
    std::uint32_t functab_bytes = 0, funcoff = 0;
  };
  struct Slice {
    std::uint64_t data = 0, len = 0;
  };
  struct Function {
    std::uint64_t entry = 0, end = 0, address = 0; // of its _func
  };

  FrameSizes(AddressSpace &space, const Layout &layout, Machine machine)
      : space_(space), layout_(layout), quantum_(machine == Machine::amd64 ? 1 : 4) {}

  static Result<Layout> layout_of(const BinaryFacts &facts);
  Result<std::optional<Function>> find_function(std::uint64_t pc);
  Result<std::optional<FrameSize>> look_up(std::uint64_t pc);
  Result<std::optional<std::uint32_t>> size_at(std::uint64_t pc, const Function &function,
                                               std::uint32_t table);

  AddressSpace &space_;
  Layout layout_;
  std::uint64_t quantum_; // of distances between program counters
  Slice pctab_, pclntable_, ftab_;
  std::uint64_t findfunctab_ = 0, min_pc_ = 0, text_ = 0, text_end_ = 0;
  std::unordered_map<std::uint64_t, std::optional<FrameSize>> known_; // by pc
};

} // namespace mapscope
