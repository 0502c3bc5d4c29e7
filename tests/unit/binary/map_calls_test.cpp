// Following the first argument's register through code made by hand.
#include "binary/map_calls.h"

#include <cstddef>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

constexpr ElfAddress kStart{0x1000};

using Bytes = std::vector<std::uint8_t>;

template <typename... Pieces> std::vector<std::byte> code_of(const Pieces &...pieces) {
  std::vector<std::byte> code;
  const auto append = [&](const Bytes &piece) {
    for (std::uint8_t byte : piece)
      code.push_back(std::byte{byte});
  };
  (append(pieces), ...);
  return code;
}

// What the register holds at the call that ends `size_bytes` into the code.
std::optional<ElfAddress> argument_at(Machine machine, std::span<const std::byte> code,
                                      std::size_t size_bytes,
                                      std::unordered_set<std::uint64_t> joins = {}) {
  const auto instructions = decode({machine, kStart, code});
  EXPECT_TRUE(instructions);
  return first_argument_at(*instructions, {kStart.value + size_bytes}, std::move(joins));
}

// At the end of the code.
template <typename... Pieces>
std::optional<ElfAddress> argument_of(Machine machine, const Pieces &...pieces) {
  const auto code = code_of(pieces...);
  return argument_at(machine, code, code.size());
}

const Bytes kLea = {0x48, 0x8d, 0x05, 0x10, 0, 0, 0}; // lea 0x10(%rip),%rax
const Bytes kCall = {0xe8, 0, 0, 0, 0};
const ElfAddress kLoaded{kStart.value + 7 + 0x10};

TEST(FirstArgumentTest, IsTheAddressThatWasLoadedLast) {
  constexpr auto kMachine = Machine::amd64;
  EXPECT_EQ(argument_of(kMachine, kLea, kCall), kLoaded);
  const Bytes store = {0x48, 0x89, 0x44, 0x24, 0x08};    // mov %rax,0x8(%rsp): only reads it
  const Bytes other = {0x48, 0x8d, 0x0d, 0x20, 0, 0, 0}; // lea 0x20(%rip),%rcx
  const Bytes nop = {0x0f, 0x1f, 0x44, 0, 0};            // nopl 0x0(%rax,%rax,1)
  EXPECT_EQ(argument_of(kMachine, kLea, store, other, nop, kCall), kLoaded);
  EXPECT_EQ(argument_of(kMachine, other, kCall), std::nullopt);
  EXPECT_EQ(argument_of(kMachine, kCall), std::nullopt);
}

TEST(FirstArgumentTest, AnyOtherWriteForgetsIt) {
  const Bytes writes[] = {
      {0x48, 0x89, 0xd8},                // mov %rbx,%rax
      {0x31, 0xc0},                      // xor %eax,%eax
      {0xb0, 0x01},                      // mov $1,%al
      {0xb4, 0x01},                      // mov $1,%ah
      {0x48, 0x93},                      // xchg %rax,%rbx
      {0x48, 0x87, 0xc3},                // xchg %rax,%rbx, the long form
      {0x48, 0x8b, 0x05, 0x10, 0, 0, 0}, // mov 0x10(%rip),%rax
      {0x8d, 0x05, 0x10, 0, 0, 0},       // lea 0x10(%rip),%eax
      {0x58},                            // pop %rax
      {0x48, 0xf7, 0xe3},                // mul %rbx
      {0xf0, 0x48, 0x0f, 0xb1, 0x0b},    // lock cmpxchg %rcx,(%rbx)
      {0xf0, 0x48, 0x0f, 0xc1, 0x03},    // lock xadd %rax,(%rbx)
      {0x48, 0x0f, 0x44, 0xc3},          // cmove %rbx,%rax
      {0x0f, 0x94, 0xc0},                // sete %al
      {0x0f, 0xa2},                      // cpuid
      {0x0f, 0x05},                      // syscall
      {0x48, 0x98},                      // cltq
      {0x66, 0x48, 0x0f, 0x7e, 0xc0},    // movq %xmm0,%rax
      {0xc4, 0xe1, 0xf9, 0x7e, 0xc0},    // vmovq %xmm0,%rax
      {0xf3, 0x48, 0x0f, 0xb8, 0xc3},    // popcnt %rbx,%rax
      {0xc4, 0xe2, 0xe3, 0xf6, 0xc1},    // mulx %rcx,%rbx,%rax
  };
  for (const Bytes &write : writes)
    EXPECT_EQ(argument_of(Machine::amd64, kLea, write, kCall), std::nullopt)
        << ::testing::PrintToString(write);
}

