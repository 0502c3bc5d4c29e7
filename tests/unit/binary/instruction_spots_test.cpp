// Every form of prologue that Go compilers have made, as bytes; and code that must be refused.
#include "binary/instruction_spots.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::uint64_t kStart = 0x401000;

Code code(const Bytes &bytes, Machine machine = Machine::amd64) {
  return {machine, {kStart}, std::as_bytes(std::span{bytes})};
}

std::uint64_t spot_offset(const Code &function) {
  auto spot = find_entry_spot(function);
  return spot ? spot->address.value - kStart : UINT64_MAX;
}

// cmp 0x10(%r14),%rsp; jbe slow; push %rbp; mov %rsp,%rbp; nop; pop %rbp; ret;
// slow: call morestack; jmp start
const Bytes kGo121{0x49, 0x3b, 0x66, 0x10, 0x76, 0x07, 0x55, 0x48, 0x89, 0xe5,
                   0x90, 0x5d, 0xc3, 0xe8, 0x00, 0x00, 0x00, 0x00, 0xeb, 0xec};

TEST(InstructionSpotsTest, TheProbeGoesOnThePushBehindTheCheck) {
  auto spot = find_entry_spot(code(kGo121));
  ASSERT_TRUE(spot) << spot.error().message();
  EXPECT_EQ(spot->address.value, kStart + 6);
  EXPECT_EQ(spot->expected, (Bytes{0x55, 0x48, 0x89, 0xe5, 0x90, 0x5d, 0xc3, 0xe8}));
  EXPECT_TRUE(spot->emulated);
}

TEST(InstructionSpotsTest, ExpectedBytesEndWithTheFunction) {
  EXPECT_EQ(find_entry_spot(code({0x55, 0xc3}))->expected, (Bytes{0x55, 0xc3}));
}

TEST(InstructionSpotsTest, ALongJumpToTheSlowPathIsACheckToo) {
  // cmp; jbe rel32; push %rbp; ret; slow: call; jmp start
  EXPECT_EQ(spot_offset(code({0x49, 0x3b, 0x66, 0x10, 0x0f, 0x86, 0x02, 0x00, 0x00, 0x00, 0x55,
                              0xc3, 0xe8, 0, 0, 0, 0, 0xeb, 0xed})),
            10u);
}

TEST(InstructionSpotsTest, TheCheckOfAMediumFrameStartsWithLea) {
  // lea -0x30(%rsp),%r12; cmp 0x10(%r14),%r12; jbe; push %rbp; ret; slow: call; jmp start
  EXPECT_EQ(spot_offset(code({0x4c, 0x8d, 0x64, 0x24, 0xd0, 0x4d, 0x3b, 0x66, 0x10, 0x76,
                              0x02, 0x55, 0xc3, 0xe8, 0,    0,    0,    0,    0xeb, 0xec})),
            11u);
}

TEST(InstructionSpotsTest, TheCheckOfALargeFrameHasTwoJumps) {
  // mov %rsp,%r12; sub $0x2000,%r12; jb slow; cmp 0x10(%r14),%r12; jbe slow; push %rbp; ret;
  // slow: call; jmp start
  EXPECT_EQ(spot_offset(code({0x49, 0x89, 0xe4, 0x49, 0x81, 0xec, 0x00, 0x20, 0x00,
                              0x00, 0x72, 0x08, 0x4d, 0x3b, 0x66, 0x10, 0x76, 0x02,
                              0x55, 0xc3, 0xe8, 0,    0,    0,    0,    0xeb, 0xe5})),
            18u);
}

TEST(InstructionSpotsTest, UntilGo120TheProbeGoesOnTheCheckItself) {
  // cmp; jbe slow; sub $0x18,%rsp; ret; slow: call; jmp start: sub is not emulated, jbe is
  Bytes go120{0x49, 0x3b, 0x66, 0x10, 0x76, 0x05, 0x48, 0x83, 0xec,
              0x18, 0xc3, 0xe8, 0,    0,    0,    0,    0xeb, 0xee};
  auto spot = find_entry_spot(code(go120));
  ASSERT_TRUE(spot);
  EXPECT_EQ(spot->address.value, kStart + 4);
  EXPECT_TRUE(spot->emulated);
  EXPECT_TRUE(spot->on_stack_check);
}

TEST(InstructionSpotsTest, WithoutACheckTheProbeGoesOnTheEntry) {
  auto with_frame = find_entry_spot(code({0x55, 0x48, 0x89, 0xe5, 0x5d, 0xc3}));
  EXPECT_EQ(with_frame->address.value, kStart);
  EXPECT_TRUE(with_frame->emulated);
  // sub $0x28,%rsp: as in runtime.throw of Go 1.20
  auto go120 = find_entry_spot(code({0x48, 0x83, 0xec, 0x28, 0xc3}));
  EXPECT_EQ(go120->address.value, kStart);
  EXPECT_FALSE(go120->emulated);
}

TEST(InstructionSpotsTest, AJumpThatDoesNotLeadToMorestackIsNoCheck) {
  // test %rax,%rax; je out; push %rbp; pop %rbp; out: ret
  EXPECT_EQ(spot_offset(code({0x48, 0x85, 0xc0, 0x74, 0x02, 0x55, 0x5d, 0xc3})), 0u);
  // a loop to the entry without a call in it
  EXPECT_EQ(spot_offset(code({0x48, 0xff, 0xc8, 0x74, 0x01, 0xc3, 0xeb, 0xf8})), 0u);
}

