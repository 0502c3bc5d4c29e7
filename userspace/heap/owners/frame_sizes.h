// How large the frame of a function is at a place in its code, and which of its words hold live
// pointers there, from the tables that the runtime's own unwinder and collector read: every
// executable has them in memory, stripped or not. Unlike frame pointers they are right in a
// function's first instructions, and where a function keeps none.
//
// Go source: runtime/symtab.go (findfunc, pcvalue, step, funcdata), runtime/traceback.go,
// runtime/stkframe.go (getStackMap).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "base/error.h"
#include "flow/address_space.h"
#include "flow/binary_facts.h"

namespace mapscope {

// One bit for each word: it holds a live pointer.
struct LiveWords {
  bool is_known = false;
  std::uint32_t count = 0;
  std::vector<std::byte> bits;

  bool is_live(std::uint64_t word) const {
    return word < count && (bits[word / 8] >> (word % 8) & std::byte{1}) != std::byte{0};
  }
};

struct FrameSize {
  std::uint64_t entry = 0;       // of the function
  std::uint32_t size_bytes = 0;  // from the stack pointer to where it was at the call
  bool is_outermost = false;     // nothing called it
  bool is_async_preempt = false; // the kernel's signal called it, in between two instructions
  std::uint32_t args_bytes = 0;  // in the caller's frame, from its stack pointer on
  LiveWords locals;              // the last one lies where locals_end() says
  LiveWords args;                // from where the caller's stack pointer is on
  // Variables whose address is taken: live where a pointer to one is. Distances in bytes from the
  // end of the locals (if negative), or from the first argument.
  struct StackObject {
    std::int32_t offset = 0;
    std::uint32_t size_bytes = 0;
  };
  std::vector<StackObject> objects;

  // In bytes from the stack pointer: below the frame pointer that each frame keeps.
  std::uint64_t locals_end() const { return size_bytes == 0 ? 0 : size_bytes - 8; }
};

class FrameSizes {
public:
  // Errors: unsupported (layout not known), not_found (the tables can't be read), as
  // AddressSpace::read.
  static Result<FrameSizes> open(AddressSpace &space, const BinaryFacts &facts, LoadBias bias);

  // Of the function that a program counter or a return address lies in; null where there is none,
  // or its tables make no sense. Answers are remembered as long as this lives. Errors: as
  // AddressSpace::read.
  Result<const FrameSize *> at(std::uint64_t pc);

private:
  struct Layout {
    std::uint32_t pctab = 0, pclntable = 0, ftab = 0, findfunctab = 0, minpc = 0, text = 0,
                  etext = 0, module_bytes = 0;
    std::uint32_t pcsp = 0, func_id = 0, flag = 0, func_bytes = 0;
    std::uint32_t functab_bytes = 0, funcoff = 0;
    // What tells which words are live. Until Go 1.17 functions have addresses of their tables, and
    // since then distances from moduledata.gofunc.
    bool has_maps = false, has_gofunc = false;
    std::uint32_t args = 0, npcdata = 0, nfuncdata = 0, gofunc = 0;
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
  // Of a table that has a value for each program counter.
  Result<std::optional<std::int32_t>> value_at(std::uint64_t pc, const Function &function,
                                               std::uint32_t table);
  Result<> look_up_maps(std::uint64_t pc, const Function &function, std::span<const std::byte> func,
                        FrameSize &size);
  Result<LiveWords> read_live_words(std::uint64_t table, std::uint32_t index);
  Result<> read_objects(std::uint64_t table, FrameSize &size);

  AddressSpace &space_;
  Layout layout_;
  std::uint64_t quantum_; // of distances between program counters
  Slice pctab_, pclntable_, ftab_;
  std::uint64_t findfunctab_ = 0, min_pc_ = 0, text_ = 0, text_end_ = 0, gofunc_ = 0;
  std::size_t map_bytes_ = 0; // of what tells which words are alive, in all that is remembered
  std::unordered_map<std::uint64_t, std::optional<FrameSize>> known_; // by pc
};

} // namespace mapscope
