// Goroutines made by hand beside a heap made by hand: the list of them, their stacks with a map on
// each, and the tables of the one function that they are in.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "unit/heap/fake_heap.h"

namespace mapscope::testing {

class FakeGoroutines : public FakeHeap {
public:
  static constexpr std::uint64_t kList = 0x70000000, kStructures = 0x71000000;
  static constexpr std::uint64_t kStacks = 0x72000000, kStackBytes = 2048;
  static constexpr std::uint64_t kModule = 0x73000000, kTables = 0x74000000;
  static constexpr std::uint64_t kText = 0x400000, kTextBytes = 4096;
  static constexpr unsigned kCount = 4;
  // Of kTables, a kilobyte each.
  static constexpr std::uint64_t kBuckets = kTables, kFunctions = kTables + 1024,
                                 kSteps = kTables + 2048, kEntries = kTables + 3072,
                                 kLive = kTables + 4096;

  FakeGoroutines() {
    facts.path = "/srv/program";
    facts.all_goroutines = {kList};
    facts.module_data = {kModule};
    facts.text = {{kText}, kTextBytes};
    memory.add(kList, 64);
    memory.add(kStructures, kCount * kStructureBytes);
    memory.add(kStacks, kCount * kStackBytes);
    memory.add(kModule, 4096);
    memory.add(kTables, 8192);
    memory.put(kList, kList + 24);
    memory.put(kList + 8, std::uint64_t{kCount});
    memory.put(kList + 16, std::uint64_t{kCount});
    for (int i = 0; i < 8; ++i) // fewer spans are no heap
      add_span(1024, false);
    for (unsigned i = 0; i < kCount; ++i)
      put_goroutine(i);
    put_module();
  }

  std::uint64_t groups = add_span(144, false);

private:
  static constexpr std::uint64_t kStructureBytes = 4096;
  static constexpr std::uint32_t kFrameBytes = 128, kFunctionOffset = 16;
  static constexpr std::uint32_t kSizes = 1, kIndexes = 16; // of kSteps

  std::uint32_t at(std::string_view field) const { return facts.layout.find(field).value(); }

  void put_goroutine(unsigned i) {
    constexpr std::uint32_t kRunning = 2, kSyscall = 3, kWaiting = 4;
    const std::uint64_t g = kStructures + i * kStructureBytes;
    const std::uint64_t low = kStacks + i * kStackBytes, sp = low + kStackBytes - 4 * kFrameBytes;
    memory.put(kList + 24 + std::uint64_t{8} * i, g);
    memory.put(g + at("runtime.g.stack.lo"), low);
    memory.put(g + at("runtime.g.stack.hi"), low + kStackBytes);
    memory.put(g + at("runtime.g.sched.sp"), sp);
    memory.put(g + at("runtime.g.sched.pc"), kText + 100);
    memory.put(g + at("runtime.g.sched.g"), g);
    memory.put(g + at("runtime.g.goid"), std::uint64_t{i + 1});
    memory.put(g + at("runtime.g.atomicstatus"), i == 1 ? kRunning : i == 2 ? kSyscall : kWaiting);
    for (std::uint64_t frame = sp; frame < low + kStackBytes; frame += kFrameBytes) {
      memory.put(frame + kFrameBytes - 8, kText + 200); // the return address
      memory.put(frame, groups + 144 * i);
    }
    set_bit(kBits, i);
    memory.put(groups + 144 * i, std::uint64_t{0x8080808080112233});
    put_header(sp + kFrameBytes + 16, 3, groups + 144 * i, 0);
  }

  void put_module() {
    const auto put_slice = [&](std::string_view field, std::uint64_t data, std::uint64_t len) {
      memory.put(kModule + at(field), data);
      memory.put(kModule + at(field) + 8, len);
    };
    put_slice("runtime.moduledata.pctab", kSteps, 1024);
    put_slice("runtime.moduledata.pclntable", kFunctions, 1024);
    put_slice("runtime.moduledata.ftab", kEntries, 2);
    memory.put(kModule + at("runtime.moduledata.findfunctab"), kBuckets);
    memory.put(kModule + at("runtime.moduledata.minpc"), kText);
    memory.put(kModule + at("runtime.moduledata.text"), kText);
    memory.put(kModule + at("runtime.moduledata.etext"), kText + kTextBytes);
    memory.put(kModule + at("runtime.moduledata.gofunc"), kLive);
    memory.put(kEntries, std::array<std::uint32_t, 4>{0, kFunctionOffset, kTextBytes, 0});

    const std::uint64_t function = kFunctions + kFunctionOffset;
    memory.put(function + at("runtime._func.pcsp"), kSizes);
    memory.put(function + at("runtime._func.npcdata"), std::uint32_t{2});
    memory.put(function + at("runtime._func.nfuncdata"), std::uint8_t{3});
    const std::uint64_t tables = function + at("runtime._func.nfuncdata") + 1;
    memory.put(tables, std::array<std::uint32_t, 5>{0, kIndexes, 0, 64, 128});
    // Steps of -1 + 121 and -1 + 1, each for 4096 bytes, and their ends.
    put_bytes(kSteps + kSizes, {0xf2, 0x01, 0x80, 0x20, 0});
    put_bytes(kSteps + kIndexes, {2, 0x80, 0x20, 0});
    for (const std::uint64_t map : {kLive, kLive + 64}) { // of arguments and of locals
      memory.put(map, std::array<std::int32_t, 2>{1, 15});
      memory.put(map + 8, std::uint16_t{0x7fff});
    }
    memory.put(kLive + 128, std::uint64_t{1}); // a variable whose address is taken
    memory.put(kLive + 136, std::array<std::int32_t, 2>{-64, 48});
  }

  void put_bytes(std::uint64_t address, std::initializer_list<std::uint8_t> bytes) {
    for (const std::uint8_t byte : bytes)
      memory.put(address++, byte);
  }
};

} // namespace mapscope::testing