TEST(InstructionSpotsTest, CodeThatIsNoCodeIsRefused) {
  EXPECT_FALSE(find_entry_spot(code({})));
  EXPECT_FALSE(find_entry_spot(code({0x06, 0x06}))); // not in 64-bit mode
  EXPECT_FALSE(find_entry_spot(code({0x49, 0x3b}))); // cut short
}

// ldr x16,[x28,#16]; cmp sp,x16; b.ls slow; str x30,[sp,#-32]!; ldr x0,literal; ret;
// slow: mov x3,x30; bl morestack; b start; literal: the bytes of ret; padding
const Bytes kArm64{0x90, 0x0b, 0x40, 0xf9, 0xff, 0x63, 0x30, 0xeb, 0x89, 0x00, 0x00,
                   0x54, 0xfe, 0x0f, 0x1e, 0xf8, 0xa0, 0x00, 0x00, 0x58, 0xc0, 0x03,
                   0x5f, 0xd6, 0xe3, 0x03, 0x1e, 0xaa, 0xe9, 0xff, 0xff, 0x97, 0xf8,
                   0xff, 0xff, 0x17, 0xc0, 0x03, 0x5f, 0xd6, 0x00, 0x00, 0x00, 0x00};

TEST(InstructionSpotsTest, OnArm64TheEmulatedJumpOfTheCheckIsTaken) {
  auto spot = find_entry_spot(code(kArm64, Machine::arm64));
  ASSERT_TRUE(spot) << spot.error().message();
  EXPECT_EQ(spot->address.value, kStart + 8);
  EXPECT_TRUE(spot->emulated);
}

TEST(InstructionSpotsTest, ALiteralThatLooksLikeAReturnIsNone) {
  auto returns = find_returns(code(kArm64, Machine::arm64));
  ASSERT_TRUE(returns) << returns.error().message();
  EXPECT_EQ(*returns, (std::vector<ElfAddress>{{kStart + 20}}));
}

TEST(InstructionSpotsTest, EveryReturnIsFound) {
  // ret; push %rbp; mov $0xc3,%al (no return inside); ret
  auto returns = find_returns(code({0xc3, 0x55, 0xb0, 0xc3, 0xc3}));
  ASSERT_TRUE(returns);
  EXPECT_EQ(*returns, (std::vector<ElfAddress>{{kStart}, {kStart + 4}}));
}

TEST(InstructionSpotsTest, ReturnsAreRefusedWhenDecodingIsOutOfStep) {
  // jmp into the immediate of the next instruction
  auto inside = find_returns(code({0xeb, 0x01, 0xb0, 0xc3, 0xc3}));
  ASSERT_FALSE(inside);
  EXPECT_EQ(inside.error().code(), Errc::malformed);
  EXPECT_FALSE(find_returns(code({0xc3, 0x06})));
}

TEST(InstructionSpotsTest, TheTlsOffsetIsReadFromBothFormsOfStackcheck) {
  // mov %fs:0xffffffffffffffa8,%rax
  EXPECT_EQ(find_tls_offset(code({0x64, 0x48, 0x8b, 0x04, 0x25, 0xa8, 0xff, 0xff, 0xff})), -88);
  // mov $0xfffffffffffffff8,%rcx; mov %fs:(%rcx),%rax
  EXPECT_EQ(
      find_tls_offset(code({0x48, 0xc7, 0xc1, 0xf8, 0xff, 0xff, 0xff, 0x64, 0x48, 0x8b, 0x01})),
      -8);
}

TEST(InstructionSpotsTest, TheTlsOffsetOfASharedLibraryIsUnknown) {
  // mov 0x1234(%rip),%rcx; mov %fs:(%rcx),%rax
  EXPECT_EQ(
      find_tls_offset(code({0x48, 0x8b, 0x0d, 0x34, 0x12, 0x00, 0x00, 0x64, 0x48, 0x8b, 0x01})),
      std::nullopt);
  EXPECT_EQ(find_tls_offset(code({0x64, 0x48})), std::nullopt);
}

TEST(InstructionSpotsTest, AddressesRelativeToTheProgramCounterAreFound) {
  // lea 0x10(%rip),%rax; lea 0x10(%rsp),%rax
  auto amd64 = find_referenced_addresses(
      code({0x48, 0x8d, 0x05, 0x10, 0, 0, 0, 0x48, 0x8d, 0x44, 0x24, 0x10}));
  ASSERT_TRUE(amd64);
  EXPECT_EQ(*amd64, (std::vector<ElfAddress>{{kStart + 7 + 0x10}}));
  // adrp x0,this page; add x0,x0,#0x123; add x1,x1,#0x123
  auto arm64 = find_referenced_addresses(code(
      {0x00, 0x00, 0x00, 0x90, 0x00, 0x8c, 0x04, 0x91, 0x21, 0x8c, 0x04, 0x91}, Machine::arm64));
  ASSERT_TRUE(arm64);
  EXPECT_EQ(*arm64, (std::vector<ElfAddress>{{kStart + 0x123}}));
}

} // namespace
} // namespace mapscope