TEST(FirstArgumentTest, ACallForgetsIt) {
  EXPECT_EQ(argument_of(Machine::amd64, kLea, kCall, kCall), std::nullopt);
  const Bytes indirect = {0xff, 0xd1}; // call *%rcx
  EXPECT_EQ(argument_of(Machine::amd64, kLea, indirect, kCall), std::nullopt);
}

TEST(FirstArgumentTest, WhatCanBeJumpedToKnowsNothing) {
  const Bytes back = {0x74, 0xf9}; // je to the call in front of it
  const auto loop = code_of(kLea, kCall, back);
  EXPECT_EQ(argument_at(Machine::amd64, loop, kLea.size() + kCall.size()), std::nullopt);
  const Bytes elsewhere = {0x74, 0xf2}; // je to the lea
  const auto whole = code_of(kLea, kCall, elsewhere);
  const auto end_of_call = kLea.size() + kCall.size();
  EXPECT_EQ(argument_at(Machine::amd64, whole, end_of_call), kLoaded);
  EXPECT_EQ(argument_at(Machine::amd64, whole, end_of_call, {kStart.value + kLea.size()}),
            std::nullopt); // by a jump table
}

TEST(FirstArgumentTest, WhatFollowsAJumpKnowsNothing) {
  const Bytes jump = {0xeb, 0x05}; // over the call
  const auto code = code_of(kLea, jump, kCall, Bytes{0xc3});
  EXPECT_EQ(argument_at(Machine::amd64, code, kLea.size() + jump.size() + kCall.size()),
            std::nullopt);
}

TEST(FirstArgumentTest, IsFoundOnArm64) {
  constexpr auto kMachine = Machine::arm64;
  const Bytes page = {0x00, 0x00, 0x00, 0xb0};    // adrp x0, 0x2000
  const Bytes place = {0x00, 0x40, 0x00, 0x91};   // add x0, x0, #16
  const Bytes another = {0x01, 0x40, 0x00, 0x91}; // add x1, x0, #16
  const Bytes store = {0xe0, 0x07, 0x00, 0xf9};   // str x0, [sp, #8]
  const Bytes move = {0xe0, 0x03, 0x01, 0xaa};    // mov x0, x1
  const Bytes narrow = {0x20, 0x00, 0x80, 0x52};  // mov w0, #1
  const Bytes load = {0xe1, 0x03, 0x40, 0xa9};    // ldp x1, x0, [sp]
  const Bytes call = {0x00, 0x00, 0x00, 0x94};    // bl
  const ElfAddress loaded{0x2010};
  EXPECT_EQ(argument_of(kMachine, page, place, call), loaded);
  EXPECT_EQ(argument_of(kMachine, page, place, store, call), loaded);
  EXPECT_EQ(argument_of(kMachine, page, another, call), std::nullopt);
  const Bytes indirect = {0x20, 0x00, 0x3f, 0xd6}; // blr x1
  for (const Bytes &write : {page, move, narrow, load, call, indirect})
    EXPECT_EQ(argument_of(kMachine, page, place, write, call), std::nullopt)
        << ::testing::PrintToString(write);
}

} // namespace
} // namespace mapscope
